package idtoken

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/globusauth/globusauth/unixtime"
)

// checkClaims makes every check of the claims (OpenID Connect Core section 3.1.3.7).
func (v *Verifier) checkClaims(claims *document, algorithmName string, expect Expect) error {
	if !sameIssuer(claims.Issuer, v.issuer) {
		return refuse(errIssuer, "the issuer is %s, expected %s", quote(claims.Issuer), quote(v.issuer))
	}
	if !v.skipAudience {
		if err := v.checkAudience(claims); err != nil {
			return err
		}
	}
	if claims.Subject == "" {
		return refuse(errSubject, "the token names no subject")
	}
	now := v.now()
	if err := v.checkTimes(claims, now); err != nil {
		return err
	}
	if err := checkNonceClaim(claims.Nonce, expect); err != nil {
		return err
	}
	if err := checkHash(claims.AccessTokenHash, algorithmName, expect.AccessToken); err != nil {
		return err
	}
	return v.checkAge(claims, now, expect.MaxAge)
}

// sameIssuer compares issuers; one slash at the end is not significant.
func sameIssuer(one, other string) bool {
	return strings.TrimSuffix(one, "/") == strings.TrimSuffix(other, "/")
}

func (v *Verifier) checkAudience(claims *document) error {
	if !slices.Contains(claims.Audience, v.clientID) {
		if len(claims.Audience) == 0 {
			return refuse(errAudience, "the token names no audience")
		}
		return refuse(errAudience, "the token is for %s, not for %s; it was issued to another client",
			quote(strings.Join(claims.Audience, " ")), quote(v.clientID))
	}
	if claims.AuthorizedParty == "" && len(claims.Audience) > 1 {
		return refuse(errPartyMissing, "the token has %d audiences and does not say which client it was issued to", len(claims.Audience))
	}
	if claims.AuthorizedParty != "" && claims.AuthorizedParty != v.clientID {
		return refuse(errParty, "the token was issued to %s, not to %s", quote(claims.AuthorizedParty), quote(v.clientID))
	}
	return nil
}

func (v *Verifier) checkTimes(claims *document, now time.Time) error {
	if !v.skipExpiry {
		if claims.Expiry.IsZero() {
			return refuse(errExpiryMissing, "the token does not say when it expires")
		}
		if !claims.Expiry.After(now.Add(-v.leeway)) {
			return refuse(ErrExpired, "expired at %s, and it is %s (leeway %s); a new login gives a new token",
				timestamp(claims.Expiry.Time), timestamp(now), v.leeway)
		}
	}
	if claims.IssuedAt.IsZero() {
		return refuse(errIssuedAtMissing, "the token does not say when it was issued")
	}
	latest := now.Add(v.leeway)
	if claims.IssuedAt.After(latest) {
		return refuse(errIssuedAt, "issued at %s, and it is only %s (leeway %s); is this machine's clock right?",
			timestamp(claims.IssuedAt.Time), timestamp(now), v.leeway)
	}
	if claims.NotBefore.After(latest) {
		return refuse(errNotBefore, "not valid before %s, and it is only %s (leeway %s); is this machine's clock right?",
			timestamp(claims.NotBefore.Time), timestamp(now), v.leeway)
	}
	return nil
}

func checkNonceClaim(nonce string, expect Expect) error {
	switch {
	case expect.NoNonce:
		return nil
	case nonce == "":
		return refuse(errNonceMissing, "the token carries no nonce; it does not answer this login")
	case subtle.ConstantTimeCompare([]byte(nonce), []byte(expect.Nonce)) != 1:
		return refuse(errNonce, "the token carries another nonce; it does not answer this login")
	}
	return nil
}

// checkHash compares at_hash with the left half of the access token's hash (OpenID
// Connect Core section 3.1.3.6).
func checkHash(claimed, algorithmName, accessToken string) error {
	if accessToken == "" {
		return nil
	}
	if claimed == "" {
		return refuse(errTokenHashAbsent, "the token is not bound to the access token that came with it")
	}
	var sum []byte
	switch {
	case strings.HasSuffix(algorithmName, "256"):
		hash := sha256.Sum256([]byte(accessToken))
		sum = hash[:]
	case strings.HasSuffix(algorithmName, "384"):
		hash := sha512.Sum384([]byte(accessToken))
		sum = hash[:]
	default: // RS512 and its like, and EdDSA on the curve Ed25519
		hash := sha512.Sum512([]byte(accessToken))
		sum = hash[:]
	}
	want := base64.RawURLEncoding.AppendEncode(nil, sum[:len(sum)/2])
	if subtle.ConstantTimeCompare([]byte(claimed), want) != 1 {
		return refuse(errTokenHash, "the token was issued with another access token")
	}
	return nil
}

// checkAge checks how long ago the person authenticated.
func (v *Verifier) checkAge(claims *document, now time.Time, maxAge time.Duration) error {
	if maxAge == 0 {
		return nil
	}
	authenticated := claims.AuthTime
	if authenticated.IsZero() {
		authenticated = claims.LastAuthentication
	}
	return checkAuthenticated(authenticated, now, maxAge, v.leeway)
}

func checkAuthenticated(authenticated unixtime.Time, now time.Time, maxAge, leeway time.Duration) error {
	switch {
	case authenticated.IsZero():
		return refuse(errAuthTimeMissing, "the token does not say when the person authenticated")
	case authenticated.After(now.Add(leeway)):
		return refuse(errAuthTime, "authenticated at %s, and it is only %s", timestamp(authenticated.Time), timestamp(now))
	case authenticated.Before(now.Add(-maxAge - leeway)):
		return refuse(errAuthTime, "authenticated at %s, and it is %s (at most %s allowed); ask for a new authentication",
			timestamp(authenticated.Time), timestamp(now), maxAge)
	}
	return nil
}

func timestamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
