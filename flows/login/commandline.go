package login

import (
	"cmp"
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
	// maxAttempts is how many lines are read of a program that writes something else.
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
	// When the context ends, a read that cannot be interrupted, such as of a terminal,
	// continues in the background and takes the next line. A pipe or another reader
	// with a working SetReadDeadline is interrupted.
	In io.Reader
	// Out shows link and question. Nil means os.Stderr.
	Out io.Writer
}

// Login prints the link and reads the code. Besides the errors of
// [flows.Login.Finish] there are [ErrNoInput] and [ErrTimeout].
func (c CommandLine) Login(ctx context.Context, config flows.Config, options ...flows.StartOption) (tokens.Set, *idtoken.Claims, error) {
	c.In, c.Out = cmp.Or[io.Reader](c.In, os.Stdin), cmp.Or[io.Writer](c.Out, os.Stderr)
	login, err := config.Start(options...)
	if err != nil {
		return tokens.Set{}, nil, err
	}
	rule := strings.Repeat("-", len(heading))
	if _, err := fmt.Fprintf(c.Out, "%s\n%s\n%s\n%s\n\n", heading, rule, login.URL(), rule); err != nil {
		return tokens.Set{}, nil, fmt.Errorf("login: show the link: %w", err)
	}
	wait, cancel := limit(ctx)
	defer cancel()
	var set tokens.Set
	var claims *idtoken.Claims
	err = ask(wait, c.In, c.Out, prompt, login.RedirectURI(), func(callback url.Values) (err error) {
		set, claims, err = finish(wait, login, callback)
		return err
	})
	return set, claims, err
}

// ask reads lines for a login with this redirect URI, until finish has ended it.
func ask(ctx context.Context, in io.Reader, out io.Writer, prompt, redirectURI string, finish func(callback url.Values) error) error {
	for range maxAttempts {
		_, _ = io.WriteString(out, prompt)
		line, err := readLine(ctx, in)
		if err != nil {
			if prompt != "" {
				_, _ = io.WriteString(out, "\n")
			}
			return err
		}
		callback, err := readTyped(line, redirectURI)
		if err == nil {
			if err = finish(callback); !mistyped(err) {
				return err
			}
		}
		if strings.TrimSpace(line) != "" {
			_, _ = fmt.Fprintln(out, strings.TrimPrefix(err.Error(), "flows: finish login: "))
		}
	}
	return fmt.Errorf("login: read the code: nothing usable in %d lines: %w", maxAttempts, ErrNoInput)
}

// mistyped reports errors that leave the login as it was: nothing was sent.
func mistyped(err error) bool {
	return errors.Is(err, flows.ErrCallback) || errors.Is(err, flows.ErrState)
}

// readTyped reads a code, or the address to which a browser was sent after the login
// with this redirect URI.
func readTyped(typed, redirectURI string) (url.Values, error) {
	// Pages and terminals leave more than spaces around what is copied.
	text := strings.TrimFunc(typed, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsGraphic(r) })
	if !strings.Contains(text, "://") {
		return url.Values{"code": {text}}, nil
	}
	page, _, _ := strings.Cut(redirectURI, "?")
	page = strings.TrimSuffix(page, "/")
	if given, err := url.Parse(text); err == nil && strings.TrimSuffix(given.Scheme+"://"+given.Host+given.EscapedPath(), "/") == page {
		if callback, err := url.ParseQuery(given.RawQuery); err == nil && (callback.Has("code") || callback.Has("error")) {
			return callback, nil
		}
	}
	return nil, fmt.Errorf("this is not the address of the login; copy the whole address that the browser shows after it, which begins with %s", page)
}

// maxLine is the longest line that is read, in bytes: an address with a code of
// the greatest length has room.
const maxLine = 16 << 10

// readLine reads one line, and nothing after it, for as long as ctx allows.
func readLine(ctx context.Context, in io.Reader) (string, error) {
	if ctx.Err() != nil {
		return "", waited(ctx)
	}
	var line string
	var err error
	done := make(chan struct{})
	go func() {
		line, err = scanLine(in)
		close(done)
	}()
	select {
	case <-done:
		if err != nil {
			return "", fmt.Errorf("login: read the code: %w", err)
		}
		return line, nil
	case <-ctx.Done():
	}
	if file, ok := in.(interface{ SetReadDeadline(time.Time) error }); ok && file.SetReadDeadline(time.Unix(1, 0)) == nil {
		<-done
		_ = file.SetReadDeadline(time.Time{})
	}
	return "", waited(ctx)
}

// scanLine reads byte by byte, since what follows the line belongs to the program.
func scanLine(in io.Reader) (string, error) {
	var line strings.Builder
	for one := make([]byte, 1); line.Len() <= maxLine; line.WriteByte(one[0]) {
		_, err := io.ReadFull(in, one)
		end := errors.Is(err, io.EOF)
		switch {
		case end && strings.TrimSpace(line.String()) == "":
			return "", ErrNoInput
		case end || (err == nil && one[0] == '\n'):
			return line.String(), nil
		case err != nil:
			return "", err
		}
	}
	return "", fmt.Errorf("the line is longer than %d bytes", maxLine)
}

// terminal returns the terminal and how to close it, nil if standard input is not a
// terminal.
func terminal() (in io.Reader, release func()) {
	release = func() {}
	info, err := os.Stdin.Stat()
	null, _ := os.Stat(os.DevNull)
	if err != nil || info.Mode()&os.ModeCharDevice == 0 || os.SameFile(info, null) {
		return nil, release
	}
	// Reading a file of our own can be interrupted, so that no later line is lost.
	if tty, err := os.Open("/dev/tty"); err == nil {
		return tty, func() { _ = tty.Close() }
	}
	return os.Stdin, release
}
