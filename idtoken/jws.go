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
	text      []byte     // the whole token
	signed    []byte     // header and payload in text, as they were signed
	payload   []byte     // in text
	signature []byte
	claims    []byte // the payload as JSON
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

// split takes a token apart into t, whose memory it uses again. The header is not parsed
// again if it is the known one, which may be nil.
func (t *compactToken) split(raw string, known *header) (err error) {
	if len(raw) > maxTokenBytes {
		return refuse("size", "%d bytes, more than the limit of %d", len(raw), maxTokenBytes)
	}
	// The base64 decoder skips line breaks, which are not allowed in a JWS.
	if strings.ContainsAny(raw, "\r\n") {
		return refuse("format", "the token contains a line break")
	}
	if dots := strings.Count(raw, "."); dots != 2 {
		return refuse("format", "a signed token has three parts, this one has %d", dots+1)
	}
	first, last := strings.IndexByte(raw, '.'), strings.LastIndexByte(raw, '.')
	t.text = append(t.text[:0], raw...)
	t.header, t.signed, t.payload = known, t.text[:last], t.text[first+1:last]
	if t.signature, err = strict().AppendDecode(t.signature[:0], t.text[last+1:]); err != nil {
		return refuse("format", "the signature is not base64url")
	}
	if known == nil || known.text != raw[:first] {
		t.header, err = parseHeader(raw[:first])
	}
	return err
}

func parseHeader(encoded string) (*header, error) {
	parsed := &header{text: strings.Clone(encoded)} // a part of the token would keep all of it
	decoded, err := strict().DecodeString(encoded)
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
		return nil, refuse("typ", "the token is a %.100q and not an ID token", parsed.Type)
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
		return refuse("alg hmac", "%.100q signs with a shared secret; a forger could use the public key as the secret", name)
	}
	return refuse("alg", "%.100q is not an allowed signature algorithm", name)
}

// strict is the encoding of the parts of a token. Unused bits must be zero, so that one
// token has one form.
func strict() *base64.Encoding { return base64.RawURLEncoding.Strict() }
