// Package apierror is the one error type for everything that Globus Auth, and
// the Globus services beside it, can return instead of a result.
//
// Every failed call of this module yields an [*Error], whatever the document
// behind it was: Globus Auth's "errors" document, an OAuth2 error (RFC 6749
// section 5.2), the code, message and request_id of other Globus services, a
// JSON:API document, a requirements error (GARE) in its current form or one of
// its older ones, or a page of HTML from a proxy.
//
// # Which error is it
//
// A class of errors is tested for with [errors.Is]:
//
//	if errors.Is(err, apierror.ErrNotFound) { ... }
//
// Classes named after an HTTP status ([ErrNotFound], [ErrRateLimited], ...)
// look at the status alone. Classes named after an OAuth2 or OpenID Connect
// error code ([ErrInvalidGrant], [ErrLoginRequired], ...) look at the code.
// The fields are reached with [errors.AsType] or [errors.As].
//
// # When the service wants more authorization
//
// A service may say that the person has to log in again in a particular way, or
// has to consent to more scopes. Such an error matches [ErrAuthorizationRequired]
// and carries [AuthorizationParameters] for the next login. [Requirements]
// reads them from the body of any Globus service.
//
// # What is printed
//
// [Error.Error] is one line of valid UTF-8, at most 1200 bytes long: what was
// attempted, code and message of the service, status, request ID, and for the
// common classes what to do next. Text from the service is stripped of control
// characters and shortened. The body and the headers of the response appear in
// no printed, logged or JSON form of an error; a program reads them with
// [Error.Body] and [Error.Header].
package apierror
