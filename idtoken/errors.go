package idtoken

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// CheckError names the check that refused a token. It is comparable: test for one
// check with errors.Is(err, idtoken.CheckError("nonce")), or get the name, say for a
// metric, with errors.AsType[idtoken.CheckError].
//
// A check of a claim has the claim's name, also for a claim of the wrong JSON type; a
// required claim that is not there has its name and the word missing:
//
//	format             not a compact JWS of base64url and JSON (RFC 7515 section 3.1), or a truncated one
//	size               longer than 64 KiB
//	nesting            JSON nested deeper than 32 levels
//	duplicate          a JSON object has a name twice
//	typ                a JWT of another kind (RFC 8725 section 3.11)
//	crit               a header extension that must be understood and is not
//	alg                an algorithm that the provider or the configuration does not allow, or none stated
//	alg none           not signed at all; never allowed
//	alg hmac           signed with a shared secret (HS256 and the like); never allowed, since a forger could use the public key as the secret
//	key                no published key fits the algorithm and the kid
//	signature          no fitting key verifies the signature
//	iss                another issuer, or none
//	aud                not for this client alone, no audience, or not a string or list of strings
//	azp                issued to another client
//	sub, sub missing   no subject
//	exp, exp missing   expired; no time of expiry
//	iat, iat missing   issued in the future; no time of issue
//	nbf                not valid yet
//	nonce, nonce missing
//	at_hash, at_hash missing
//	auth_time, auth_time missing
//	expect             the caller's Expect is empty or contradicts itself
type CheckError string

// Error returns the name of the check.
func (e CheckError) Error() string { return string(e) }

// ErrExpired is the check of an expired token. Log in again; where the token was just
// issued, this machine's clock is ahead.
const ErrExpired = CheckError("exp")

// ErrUnavailable reports that the provider's configuration or keys could not be had.
// It says nothing about the token: the same call may succeed later. The cause is
// wrapped beside it.
var ErrUnavailable = errors.New("signing keys are unavailable")

// refuse makes the error of one failed check.
func refuse(check CheckError, format string, args ...any) error {
	return fmt.Errorf("%w: %s", check, fmt.Sprintf(format, args...))
}

// decodeJSON decodes the header or payload of a token. The decoder's own text is not
// passed on, since it may quote the token.
func decodeJSON(part string, text []byte, target any, options ...json.Options) error {
	if deeperThan(text, maxNesting) {
		return refuse("nesting", "the %s is nested deeper than %d levels", part, maxNesting)
	}
	err := json.Unmarshal(text, target, options...)
	if err == nil {
		return nil
	}
	if check, ok := errors.AsType[CheckError](err); ok {
		return refuse(check, "the claim has the wrong JSON type or is out of range")
	}
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return refuse("duplicate", "the %s has a name twice", part)
	}
	return refuse("format", "the %s is not a JSON object of the expected form", part)
}

// quote prints a value of a token for an error message, shortened.
func quote(text string) string {
	const limit = 100
	if len(text) > limit {
		return fmt.Sprintf("%q...", text[:limit])
	}
	return fmt.Sprintf("%q", text)
}
