// Package app joins a login, a store and renewal in one object: [User] for a
// person's tool or session, [Service] for a program with credentials of its own.
//
//	user, err := app.NewUser(app.Config{ClientID: id, Name: "my-tool", Scopes: scopes.List{scopes.TransferAll}})
//	client, err := user.HTTPClient(ctx, "transfer.api.globus.org")
//
// The first run opens the browser. Later runs, and other processes, find the
// tokens in the store, renew them when they are due, and share what one of them got.
//
// # When a login is needed
//
// [User.LoginRequired] says why stored tokens do not do: [ErrMissingToken],
// [ErrTokenExpired], [ErrMissingRefreshToken], [ErrUnmetScopes] or
// [ErrIdentityMismatch]; each is a tokens.ErrLoginRequired as well. Whatever
// needs a token logs in then, unless [Config.NoLogin] says that only
// [User.Login] may.
//
// # When a service wants more
//
// A Globus service may refuse a request until the person logs in again in a particular
// way, or consents to more (GARE, status 403). The clients of [User.HTTPClient]
// turn such an answer into an *apierror.Error that is an
// apierror.ErrAuthorizationRequired; with [Config.RedriveGAREs] they run that
// login first and repeat the request.
package app
