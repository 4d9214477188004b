package idtoken

import (
	"crypto/subtle"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/globusauth/globusauth/internal/origin"
)

// checkClaims makes every check of the claims (OpenID Connect Core section 3.1.3.7). Only
// this client is a trusted audience.
func (v *Verifier) checkClaims(claims *document, chosen *algorithm, expect Expect) error {
	issuer, leeway, now := v.keys.config.Issuer, v.keys.config.Options.Leeway, v.keys.config.Now()
	latest := now.Add(leeway)
	foreign := func(audience string) bool { return audience != expect.ClientID }
	switch {
	case !origin.SameIssuer(claims.Issuer, issuer):
		return refuse("iss", "the issuer is %.100q, expected %.100q", claims.Issuer, issuer)
	case len(claims.Audience) == 0:
		return refuse("aud", "the token names no audience")
	case !slices.Contains(claims.Audience, expect.ClientID):
		return refuse("aud", "the token is for %.100q, not for %.100q; it was issued to another client",
			strings.Join(claims.Audience, " "), expect.ClientID)
	case slices.ContainsFunc(claims.Audience, foreign):
		return refuse("aud", "the token is for %.100q as well, which this client does not trust",
			claims.Audience[slices.IndexFunc(claims.Audience, foreign)])
	case claims.AuthorizedParty != "" && foreign(claims.AuthorizedParty):
		return refuse("azp", "the token was issued to %.100q, not to %.100q", claims.AuthorizedParty, expect.ClientID)
	case claims.Sub == "":
		return refuse("sub", "the token names no subject")
	case claims.Expiry.IsZero():
		return refuse("exp missing", "the token does not say when it expires")
	case !claims.Expiry.After(now.Add(-leeway)):
		return refuse("exp", "expired at %s, and by this machine's clock it is %s (leeway %s); log in again, and if the token was just issued, set the clock",
			timestamp(claims.Expiry.Time), timestamp(now), leeway)
	case claims.IssuedAt.IsZero():
		return refuse("iat", "the token does not say when it was issued")
	case claims.IssuedAt.After(latest):
		return refuse("iat", "issued at %s, and it is %s now (leeway %s); check this machine's clock",
			timestamp(claims.IssuedAt.Time), timestamp(now), leeway)
	case claims.NotBefore.After(latest):
		return refuse("nbf", "not valid before %s, and it is %s now (leeway %s); check this machine's clock",
			timestamp(claims.NotBefore.Time), timestamp(now), leeway)
	case !expect.NoNonce && claims.Nonce == "":
		return refuse("nonce", "the token carries no nonce; it does not belong to this login")
	case !expect.NoNonce && !same(claims.Nonce, expect.Nonce):
		return refuse("nonce", "the token carries another nonce; it does not belong to this login")
	case expect.AccessToken != "" && claims.AccessTokenHash != "" && !same(claims.AccessTokenHash, chosen.leftHash(expect.AccessToken)):
		return refuse("at_hash", "the token was issued with another access token")
	case expect.MaxAge == 0:
		return nil
	}
	authenticated := claims.AuthTime
	if authenticated.IsZero() {
		authenticated = claims.LastAuthentication
	}
	switch {
	case claims.WireAuthTime.odd:
		return refuse("auth_time", "it is not a time")
	case authenticated.IsZero():
		return refuse("auth_time", "the token does not say when the user authenticated")
	case authenticated.After(latest):
		return refuse("auth_time", "authenticated at %s, and it is %s now", timestamp(authenticated.Time), timestamp(now))
	case authenticated.Before(now.Add(-expect.MaxAge - leeway)):
		return refuse("auth_time", "authenticated at %s, and it is %s (at most %s allowed); ask for a new authentication",
			timestamp(authenticated.Time), timestamp(now), expect.MaxAge)
	}
	return nil
}

// leftHash is the left half of a token's hash (OpenID Connect Core section 3.1.3.6).
func (a *algorithm) leftHash(token string) string {
	hash := a.hash.New()
	hash.Write([]byte(token))
	sum := hash.Sum(nil)
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}

// same compares secrets in constant time.
func same(one, other string) bool { return subtle.ConstantTimeCompare([]byte(one), []byte(other)) == 1 }

func timestamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
