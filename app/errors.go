package app

import (
	"errors"
	"fmt"

	"github.com/globusauth/globusauth/tokens"
)

// Why a login is needed. An error of this kind is a tokens.ErrLoginRequired too.
var (
	// ErrMissingToken says that no token is stored for what is needed.
	ErrMissingToken = errors.New("no token is stored")
	// ErrTokenExpired says that a token has expired and cannot be renewed.
	ErrTokenExpired = errors.New("the token has expired")
	// ErrMissingRefreshToken says that a token cannot be renewed, though the app
	// asks for refresh tokens.
	ErrMissingRefreshToken = errors.New("there is no refresh token")
	// ErrUnmetScopes says that scopes the app needs, or scopes they depend on,
	// were not granted.
	ErrUnmetScopes = errors.New("scopes were not granted")
	// ErrIdentityMismatch says that tokens belong to another person than those
	// already stored, or to a person where the client's own belong, or the other way
	// round. No login resolves it: log out first, or use another Namespace.
	ErrIdentityMismatch = tokens.ErrIdentityMismatch
)

// required makes the error of one reason to log in.
func required(reason error, format string, args ...any) error {
	return fmt.Errorf("%w: %w: %w", tokens.ErrLoginRequired, reason, fmt.Errorf(format, args...))
}
