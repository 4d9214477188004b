package login

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/tokens"
)

const defaultTimeout = time.Hour

var (
	// ErrTimeout says that the person did not finish in time.
	ErrTimeout = errors.New("the login was not finished in time; start it again")
	// ErrNoInput says that the input ended before a code came, as that of a
	// program without a terminal does.
	ErrNoInput = errors.New("the input ended and no code came; log in where a code can be typed")
)

// Manager brings a person through one login. [CommandLine] and [Loopback] are two.
type Manager interface {
	// Login starts a login, waits for the person and finishes. It waits no longer
	// than ctx.
	Login(ctx context.Context, start Start) (tokens.Set, error)
}

// Start begins a login at a redirect URI; empty means the one that the flow
// names itself. [Native] and [Confidential] make one.
type Start func(redirectURI string) (flows.Login, error)

// Native makes the Start of a native client, with the options of this login.
func Native(flow flows.Native, options ...flows.StartOption) Start {
	return func(redirectURI string) (flows.Login, error) {
		flow := flow
		if redirectURI != "" {
			flow.RedirectURI = redirectURI
		}
		return flow.Start(options...)
	}
}

// Confidential makes the Start of a client with a secret, with the options of
// this login.
func Confidential(flow flows.Confidential, options ...flows.StartOption) Start {
	return func(redirectURI string) (flows.Login, error) {
		flow := flow
		if redirectURI != "" {
			flow.RedirectURI = redirectURI
		}
		return flow.Start(options...)
	}
}

// limit bounds how long a person may take.
func limit(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if timeout == 0 {
		timeout = defaultTimeout
	}
	return context.WithTimeoutCause(ctx, timeout, ErrTimeout)
}

// ended is the error of a wait that is over.
func ended(ctx context.Context, what string) error {
	return fmt.Errorf("login: wait for %s: %w", what, context.Cause(ctx))
}
