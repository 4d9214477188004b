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
//   - scopes and consents: scope strings, and the consents of a user;
//   - resourceserver: protection of an API by Globus tokens;
//   - authtest: a test double of Globus Auth.
//
// # Operations
//
// The methods of [Client] are generated from the OpenAPI document
// spec/auth.openapi.yaml, which names the credentials that each one takes. Types
// of requests and responses are in package gen. Responses have no pointers:
// an absent or null field is the zero value. Fields of an update that distinguish
// absent from null are a nullable.Nullable:
//
//	gen.PolicyUpdate{DomainConstraintsInclude: nullable.NewNullNullable[[]string]()}
//
// Unknown fields and values of a response never fail a call. [WithQuery] and
// [WithBodyField] send what the spec does not describe, and [WithResponse] gives the
// undecoded response.
//
// # Errors
//
// A status outside 2xx is an [*apierror.Error]; check it with errors.Is and the
// classes of package apierror. Without a response, the error wraps one of this
// package, of net/http or of the context. No error contains a secret, a body, or
// a URL with its query.
//
// # Requests
//
// Credentials go to the host of the base URL only: a redirect to another host is
// [ErrRedirect]. Failed requests are retried as [Config.MaxRetries] says, a 401 once
// if the credentials can be renewed. Responses are limited in size. Nothing runs
// in the background. Clients without an HTTPClient and TLS settings share connections;
// nothing else is global.
package globusauth
