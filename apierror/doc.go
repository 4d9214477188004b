// Package apierror is the error type for the error responses of Globus Auth and
// other Globus services.
//
// Every failed call of this module returns an [*Error], whatever its document: Globus Auth's "errors" document, an OAuth2 error (RFC 6749
// section 5.2), the code, message and request_id of other Globus services, a
// JSON:API document, a requirements error (GARE) in its current form or one of
// its older ones, or a page of HTML from a proxy.
//
// # Classes
//
// Test for a class of errors with [errors.Is]:
//
//	if errors.Is(err, apierror.ErrNotFound) { ... }
//
// Classes named after an HTTP status ([ErrNotFound], [ErrRateLimited], ...)
// match the status alone. Classes named after an OAuth2 or OpenID Connect
// error code ([ErrInvalidGrant], [ErrAccessDenied], ...) match the code.
// [errors.AsType] or [errors.As] give access to the fields.
//
// # Authorization requirements
//
// A service can require another login of the user with certain properties, or
// consent to more scopes. Such an error matches [ErrAuthorizationRequired]
// and has [AuthorizationParameters] for the next login. [Requirements]
// reads them from the body of any Globus service.
//
// # Printing
//
// [Error.Error] is one line of valid UTF-8, at most 1200 bytes long: the operation,
// the code and message of the service, status, request ID, and for common classes
// what to do next. Text from the service is shortened and has no control characters.
// Printed, logged and JSON forms of an error never contain the body or headers of the
// response; read them with [Error.Body] and [Error.Header].
package apierror
