package idtoken

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	maxTokenBytes = 64 << 10
	maxNesting    = 32
)

// Verifier verifies ID tokens of one issuer for one client. It is made by [New] and
// is safe for concurrent use; parallel calls share nothing that is locked while the
// keys are fresh.
type Verifier struct {
	issuer     string
	clientID   string
	leeway     time.Duration
	now        func() time.Time
	algorithms []algorithm
	keys       *source
	// known is the header of the last good token. A provider's headers are the same
	// as long as its key is, and the same text need not be parsed again.
	known atomic.Pointer[knownHeader]

	skipSignature, skipAudience, skipExpiry bool
}

// Verify checks an ID token and returns its claims.
//
// It checks, in this order: expect itself, the token's size and form (no truncated
// token, no unknown critical extension, no other kind of JWT), the algorithm, the
// signature, the payload (no duplicate member, no deep nesting), issuer, audience
// and authorized party, subject, expiry, time of issue, not-before, nonce, at_hash and
// the time of authentication (OpenID Connect Core section 3.1.3.7; RFC 8725).
//
// It waits only while keys have to be fetched, and no longer than ctx allows.
//
// Errors: a [CheckError], [ErrExpired] among them, for a refused token;
// [ErrUnavailable] when the keys could not be had; both, when no known key fits and
// the search for a newer one failed; the error of ctx when it ended while waiting.
func (v *Verifier) Verify(ctx context.Context, raw string, expect Expect) (*Claims, error) {
	claims, err := v.verify(ctx, raw, expect)
	if err != nil {
		return nil, fmt.Errorf("idtoken: verify: %w", err)
	}
	return claims, nil
}

func (v *Verifier) verify(ctx context.Context, raw string, expect Expect) (*Claims, error) {
	if err := expect.check(); err != nil {
		return nil, err
	}
	token, err := splitToken(raw, v.known.Load())
	if err != nil {
		return nil, err
	}
	if !v.skipSignature {
		if err := v.checkSignature(ctx, token); err != nil {
			return nil, err
		}
	}
	payload, err := decodePart(token.payload)
	if err != nil {
		return nil, refuse(errFormat, "the payload is not base64url")
	}
	parsed, err := parseClaims(payload)
	if err != nil {
		return nil, err
	}
	if err := v.checkClaims(parsed, token.header.Algorithm, expect); err != nil {
		return nil, err
	}
	if known := v.known.Load(); known == nil || known.text != raw[:strings.IndexByte(raw, '.')] {
		v.known.Store(&knownHeader{strings.Clone(raw[:strings.IndexByte(raw, '.')]), token.header})
	}
	return &parsed.Claims, nil
}

// checkSignature verifies the signature with the known keys and, when none of them
// does, with newer ones if there are any to be had.
func (v *Verifier) checkSignature(ctx context.Context, token *compactToken) error {
	chosen := findAlgorithm(v.algorithms, token.header.Algorithm)
	if chosen == nil {
		return refuseAlgorithm(token.header.Algorithm)
	}
	signature, err := decodePart(token.signature)
	if err != nil {
		return refuse(errFormat, "the signature is not base64url")
	}
	known, err := v.keys.current(ctx)
	if err != nil {
		return err
	}
	err = known.verify(chosen, token, signature)
	if err == nil || errors.Is(err, errAlgorithm) {
		return err
	}
	newer, fetchErr := v.keys.newer(ctx, known)
	if fetchErr != nil && !errors.Is(fetchErr, ErrUnavailable) {
		return fetchErr // The caller's context ended before the question was settled.
	}
	if fetchErr != nil {
		return fmt.Errorf("%w (and newer keys: %w)", err, fetchErr)
	}
	if newer == nil {
		return err
	}
	return newer.verify(chosen, token, signature)
}

// refuseAlgorithm tells the two ways to forge a token by its header alone from a
// key or a configuration that does not fit.
func refuseAlgorithm(name string) error {
	switch upper := strings.ToUpper(name); {
	case upper == "NONE":
		return refuse(errAlgorithmNone, "the token is not signed")
	case strings.HasPrefix(upper, "HS"):
		return refuse(errAlgorithmHMAC, "%s signs with a shared secret, and Globus Auth shares none", quote(name))
	}
	return refuse(errAlgorithm, "%s is not an allowed signature algorithm", quote(name))
}

// compactToken is a token in compact form, split once. Payload and signature are
// still base64url.
type compactToken struct {
	header             header
	signed             []byte // header and payload as they were signed
	payload, signature []byte
}

// header has the members of the JOSE header that matter here. Keys and key locations
// in a header (jwk, jku, x5c, x5u) are never looked at.
type header struct {
	Algorithm string         `json:"alg"`
	Type      string         `json:"typ"`
	KeyID     string         `json:"kid"`
	Critical  jsontext.Value `json:"crit"`
}

// knownHeader is a header in its encoded and its parsed form.
type knownHeader struct {
	text   string
	parsed header
}

func splitToken(raw string, known *knownHeader) (*compactToken, error) {
	if len(raw) > maxTokenBytes {
		return nil, refuse(errSize, "%d bytes, more than the limit of %d", len(raw), maxTokenBytes)
	}
	// The base64 decoder passes over line breaks, which no JWS holds.
	if strings.IndexByte(raw, '\n') >= 0 || strings.IndexByte(raw, '\r') >= 0 {
		return nil, refuse(errFormat, "the token contains a line break")
	}
	text := []byte(raw)
	if dots := bytes.Count(text, []byte{'.'}); dots != 2 {
		return nil, refuse(errFormat, "a signed token has three parts, this one has %d", dots+1)
	}
	first := bytes.IndexByte(text, '.')
	last := first + 1 + bytes.IndexByte(text[first+1:], '.')
	token := &compactToken{signed: text[:last], payload: text[first+1 : last], signature: text[last+1:]}
	if known != nil && known.text == raw[:first] {
		token.header = known.parsed
		return token, nil
	}
	var err error
	token.header, err = parseHeader(text[:first])
	return token, err
}

func parseHeader(encoded []byte) (header, error) {
	var parsed header
	decoded, err := decodePart(encoded)
	if err != nil {
		return parsed, refuse(errFormat, "the header is not base64url")
	}
	if deeperThan(decoded, maxNesting) {
		return parsed, refuse(errNesting, "the header is nested deeper than %d levels", maxNesting)
	}
	if err := json.Unmarshal(decoded, &parsed); err != nil {
		return parsed, refuseJSON("header", err)
	}
	if parsed.Critical != nil {
		return parsed, refuse(errCritical, "the header requires an extension (crit), and none is supported")
	}
	if parsed.Type != "" && !strings.EqualFold(parsed.Type, "JWT") {
		return parsed, refuse(errType, "the token is a %s and not an ID token", quote(parsed.Type))
	}
	return parsed, nil
}

// decodePart decodes one part of a token. Bits that encode nothing must be zero, so
// that one token has one form.
func decodePart(part []byte) ([]byte, error) {
	decoded := make([]byte, base64.RawURLEncoding.DecodedLen(len(part)))
	n, err := base64.RawURLEncoding.Strict().Decode(decoded, part)
	return decoded[:n], err
}

// deeperThan reports whether JSON text nests objects and arrays more than limit
// levels deep.
func deeperThan(text []byte, limit int) bool {
	if bytes.Count(text, []byte{'{'})+bytes.Count(text, []byte{'['}) <= limit {
		return false
	}
	depth, inString := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > limit {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}
