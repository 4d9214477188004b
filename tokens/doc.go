// Package tokens stores access tokens, renews them in time, and sends them only to the
// hosts they are meant for.
//
// # Values
//
// A [Token] is for one resource server; a [Set] holds the tokens of one login, found by
// resource server or by scope. Both are immutable, safe to share and safe to
// print: their secrets show only in [Set.MarshalStorage]. [Salvage] makes a set of what is usable in a
// response. [OAuth2] makes them usable where golang.org/x/oauth2 is expected.
//
// # Stores
//
// A [Store] keeps sets. Its one operation that matters, Update, is exclusive and
// durable, so that two processes never use one refresh token. [Memory] is the
// store for one process; the packages below this one are durable.
//
// # Sources
//
// A [Refreshing] keeps one token of a store usable, renewing it inside Update; a
// program waits for renewals in flight with [Refreshing.Wait] before it exits. A [Transport] sends the token of
// any [Source] to the hosts it is meant for; [Static] is a source of one token.
package tokens
