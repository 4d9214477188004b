package idtoken

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// CheckError names the check that refused a token. It is comparable: test for one
// check with errors.Is(err, idtoken.CheckError("nonce")), or get the name, say for a
// metric, with errors.AsType[idtoken.CheckError].
//
// A check of a claim has the claim's name, and a required claim that is not there
// has its name and the word missing:
//
//	format             not a compact JWS of base64url and JSON (RFC 7515 section 3.1), or a truncated one
//	size               longer than 64 KiB
//	nesting            JSON nested deeper than 32 levels
//	duplicate          a JSON object names a member twice
//	typ                a JWT of another kind (RFC 8725 section 3.11)
//	crit               a header extension that must be understood and is not
//	alg                an algorithm that the provider or the configuration does not allow, or no word of one
//	alg none           not signed at all; never allowed
//	alg hmac           signed with a shared secret (HS256 and the like), as which a forger can use a public key; never allowed
//	key                no published key fits the algorithm and the kid
//	signature          no fitting key verifies the signature
//	iss                another issuer, or none
//	aud                not for this client, no audience, or not a string or list of strings
//	azp, azp missing   issued to another client; several audiences and no azp
//	sub missing        no subject
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

// ErrExpired is the check of a token whose time is over. A new login gives a new token.
const ErrExpired = CheckError("exp")

// ErrUnavailable reports that the provider's configuration or keys could not be had.
// It says nothing about the token: the same call may succeed later. The cause is
// wrapped beside it.
var ErrUnavailable = errors.New("signing keys are unavailable")

const (
	errFormat          = CheckError("format")
	errSize            = CheckError("size")
	errNesting         = CheckError("nesting")
	errDuplicate       = CheckError("duplicate")
	errType            = CheckError("typ")
	errCritical        = CheckError("crit")
	errAlgorithm       = CheckError("alg")
	errAlgorithmNone   = CheckError("alg none")
	errAlgorithmHMAC   = CheckError("alg hmac")
	errKey             = CheckError("key")
	errSignature       = CheckError("signature")
	errIssuer          = CheckError("iss")
	errAudience        = CheckError("aud")
	errParty           = CheckError("azp")
	errPartyMissing    = CheckError("azp missing")
	errSubject         = CheckError("sub missing")
	errExpiryMissing   = CheckError("exp missing")
	errIssuedAt        = CheckError("iat")
	errIssuedAtMissing = CheckError("iat missing")
	errNotBefore       = CheckError("nbf")
	errNonce           = CheckError("nonce")
	errNonceMissing    = CheckError("nonce missing")
	errTokenHash       = CheckError("at_hash")
	errTokenHashAbsent = CheckError("at_hash missing")
	errAuthTime        = CheckError("auth_time")
	errAuthTimeMissing = CheckError("auth_time missing")
	errExpect          = CheckError("expect")
)

// refuse makes the error of one failed check.
func refuse(check CheckError, format string, args ...any) error {
	return fmt.Errorf("%w: %s", check, fmt.Sprintf(format, args...))
}

// refuseJSON turns an error of the JSON decoder into that of a check. The decoder's
// own text is not passed on, since it may quote the token.
func refuseJSON(part string, err error) error {
	if check, ok := errors.AsType[CheckError](err); ok {
		return refuse(check, "the %s has the wrong JSON type", check)
	}
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return refuse(errDuplicate, "the %s names a member twice", part)
	}
	return refuse(errFormat, "the %s is not JSON of the expected form", part)
}

// quote prints a value of a token for an error message, shortened.
func quote(text string) string {
	const limit = 100
	if len(text) > limit {
		return fmt.Sprintf("%q...", text[:limit])
	}
	return fmt.Sprintf("%q", text)
}
