package idtoken

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/globusauth/globusauth/internal/prefix"
)

// Verifier verifies ID tokens of one issuer. It is made by [New] and
// is safe for concurrent use; parallel calls share nothing that is locked while the
// keys are fresh.
type Verifier struct {
	keys *source // and the configuration
	// known is the header of the last good token. A provider's headers are the same
	// as long as its key is, and the same text need not be parsed again.
	known  atomic.Pointer[header]
	tokens sync.Pool // of *compactToken, whose memory is used again
}

// Verify checks an ID token and returns its claims.
//
// It checks, in this order: expect itself, the token's size and form (no truncated
// token, no unknown critical extension, no other kind of JWT), the algorithm, the
// signature, the payload (no duplicate name), issuer, audience
// and authorized party, subject, expiry, time of issue, not-before, nonce, at_hash and
// the time of authentication (OpenID Connect Core section 3.1.3.7; RFC 8725).
//
// It waits only while keys have to be fetched, and no longer than ctx allows.
//
// Errors: a [CheckError], [ErrExpired] among them, for a refused token;
// [ErrUnavailable] when the keys could not be fetched; both, when no known key fits and
// the search for a newer one failed; the error of ctx when it ended while waiting.
func (v *Verifier) Verify(ctx context.Context, raw string, expect Expect) (claims *Claims, err error) {
	defer prefix.Add(&err, "idtoken: verify")
	expect.ClientID = cmp.Or(expect.ClientID, v.keys.config.ClientID)
	if err := expect.check(); err != nil {
		return nil, err
	}
	token, _ := v.tokens.Get().(*compactToken)
	defer v.tokens.Put(token)
	if err := token.split(raw, v.known.Load()); err != nil {
		return nil, err
	}
	if token.algorithm = v.keys.allowed[token.header.Algorithm]; token.algorithm == nil {
		return nil, refuseAlgorithm(token.header.Algorithm)
	}
	keys, err := v.keys.current(ctx)
	if err != nil {
		return nil, err
	}
	if announced := keys.configuration.algorithms; announced != nil && !slices.Contains(announced, token.header.Algorithm) {
		return nil, refuse("alg", "the token is signed with %s and the provider signs with %.100q", token.header.Algorithm, strings.Join(announced, " "))
	}
	forged := keys.verify(token)
	// A token that fails another check as well is not worth a search for newer keys.
	claims, err = v.readClaims(token, expect)
	if forged != nil && err == nil {
		forged = v.search(ctx, keys, forged, token, expect)
	}
	switch {
	case forged != nil:
		return nil, forged
	case err != nil:
		return nil, err
	}
	if v.known.Load() != token.header {
		v.known.Store(token.header)
	}
	claims.raw = func() string { return raw }
	return claims, nil
}

// readClaims decodes and checks the claims. They are not trusted before the signature is
// verified.
func (v *Verifier) readClaims(token *compactToken, expect Expect) (*Claims, error) {
	var err error
	if token.claims, err = strict().AppendDecode(token.claims[:0], token.payload); err != nil {
		return nil, refuse("format", "the payload is not base64url")
	}
	parsed, err := parseClaims(token.claims)
	if err != nil {
		return nil, err
	}
	return &parsed.Claims, v.checkClaims(parsed, token.algorithm, expect)
}

// search looks for newer keys, since the known ones do not verify the token.
func (v *Verifier) search(ctx context.Context, tried *keySet, forged error, token *compactToken, expect Expect) error {
	reason := searchWithNonce
	if expect.NoNonce {
		reason = search
	}
	newer, err := v.keys.newer(ctx, tried, reason)
	switch {
	case errors.Is(err, ErrUnavailable):
		return fmt.Errorf("%w (and newer keys: %w)", forged, err)
	case err != nil:
		return err // The caller's context ended before the question was settled.
	}
	return newer.verify(token)
}
