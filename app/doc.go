// Package app joins a login, a store and renewal in one object, [App]: made by [NewUser]
// for a person's tool or session, by [NewService] for a program with credentials of its own.
//
//	user, err := app.NewUser(app.Config{ClientID: id, Name: "my-tool", Scopes: scopes.List{scopes.TransferAll}})
//	defer user.Close(ctx) // waits for a renewal in progress
//	client, err := user.HTTPClient(ctx, "transfer.api.globus.org")
//
// The first run opens the browser. Later runs, and other processes, find the
// tokens in the store, renew them when they are due, and share what one of them got.
//
// # When a login is needed
//
// [App.LoginRequired] says why stored tokens are not sufficient: [ErrMissingToken],
// [ErrTokenExpired], [ErrMissingRefreshToken], [ErrUnmetScopes] or [ErrIdentityMismatch];
// each is a tokens.ErrLoginRequired as well. Any call that needs a token then logs in,
// unless [Config.NoLogin] is set.
//
// # When a service wants more
//
// A Globus service may refuse a request until the person logs in again in a particular
// way, or consents to more (GARE, status 403). The clients of [App.HTTPClient]
// turn such a response into an *apierror.Error that is an
// apierror.ErrAuthorizationRequired; with [Config.RedriveGAREs] they run that
// login first and retry the request.
//
// Scopes that a service demands are not added to those of the program: a user sees them and consents to
// them for that login alone; a service account requests only those that its program named. Otherwise any
// service that receives one token could make the program request others.
package app
