// Package globusauth is a client for Globus Auth, the identity and access
// service of Globus: one typed method for each operation of its API.
//
//	client, err := globusauth.New(globusauth.Config{Credentials: globusauth.Bearer(token)})
//	list, err := client.GetIdentities(ctx, &gen.GetIdentitiesParams{Usernames: []string{"go@globusid.org"}})
//
// # Packages
//
// Most programs use the packages that are built on this one:
//
//   - app: login, storage and renewal of tokens in one object;
//   - flows and flows/login: logins and the other OAuth2 grants;
//   - tokens: one token per resource server, stored and refreshed;
//   - idtoken: verification of ID tokens;
//   - identitymap: identities by username or ID, in batches and cached;
//   - scopes and consents: scope strings, and the consents of a person;
//   - authtest: a test double of Globus Auth.
//
// # Operations
//
// The methods of [Client] are generated from the OpenAPI document
// spec/auth.openapi.yaml, which names the credentials that each one takes. Types
// of requests and responses are in package gen. Reading them needs no pointers:
// what is absent or null in a response is the zero value. Where an update tells
// absent from null, the field is a nullable.Nullable:
//
//	gen.PolicyUpdate{DomainConstraintsInclude: nullable.NewNullNullable[[]string]()}
//
// Fields, values and query parameters that the document does not know never
// fail a call; [WithQuery], [WithHeader] and [WithBodyMember] send them,
// and [WithResponse] gives the response as it was received.
//
// # Errors
//
// A status outside 2xx is an [*apierror.Error], to be checked with errors.Is
// and the classes of package apierror. Without a response, the error is
// one of this package, of net/http or of the context. No error holds a secret, a
// body, or a URL with its query.
//
// # Requests
//
// Credentials go to the host of the base URL only: a redirect to another host is
// [ErrRedirect]. Failed requests are retried as [RetryPolicy] says, a 401 once
// if the credentials can be renewed. Responses are limited in size. Nothing runs
// in the background, and nothing is global.
package globusauth
