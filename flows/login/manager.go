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
	// timeout is how long a person may take.
	timeout = time.Hour
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

// Manager runs one login of a client with a user, such as [CommandLine], [Loopback] and
// [Func].
type Manager interface {
	// Login starts a login, waits for the person and finishes. It waits for the
	// person no longer than ctx, and at most one hour. Once the code is sent, it waits
	// for the response (at most 30 s after ctx has ended) and returns what
	// [flows.Login.Finish] returned: the tokens exist by then, so store or revoke them.
	Login(ctx context.Context, config flows.Config, options ...flows.StartOption) (tokens.Set, *idtoken.Claims, error)
}

// Func is a [Manager] made of a function, which is called with the link and returns the
// address to which the browser was sent after the login.
type Func func(ctx context.Context, link string) (callback *url.URL, err error)

// Login calls the function, and finishes with the address that it returns.
func (f Func) Login(ctx context.Context, config flows.Config, options ...flows.StartOption) (tokens.Set, *idtoken.Claims, error) {
	login, err := config.Start(options...)
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
		return tokens.Set{}, nil, waited(ctx)
	}
	detached, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(finishGrace, cancel) })()
	if callback.Has("state") || callback.Has("error") {
		return login.Finish(detached, callback)
	}
	// FinishCode refuses a login whose redirect brings back a state.
	return login.FinishCode(detached, callback.Get("code"))
}

// limit bounds how long a person may take.
func limit(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, timeout, ErrTimeout)
}

// waited is the error of a wait that is over.
func waited(ctx context.Context) error {
	return fmt.Errorf("login: wait for the person: %w", context.Cause(ctx))
}
