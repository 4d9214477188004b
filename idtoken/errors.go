package idtoken

import (
	"errors"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/globusauth/globusauth/internal/check"
)

// CheckError is the check that refused a token. Compare with errors.Is, such as
// errors.Is(err, idtoken.ErrNonce), or get the name, say for a metric, with
// errors.AsType[idtoken.CheckError]. It is comparable, and the same type as flows.CheckError.
//
// A check of a claim has the claim's name, also for a claim that is missing or has the
// wrong JSON type:
//
//	format       not a compact JWS of base64url and JSON (RFC 7515 section 3.1), or a truncated one
//	size         longer than 64 KiB
//	duplicate    a JSON object has a name twice
//	typ          a JWT of another kind (RFC 8725 section 3.11)
//	crit         a header extension that must be understood and is not
//	alg          an algorithm that the provider does not announce, or none stated
//	alg none     not signed at all; never allowed
//	alg hmac     signed with a shared secret (HS256 and the like); never allowed, since a forger could use the public key as the secret
//	signature    no published key verifies the signature
//	iss          another issuer
//	aud          not for this client alone
//	azp          issued to another client
//	sub          no subject
//	exp          expired
//	exp missing  no time of expiry
//	iat          issued in the future
//	nbf          not valid yet
//	nonce        not of this login
//	at_hash      issued with another access token
//	auth_time    authenticated too long ago, or not known when
//	expect       the caller's Expect is empty or contradicts itself
type CheckError = check.Error

// The checks for which a program may have its own handling.
var (
	// ErrExpired: the token has expired. Log in again; where the token was just issued,
	// this machine's clock is ahead.
	ErrExpired = check.New("exp")
	// ErrSignature: no key of the provider verifies the signature; the token is forged.
	ErrSignature = check.New("signature")
	// ErrAudience: the token is for another client.
	ErrAudience = check.New("aud")
	// ErrNonce: the token belongs to another login.
	ErrNonce = check.New("nonce")
	// ErrAuthTime: the user authenticated longer ago than Expect.MaxAge. Ask for a new
	// authentication.
	ErrAuthTime = check.New("auth_time")
)

// ErrUnavailable reports that the provider's configuration or keys could not be fetched.
// It says nothing about the token: the same call may succeed later. The cause is
// wrapped beside it.
var ErrUnavailable = errors.New("signing keys are unavailable")

// refuse makes the error of one failed check.
func refuse(name, format string, args ...any) error { return check.New(name).Failed(format, args...) }

// decodeJSON decodes the header or payload of a token. The decoder's own text is not
// passed on, since it may quote the token.
func decodeJSON(part string, text []byte, target any, options ...json.Options) error {
	err := json.Unmarshal(text, target, options...)
	if err == nil {
		return nil
	}
	if failed, ok := errors.AsType[CheckError](err); ok {
		return failed.Failed("the claim has the wrong JSON type or is out of range")
	}
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return refuse("duplicate", "the %s has a name twice", part)
	}
	return refuse("format", "the %s is not a JSON object of the expected form", part)
}
