package idtoken

import (
	"encoding/base64"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

const maxTokenBytes = 64 << 10

// compactToken is a token in compact form, split once. The payload is still base64url.
type compactToken struct {
	header    *header
	algorithm *algorithm // the one that the header names, if it is allowed
	signed    []byte     // header and payload as they were signed
	payload   string
	signature []byte
}

// header has the fields of the JOSE header that matter here. Keys and key locations
// in a header (jwk, jku, x5c, x5u) are ignored.
type header struct {
	Algorithm string         `json:"alg"`
	Type      string         `json:"typ"`
	KeyID     string         `json:"kid"`
	Critical  jsontext.Value `json:"crit"`

	text string // the encoded header
}

// splitToken takes a token apart. Its header is not parsed again if it is the known one,
// which may be nil.
func splitToken(raw string, known *header) (*compactToken, error) {
	if len(raw) > maxTokenBytes {
		return nil, refuse("size", "%d bytes, more than the limit of %d", len(raw), maxTokenBytes)
	}
	// The base64 decoder skips line breaks, which are not allowed in a JWS.
	if strings.IndexByte(raw, '\n') >= 0 || strings.IndexByte(raw, '\r') >= 0 {
		return nil, refuse("format", "the token contains a line break")
	}
	if dots := strings.Count(raw, "."); dots != 2 {
		return nil, refuse("format", "a signed token has three parts, this one has %d", dots+1)
	}
	first, last := strings.IndexByte(raw, '.'), strings.LastIndexByte(raw, '.')
	token := &compactToken{header: known, signed: []byte(raw[:last]), payload: raw[first+1 : last]}
	var err error
	if token.signature, err = decodePart(raw[last+1:]); err != nil {
		return nil, refuse("format", "the signature is not base64url")
	}
	if known == nil || known.text != raw[:first] {
		token.header, err = parseHeader(raw[:first])
	}
	return token, err
}

func parseHeader(encoded string) (*header, error) {
	parsed := &header{text: strings.Clone(encoded)} // a part of the token would keep all of it
	decoded, err := decodePart(encoded)
	if err != nil {
		return nil, refuse("format", "the header is not base64url")
	}
	if err := decodeJSON("header", decoded, parsed); err != nil {
		return nil, err
	}
	if parsed.Critical != nil {
		return nil, refuse("crit", "the header requires an extension (crit), which is not supported")
	}
	// RFC 7515 section 4.1.9: the prefix may be left out, and case is not significant.
	kind := strings.TrimPrefix(strings.ToLower(parsed.Type), "application/")
	if kind != "" && kind != "jwt" {
		return nil, refuse("typ", "the token is a %s and not an ID token", quote(parsed.Type))
	}
	return parsed, nil
}

// refuseAlgorithm tells the two ways to forge a token by its header alone from an
// algorithm that is not supported.
func refuseAlgorithm(name string) error {
	switch upper := strings.ToUpper(name); {
	case upper == "NONE":
		return refuse("alg none", "the token is not signed")
	case strings.HasPrefix(upper, "HS"):
		return refuse("alg hmac", "%s signs with a shared secret; a forger could use the public key as the secret", quote(name))
	}
	return refuse("alg", "%s is not an allowed signature algorithm", quote(name))
}

// decodePart decodes one part of a token. Unused bits must be zero, so
// that one token has one form.
func decodePart(part string) ([]byte, error) {
	return base64.RawURLEncoding.Strict().DecodeString(part)
}
