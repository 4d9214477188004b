// Package idtoken verifies the ID tokens of Globus Auth (OpenID Connect Core
// 1.0) and gives their claims.
//
// # One call
//
// [New] checks a [Config] and makes a [Verifier], one per client ID, kept for the
// life of the program. [Verifier.Verify] then makes every check in one call and
// returns typed [Claims]:
//
//	verifier, err := idtoken.New(idtoken.Config{ClientID: clientID})
//	claims, err := verifier.Verify(ctx, raw, idtoken.Expect{Nonce: nonce, AccessToken: access})
//
// All checks are on unless a field whose name begins with Unsafe says otherwise:
// the form of the token, its algorithm, its signature, iss, aud, azp, exp, iat,
// nbf, sub, and, as [Expect] says, nonce, at_hash and the time of authentication.
//
// # Errors
//
// A refused token is a [CheckError] that names the check, for example
// errors.Is(err, idtoken.CheckError("aud")); an expired one is [ErrExpired]. Keys
// that could not be had are [ErrUnavailable], which says nothing about the token.
// No error holds the token, the nonce or the access token.
//
// # Keys
//
// The verifier finds the provider's keys through its discovery document, shares one
// fetch among all callers, keeps the keys as long as HTTP says, within bounds, and
// goes on with the last good ones through an outage. A token that no known key fits
// causes one fetch, at most one a minute, so that a replaced key is found and a
// flood of forged tokens is not passed on to the provider. Globus Auth publishes its
// key without a kid and signs without one; keys without a kid are tried in turn.
// With [Config.JWKS] nothing is fetched at all. Nothing runs in the background
// between calls.
package idtoken
