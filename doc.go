// Package globusauth is a client for Globus Auth, the identity and access
// service of Globus: one typed method for each operation of its API.
//
//	client, err := globusauth.New(globusauth.Config{Credentials: globusauth.Bearer(token)})
//	list, err := client.GetIdentities(ctx, &gen.GetIdentitiesParams{Usernames: []string{"go@globusid.org"}})
//
// # Where to go from here
//
// Most programs use the packages that stand on this one:
//
//   - flows: logins and the other OAuth2 grants, tokens in return;
//   - tokens: what a login gives, one token per resource server, kept and refreshed;
//   - idtoken: who has logged in, verified;
//   - identitymap: usernames and identity IDs, resolved by the thousand;
//   - scopes and consents: what was asked for, and what was allowed;
//   - authtest: a Globus Auth in your process, for tests.
//
// # Operations
//
// The methods of [Client] are generated from the OpenAPI document
// spec/auth.openapi.yaml, which names the credentials that each one takes. Types
// of requests and answers are in package gen. Reading them needs no pointers:
// what is absent or null in an answer is the zero value. Where an update tells
// absent from null, the field is a nullable.Nullable:
//
//	gen.PolicyUpdate{DomainConstraintsInclude: nullable.NewNullNullable[[]string]()}
//
// Members, values and query parameters that the document does not know never
// fail a call; [WithQuery], [WithHeader] and [WithBodyMember] send such ones,
// and [WithResponse] gives the answer as it came.
//
// # Errors
//
// A status outside 2xx is an [*apierror.Error], to be tested for with errors.Is
// and the classes of package apierror. What never became an answer is an error
// of this package, of net/http or of the context. No error holds a secret, a
// body, or a URL with its query.
//
// # What happens on the way
//
// Credentials go to the host of the base URL only: a redirect to another host is
// [ErrRedirect]. Failed requests are repeated as [RetryPolicy] says, a 401 once
// if the credentials can be renewed. Answers are limited in size. Nothing runs
// in the background, and nothing is global.
package globusauth
