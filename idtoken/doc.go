// Package idtoken verifies the ID tokens of Globus Auth (OpenID Connect Core
// 1.0) and gives their claims.
//
// # One call
//
// [New] checks a [Config] and makes a [Verifier], one per client ID, kept as long
// as the program runs. [Verifier.Verify] then makes every check in one call and
// returns typed [Claims]:
//
//	verifier, err := idtoken.New(idtoken.Config{ClientID: clientID})
//	claims, err := verifier.Verify(ctx, raw, idtoken.Expect{Nonce: nonce, AccessToken: access})
//
// All checks are always on: the form of the token, its algorithm, its signature, iss,
// aud, azp, exp, iat, nbf, sub, and, as [Expect] says, nonce, at_hash and the time of
// authentication. Claims that no check needs are read leniently: one of another JSON type
// than its field reads as absent.
//
// # Errors
//
// A refused token is a [CheckError] that names the check; an expired one is
// [ErrExpired]. Keys that could not be fetched are [ErrUnavailable], which says nothing
// about the token.
// No error holds the token, the nonce or the access token.
//
// # Keys
//
// The verifier finds the provider's keys through its discovery document, shares one
// fetch among all callers, keeps the keys as long as Cache-Control says, between 5 minutes
// and 24 hours and else for one hour, and uses the last good ones during an outage
// of up to 24 hours. Globus Auth publishes its key without a kid and signs without one; keys
// without a kid are tried in turn. With [Options.JWKS] nothing is fetched at all. Nothing
// runs in the background between calls.
//
// A token that no known key verifies and that passes every other check causes a search for
// newer keys: at most one in 10 seconds for tokens with the nonce of their login, and one
// for those of callers that expect no nonce. So a forger can cause at most 6 requests a
// minute, can delay a login that began after the key was replaced by no more than the one
// fetch under way, and other tokens of the new key by at most 10 seconds.
package idtoken
