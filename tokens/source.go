package tokens

import (
	"context"
	"errors"
)

// ErrLoginRequired says that a token cannot be renewed without a new login: there
// is none stored, it has no refresh token, or the service refused the refresh
// token for good.
var ErrLoginRequired = errors.New("a new login is needed")

// ErrIdentityMismatch says that tokens belong to another identity than the one
// wanted, or than the one they would stand beside. It comes with [ErrLoginRequired], but
// a login alone does not resolve it: log out first, or use another namespace.
var ErrIdentityMismatch = errors.New("these are another identity's tokens")

// Source gives a usable token for one resource server. Implementations are safe
// for concurrent use, and each call waits no longer than its own context.
type Source interface {
	Token(ctx context.Context) (Token, error)
}

// Renewer is a [Source] that can replace a token before its time, for when a
// service has rejected with 401.
type Renewer interface {
	// Renew returns a token other than rejected: the one another caller has
	// put in its place already, or a new one.
	Renew(ctx context.Context, rejected Token) (Token, error)
}
