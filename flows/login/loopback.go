package login

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/pkg/browser"

	"github.com/globusauth/globusauth/idtoken"
	"github.com/globusauth/globusauth/tokens"
)

// openPatience is how long a browser may take not to open.
const openPatience = 2 * time.Second

// Loopback is the [Manager] that opens the browser and receives the callback on
// this machine (RFC 8252 section 7.3). The link is shown as well. Over SSH, and
// where there is no graphical browser or none opens, Fallback takes over.
//
// While it waits it accepts one callback, that with the state of its login, once
// it is finished, with a page that says how; every other request is refused and
// ends nothing. It serves only requests whose Host is the redirect URI's, so that
// no web site can reach it by a name of its own. When Login returns, nothing
// listens any more.
//
// The zero value is ready for a native client.
type Loopback struct {
	// Name is the name of the program on the page. Empty means "the program".
	Name string
	// Host is the host of the redirect URI: "127.0.0.1", which empty means, "::1", or
	// "localhost", for which both are listened on, where the machine has both.
	Host string
	// Port is the port of the redirect URI. Zero means any free one, which Globus
	// allows to native clients.
	Port int
	// Open opens the browser. Nil means the system's default browser. It may return
	// when the browser ends: the login goes on meanwhile, and so does a
	// call of Open that the login outruns.
	Open func(url string) error
	// In is where the person may paste the address that the browser ends on, while it
	// cannot reach this machine. The callback or a line, what comes first, wins. Nil, and
	// os.Stdin, mean the terminal, if standard input is one; otherwise nothing is read.
	// See [CommandLine.In] about reads that cannot be interrupted.
	In io.Reader
	// Out shows the link. Nil means os.Stderr.
	Out io.Writer
	// Hint is a sentence below the link, such as the name of the program's option for
	// a login without a browser. Empty means none.
	Hint string
	// Timeout is how long the person may take. Zero means one hour.
	Timeout time.Duration
	// Getenv reads the environment: SSH_TTY, SSH_CONNECTION, BROWSER, and, where a
	// desktop may be missing, DISPLAY, WAYLAND_DISPLAY and WSL_DISTRO_NAME. Programs
	// give os.Getenv. Nil means that a browser is tried anyhow.
	Getenv func(name string) string
	// Fallback takes over where no browser opens. Nil means a [CommandLine] with
	// the same In, Out and Timeout. It starts a login of its own.
	Fallback Manager
}

var _ Manager = Loopback{}

// Login opens the browser and waits for the callback. Besides the errors of
// [flows.Login.Finish] there are [ErrTimeout], those of listening, and those of
// Fallback.
func (l Loopback) Login(ctx context.Context, start Start) (tokens.Set, *idtoken.Claims, error) {
	if l.Out == nil {
		l.Out = os.Stderr
	}
	if l.Open == nil {
		l.Open = browser.OpenURL
	}
	if l.Name == "" {
		l.Name = "the program"
	}
	if reason := l.noBrowser(); reason != "" {
		return l.fallBack(ctx, start, reason)
	}
	set, claims, err := l.browse(ctx, start)
	if failure, ok := errors.AsType[*openError](err); ok {
		return l.fallBack(ctx, start, failure.Error())
	}
	return set, claims, err
}

// openError is a browser that did not open.
type openError struct{ err error }

func (e *openError) Error() string { return "no browser opens" }
func (e *openError) Unwrap() error { return e.err }

func (l Loopback) browse(ctx context.Context, start Start) (tokens.Set, *idtoken.Claims, error) {
	r, err := l.listen(ctx)
	if err != nil {
		return tokens.Set{}, nil, fmt.Errorf("login: listen for the callback: %w", err)
	}
	defer r.close(ctx)
	login, err := start(r.redirect.String())
	if err != nil {
		return tokens.Set{}, nil, err
	}
	r.serve(login.State())
	wait, cancel := limit(ctx, l.Timeout)
	defer cancel()
	typed := l.listenToTerminal(wait)
	defer typed.close()
	text := "Opening the browser for the login with Globus. If none opens, visit:\n" + login.URL() + "\n"
	if typed.in != nil {
		text += "If the browser cannot reach this machine, paste here the address that it ends on.\n"
	}
	if l.Hint != "" {
		text += l.Hint + "\n"
	}
	if _, err := io.WriteString(l.Out, text); err != nil {
		return tokens.Set{}, nil, fmt.Errorf("login: show the link: %w", err)
	}
	opened := make(chan error, 1)
	go func() { opened <- l.Open(login.URL()) }()
	// A fallback reads as well: not before it is clear that there is none.
	patience := time.After(openPatience)
	for {
		select {
		case callback := <-r.callback:
			set, claims, err := finish(ctx, login, callback)
			r.answer(err)
			return set, claims, err
		case line := <-typed.lines:
			set, claims, err := finishTyped(ctx, login, line)
			if err == nil || !mistyped(err) {
				r.answer(err)
				return set, claims, err
			}
			if strings.TrimSpace(line) != "" {
				_, _ = fmt.Fprintln(l.Out, err)
			}
			typed.read()
		case err := <-opened:
			if err != nil {
				return tokens.Set{}, nil, &openError{err}
			}
			opened = nil
			if patience != nil {
				patience = nil
				typed.read()
			}
		case <-patience:
			patience = nil
			typed.read()
		case <-wait.Done():
			return tokens.Set{}, nil, ended(wait, "the browser")
		}
	}
}

func (l Loopback) fallBack(ctx context.Context, start Start, reason string) (tokens.Set, *idtoken.Claims, error) {
	if _, err := fmt.Fprintf(l.Out, "Logging in without opening a browser: %s.\n", reason); err != nil {
		return tokens.Set{}, nil, fmt.Errorf("login: show why no browser opens: %w", err)
	}
	fallback := l.Fallback
	if fallback == nil {
		fallback = CommandLine{In: l.In, Out: l.Out, Timeout: l.Timeout}
	}
	return fallback.Login(ctx, start)
}

// noBrowser says why no browser can be opened, as far as the environment tells.
func (l Loopback) noBrowser() string {
	if l.Getenv == nil {
		return ""
	}
	if l.Getenv("SSH_TTY") != "" || l.Getenv("SSH_CONNECTION") != "" {
		return "this is an SSH session, and the browser of your own machine could not reach it"
	}
	named := l.Getenv("BROWSER")
	first, _, _ := strings.Cut(named, ":")
	command, _, _ := strings.Cut(strings.TrimSpace(first), " ")
	if slices.Contains([]string{"lynx", "www-browser", "links", "elinks", "w3m"}, path.Base(command)) {
		return "the browser is a text browser"
	}
	switch runtime.GOOS {
	case "darwin", "windows", "ios", "android":
	default:
		if named == "" && l.Getenv("DISPLAY") == "" && l.Getenv("WAYLAND_DISPLAY") == "" && l.Getenv("WSL_DISTRO_NAME") == "" {
			return "there is no graphical display"
		}
	}
	return ""
}

// What a browser prints when it starts must not end up in the program's output.
// The library behind it has a variable for that and nothing else; setting it
// here, before anything runs, cannot race.
func init() { browser.Stdout = os.Stderr }
