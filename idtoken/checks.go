package idtoken

import (
	"crypto/subtle"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/globusauth/globusauth/internal/origin"
)

// checkClaims makes every check of the claims (OpenID Connect Core section 3.1.3.7).
func (v *Verifier) checkClaims(claims *document, chosen *algorithm, expect Expect) error {
	if !origin.SameIssuer(claims.Issuer, v.keys.config.Issuer) {
		return refuse("iss", "the issuer is %s, expected %s", quote(claims.Issuer), quote(v.keys.config.Issuer))
	}
	if err := checkAudience(claims, expect.ClientID); err != nil {
		return err
	}
	if claims.Sub == "" {
		return refuse("sub", "the token names no subject")
	}
	now := v.keys.config.Now()
	if err := v.checkTimes(claims, now); err != nil {
		return err
	}
	if err := checkNonce(claims.Nonce, expect); err != nil {
		return err
	}
	if err := checkHash(claims.AccessTokenHash, chosen, expect.AccessToken); err != nil {
		return err
	}
	return v.checkAge(claims, now, expect.MaxAge)
}

// checkAudience makes the checks of rules 3 to 5. Only this client is a trusted
// audience.
func checkAudience(claims *document, clientID string) error {
	if len(claims.Audience) == 0 {
		return refuse("aud", "the token names no audience")
	}
	if !slices.Contains(claims.Audience, clientID) {
		return refuse("aud", "the token is for %s, not for %s; it was issued to another client",
			quote(strings.Join(claims.Audience, " ")), quote(clientID))
	}
	for _, other := range claims.Audience {
		if other != clientID {
			return refuse("aud", "the token is for %s as well, which this client does not trust", quote(other))
		}
	}
	if claims.AuthorizedParty != "" && claims.AuthorizedParty != clientID {
		return refuse("azp", "the token was issued to %s, not to %s", quote(claims.AuthorizedParty), quote(clientID))
	}
	return nil
}

func (v *Verifier) checkTimes(claims *document, now time.Time) error {
	earliest, latest := now.Add(-v.keys.config.Options.Leeway), now.Add(v.keys.config.Options.Leeway)
	switch {
	case claims.Expiry.IsZero():
		return refuse("exp missing", "the token does not say when it expires")
	case !claims.Expiry.After(earliest):
		return refuse("exp", "expired at %s, and by this machine's clock it is %s (leeway %s); log in again, and if the token was just issued, set the clock",
			timestamp(claims.Expiry.Time), timestamp(now), v.keys.config.Options.Leeway)
	case claims.IssuedAt.IsZero():
		return refuse("iat", "the token does not say when it was issued")
	case claims.IssuedAt.After(latest):
		return refuse("iat", "issued at %s, and it is %s now (leeway %s); check this machine's clock",
			timestamp(claims.IssuedAt.Time), timestamp(now), v.keys.config.Options.Leeway)
	case claims.NotBefore.After(latest):
		return refuse("nbf", "not valid before %s, and it is %s now (leeway %s); check this machine's clock",
			timestamp(claims.NotBefore.Time), timestamp(now), v.keys.config.Options.Leeway)
	}
	return nil
}

func checkNonce(nonce string, expect Expect) error {
	switch {
	case expect.NoNonce:
		return nil
	case nonce == "":
		return refuse("nonce", "the token carries no nonce; it does not belong to this login")
	case subtle.ConstantTimeCompare([]byte(nonce), []byte(expect.Nonce)) != 1:
		return refuse("nonce", "the token carries another nonce; it does not belong to this login")
	}
	return nil
}

// checkHash compares at_hash with the left half of the access token's hash (OpenID
// Connect Core section 3.1.3.6).
func checkHash(claimed string, chosen *algorithm, accessToken string) error {
	if accessToken == "" || claimed == "" {
		return nil
	}
	hash := chosen.hash.New()
	hash.Write([]byte(accessToken))
	sum := hash.Sum(nil)
	want := base64.RawURLEncoding.AppendEncode(nil, sum[:len(sum)/2])
	if subtle.ConstantTimeCompare([]byte(claimed), want) != 1 {
		return refuse("at_hash", "the token was issued with another access token")
	}
	return nil
}

// checkAge checks how long ago the user authenticated.
func (v *Verifier) checkAge(claims *document, now time.Time, maxAge time.Duration) error {
	if maxAge == 0 {
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
	case authenticated.After(now.Add(v.keys.config.Options.Leeway)):
		return refuse("auth_time", "authenticated at %s, and it is %s now", timestamp(authenticated.Time), timestamp(now))
	case authenticated.Before(now.Add(-maxAge - v.keys.config.Options.Leeway)):
		return refuse("auth_time", "authenticated at %s, and it is %s (at most %s allowed); ask for a new authentication",
			timestamp(authenticated.Time), timestamp(now), maxAge)
	}
	return nil
}

func timestamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
