// Package resourceserver protects an API with Globus Auth access tokens: scopes,
// authentication policies, fresh sessions, groups, and dependent tokens to call
// other services for the caller.
//
// An [API] introspects each token (RFC 7662), caches the result for a short time,
// and applies rules. [API.Protect] wraps an http.Handler:
//
//	api, err := resourceserver.New(resourceserver.Config{
//		OAuth: oauth, // a flows.Config with a ClientSecret; its ClientID is the audience
//		Rules: []resourceserver.Rule{resourceserver.AllScopes(jobs)},
//	})
//	mux.Handle("/jobs", api.Protect(list))
//	mux.Handle("/admin", api.Protect(admin, resourceserver.Fresh(15*time.Minute)))
//
// # Rules
//
// A [Rule] is one condition. The rules of the Config apply to every request, those
// given to Protect to one handler. All must be met. Rules run in order, except
// that rules that send requests ([AnyGroup], [AnyPrincipal]) run last.
//
// Rules about the session ([Fresh], [MFA], [SessionDomains], [SessionProviders],
// [SessionIdentities]) must all be met by one authentication of the session:
// Fresh with SessionDomains("example.edu") requires a recent login at example.edu.
//
// # Responses
//
// A request without a valid token gets status 401 and a WWW-Authenticate header
// (RFC 6750 section 3). A caller that does not meet a rule gets 403. If a new login
// can change that, the body is a Globus Auth Requirements Error (GARE) with all
// requirements of the request that are not met, so that one login is enough; a
// program that uses package app performs it and retries. If Globus Auth or Globus
// Groups does not respond, the status is 503: no request is let through on an outage.
//
// CORS: a preflight request carries no token. Wrap the CORS handler around Protect.
//
// # Limits
//
// Tokens come from the Authorization header only. Neither the cache nor a log
// contains a token. A token that was revoked is accepted until its cached
// introspection expires, 30 s by default.
package resourceserver
