package tokens

import (
	"context"
	"errors"
)

// ErrLoginRequired says that a new login is required: no token is stored, it cannot
// be refreshed, or the service refused the refresh token for good.
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

// SourceFunc is a function as a [Source].
type SourceFunc func(ctx context.Context) (Token, error)

// Token calls the function.
func (f SourceFunc) Token(ctx context.Context) (Token, error) { return f(ctx) }

// Static is a source of one token, which is never renewed, such as one from an environment variable for
// a [Transport]: oauth2.StaticTokenSource is not a [Source], and does not know which hosts its token is meant for.
func Static(token Token) SourceFunc {
	return func(context.Context) (Token, error) { return token, nil }
}

// Renewer is a [Source] that can replace a token before it is due, after a
// service has rejected it with status 401.
type Renewer interface {
	// Renew returns a token other than rejected: a new one, or the one that another
	// caller has obtained meanwhile.
	Renew(ctx context.Context, rejected Token) (Token, error)
}
