package login

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/idtoken"
	"github.com/globusauth/globusauth/tokens"
)

const (
	defaultTimeout = time.Hour
	// finishGrace is how long an exchange that was sent may go on after its caller
	// has stopped waiting.
	finishGrace = 30 * time.Second
)

var (
	// ErrTimeout says that the person did not finish in time.
	ErrTimeout = errors.New("the login was not finished in time; start it again")
	// ErrNoInput says that the input ended before a code came, as that of a
	// program without a terminal does.
	ErrNoInput = errors.New("the input ended and no code came; log in where a code can be typed")
)

// Manager brings a person through one login. [CommandLine], [Loopback] and [Func]
// are three.
type Manager interface {
	// Login starts a login, waits for the person and finishes. It waits for the
	// person no longer than ctx. Once the code is sent, it waits for the response (at
	// most 30 s after ctx has ended) and returns what [flows.Login.Finish] returned:
	// the tokens exist by then, so store or revoke them.
	Login(ctx context.Context, start Start) (tokens.Set, *idtoken.Claims, error)
}

// Start begins a login at a redirect URI; empty means the one that the
// configuration names itself. [With] makes one.
type Start func(redirectURI string) (flows.Login, error)

// With makes the Start of a client, with the options of this login.
func With(config flows.Config, options ...flows.StartOption) Start {
	return func(redirectURI string) (flows.Login, error) {
		config := config
		if redirectURI != "" {
			config.RedirectURI = redirectURI
		}
		return config.Start(options...)
	}
}

// Func is the [Manager] that leaves the person to a function. It is called with
// the link, and returns the address to which the browser was sent after the login.
type Func func(ctx context.Context, link string) (callback *url.URL, err error)

var _ Manager = Func(nil)

// Login calls the function, and finishes with the address that it returns.
func (f Func) Login(ctx context.Context, start Start) (tokens.Set, *idtoken.Claims, error) {
	login, err := start("")
	if err != nil {
		return tokens.Set{}, nil, err
	}
	callback, err := f(ctx, login.URL())
	if err != nil {
		return tokens.Set{}, nil, err
	}
	return finish(ctx, login, callback.Query())
}

// finish completes the login with what came to its redirect URI, or with the code
// alone where the service's own page shows it. The end of ctx does not interrupt an
// exchange: its code is used up and its tokens are issued.
func finish(ctx context.Context, login flows.Login, callback url.Values) (tokens.Set, *idtoken.Claims, error) {
	if ctx.Err() != nil {
		return tokens.Set{}, nil, ended(ctx, "the login")
	}
	detached, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(finishGrace):
			cancel()
		case <-detached.Done():
		}
	})
	defer stop()
	if callback.Has("state") || callback.Has("error") {
		return login.Finish(detached, callback)
	}
	// FinishCode refuses a login whose redirect brings back a state.
	return login.FinishCode(detached, callback.Get("code"))
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
