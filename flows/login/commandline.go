package login

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/idtoken"
	"github.com/globusauth/globusauth/tokens"
)

const (
	heading = "Please authenticate with Globus here:"
	prompt  = "Enter the resulting Authorization Code here: "
	// maxAttempts ends the questions of a program that feeds us something else.
	maxAttempts = 10
)

// CommandLine is the [Manager] that prints the link and reads what the person
// copies from the browser: the code, or the whole address of the page that shows
// it. Input that cannot be a code is explained, and asked for again.
//
// The zero value uses standard input and standard error.
type CommandLine struct {
	// In is what the person types. Nil means os.Stdin. No more than the line that
	// is needed is read.
	//
	// When the context ends, a read that cannot be interrupted goes on in the
	// background, and takes the next line that comes: a terminal is of that kind, a
	// pipe or another reader with a working SetReadDeadline is not.
	In io.Reader
	// Out shows link and question. Nil means os.Stderr.
	Out io.Writer
	// Timeout is how long the person may take. Zero means one hour.
	Timeout time.Duration
}

var _ Manager = CommandLine{}

// Login prints the link and reads the code. Besides the errors of
// [flows.Login.Finish] there are [ErrNoInput] and [ErrTimeout].
func (c CommandLine) Login(ctx context.Context, start Start) (tokens.Set, *idtoken.Claims, error) {
	if c.In == nil {
		c.In = os.Stdin
	}
	if c.Out == nil {
		c.Out = os.Stderr
	}
	login, err := start("")
	if err != nil {
		return tokens.Set{}, nil, err
	}
	rule := strings.Repeat("-", len(heading))
	if _, err := fmt.Fprintf(c.Out, "%s\n%s\n%s\n%s\n\n", heading, rule, login.URL(), rule); err != nil {
		return tokens.Set{}, nil, fmt.Errorf("login: show the link: %w", err)
	}
	wait, cancel := limit(ctx, c.Timeout)
	defer cancel()
	for range maxAttempts {
		_, _ = io.WriteString(c.Out, prompt)
		line, err := readLine(wait, c.In)
		if err != nil {
			_, _ = io.WriteString(c.Out, "\n")
			return tokens.Set{}, nil, err
		}
		// The exchange is not cut off when the time to type is over.
		set, claims, err := finishTyped(ctx, login, line)
		if err == nil || !mistyped(err) {
			return set, claims, err
		}
		problem := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "flows: finish login: "), "login: ")
		if _, err := fmt.Fprintln(c.Out, problem); err != nil {
			return tokens.Set{}, nil, fmt.Errorf("login: ask again: %w", err)
		}
	}
	return tokens.Set{}, nil, fmt.Errorf("login: read the code: nothing usable in %d lines: %w", maxAttempts, ErrNoInput)
}

// errNotCallback is input that is not a response to the login.
var errNotCallback = errors.New("login: this is neither the code nor the address of the page that shows it")

// mistyped reports errors that leave the login as it was: nothing was sent.
func mistyped(err error) bool {
	check, _ := errors.AsType[flows.CheckError](err)
	switch check {
	case flows.ErrCallback, flows.ErrState:
		return true
	}
	return errors.Is(err, errNotCallback)
}

// finishTyped completes the login with what the person typed.
func finishTyped(ctx context.Context, login flows.Login, typed string) (tokens.Set, *idtoken.Claims, error) {
	callback, err := readAnswer(typed, login.RedirectURI())
	if err != nil {
		return tokens.Set{}, nil, err
	}
	return finish(ctx, login, callback)
}

// readAnswer understands a code, or the address that a browser was sent to
// after the login with this redirect URI.
func readAnswer(typed, redirectURI string) (url.Values, error) {
	// Pages and terminals leave more than spaces around what is copied.
	text := strings.TrimFunc(typed, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsGraphic(r) })
	if !strings.Contains(text, "://") {
		if callback, err := url.ParseQuery(strings.TrimPrefix(text, "?")); err == nil && callback.Get("code") != "" {
			return callback, nil
		}
		return url.Values{"code": {text}}, nil
	}
	redirect, err := url.Parse(redirectURI)
	if err != nil {
		return nil, fmt.Errorf("login: read the redirect URI: %w", err)
	}
	// The parser's own error would show the code.
	given, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%w: it cannot be read as an address; copy it whole", errNotCallback)
	}
	if !strings.EqualFold(given.Scheme, redirect.Scheme) || !strings.EqualFold(given.Host, redirect.Host) || pathOf(given) != pathOf(redirect) {
		return nil, fmt.Errorf("%w: after the login the browser shows %s://%s%s", errNotCallback, redirect.Scheme, redirect.Host, redirect.Path)
	}
	callback, err := url.ParseQuery(given.RawQuery)
	if err != nil || (!callback.Has("code") && !callback.Has("error")) {
		return nil, fmt.Errorf("%w: it holds no code; copy it whole", errNotCallback)
	}
	return callback, nil
}

// pathOf is the path that a browser asks for.
func pathOf(u *url.URL) string {
	if u.Path == "" {
		return "/"
	}
	return u.Path
}
