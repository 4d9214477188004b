package login

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pkg/browser"

	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/idtoken"
	"github.com/globusauth/globusauth/tokens"
)

// openPatience is how long a browser may take not to open before it counts as opened.
const openPatience = 2 * time.Second

// Loopback is the [Manager] that opens the browser and receives the callback on
// this machine, at any free port of 127.0.0.1 (RFC 8252 section 7.3), which Globus allows to
// native clients. The link is shown as well. Over SSH, and where there is no graphical
// browser or opening it fails at once, Fallback takes over.
//
// While it waits it accepts one callback, that with the state of its login, with a page
// that says how it ended; every other request is refused and ends nothing. It serves
// only requests whose Host is the redirect URI's, so that no web site can reach it by a
// name of its own. When Login returns, nothing listens any more.
//
// The zero value is ready for a native client.
type Loopback struct {
	// Name is the name of the program on the page. Empty means "the program".
	Name string
	// Open opens the browser. Nil means the system's default browser. It may return when
	// the browser ends: the login continues meanwhile, and a call of Open may continue
	// after the login.
	Open func(url string) error
	// In is where the person may paste the address that the browser ends on, while it
	// cannot reach this machine. The callback or a line, what comes first, wins. Nil, and
	// os.Stdin, mean the terminal, if standard input is one; otherwise nothing is read.
	// See [CommandLine.In] about reads that cannot be interrupted.
	In io.Reader
	// Out shows the link. Nil means os.Stderr.
	Out io.Writer
	// Hint is a sentence below the link, such as the name of the program's option for
	// a login without a browser.
	Hint string
	// Getenv reads the environment: SSH_TTY, SSH_CONNECTION, BROWSER, and, where a
	// desktop may be missing, DISPLAY, WAYLAND_DISPLAY and WSL_DISTRO_NAME. Programs give
	// os.Getenv. Nil means that a browser is always tried.
	Getenv func(name string) string
	// Fallback takes over where no browser opens. Nil means a [CommandLine] with
	// the same In and Out. It starts a login of its own.
	Fallback Manager
}

// errNoBrowser says that the browser did not open.
var errNoBrowser = errors.New("no browser opens")

// Login opens the browser and waits for the callback. Besides the errors of
// [flows.Login.Finish] there are [ErrTimeout], those of listening, and those of
// Fallback.
func (l Loopback) Login(ctx context.Context, config flows.Config, options ...flows.StartOption) (tokens.Set, *idtoken.Claims, error) {
	if l.Open == nil {
		l.Open = browser.OpenURL
	}
	l.Name, l.Out = cmp.Or(l.Name, "the program"), cmp.Or[io.Writer](l.Out, os.Stderr)
	l.Fallback = cmp.Or[Manager](l.Fallback, CommandLine{In: l.In, Out: l.Out})
	reason := l.noBrowser()
	if reason == "" {
		set, claims, err := l.browse(ctx, config, options)
		if !errors.Is(err, errNoBrowser) {
			return set, claims, err
		}
		reason = errNoBrowser.Error()
	}
	_, _ = fmt.Fprintf(l.Out, "Logging in without opening a browser: %s.\n", reason)
	return l.Fallback.Login(ctx, config, options...)
}

func (l Loopback) browse(ctx context.Context, config flows.Config, options []flows.StartOption) (tokens.Set, *idtoken.Claims, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return tokens.Set{}, nil, fmt.Errorf("login: listen for the callback: %w", err)
	}
	defer func() { _ = listener.Close() }()
	config.RedirectURI = "http://" + listener.Addr().String()
	login, err := config.Start(options...)
	if err != nil {
		return tokens.Set{}, nil, err
	}
	wait, cancel := limit(ctx)
	defer cancel()
	running, end := context.WithCancel(wait)
	defer end()
	r := &receiver{login: login, program: l.Name, host: listener.Addr().String(), wait: wait, end: end}
	defer r.serve(listener)()

	in, release := l.In, func() {}
	if in == nil || in == os.Stdin {
		in, release = terminal()
	}
	defer release()
	text := "Opening the browser for the login with Globus. If none opens, visit:\n" + login.URL() + "\n"
	if in != nil {
		text += "If the browser cannot reach this machine, paste here the address that it ends on.\n"
	}
	if l.Hint != "" {
		text += l.Hint + "\n"
	}
	_, _ = io.WriteString(l.Out, text)
	opened := make(chan error, 1)
	go func() { opened <- l.Open(login.URL()) }()
	// Fallback reads as well: nothing is read before a browser seems to be there.
	select {
	case err := <-opened:
		if err != nil {
			return r.result(errNoBrowser)
		}
	case <-time.After(openPatience):
	case <-running.Done():
	}
	var reading sync.WaitGroup
	if in != nil {
		reading.Go(func() { _ = ask(running, in, l.Out, "", login.RedirectURI(), r.finish) }) // after an error the browser remains
	}
	<-running.Done()
	reading.Wait()
	return r.result(waited(wait))
}

// noBrowser says why no browser can be opened, as far as the environment tells.
func (l Loopback) noBrowser() string {
	if l.Getenv == nil {
		return ""
	}
	named := l.Getenv("BROWSER")
	command := strings.FieldsFunc(named, func(r rune) bool { return r == ':' || r == ' ' })
	switch {
	case l.Getenv("SSH_TTY") != "" || l.Getenv("SSH_CONNECTION") != "":
		return "this is an SSH session, and the browser of your own machine could not reach it"
	case len(command) > 0 && slices.Contains([]string{"lynx", "www-browser", "links", "elinks", "w3m"}, path.Base(command[0])):
		return "the browser is a text browser"
	case runtime.GOOS == "darwin", runtime.GOOS == "windows", named != "":
	case l.Getenv("DISPLAY") == "" && l.Getenv("WAYLAND_DISPLAY") == "" && l.Getenv("WSL_DISTRO_NAME") == "":
		return "there is no graphical display"
	}
	return ""
}

// What a browser prints when it starts must not end up in the program's output.
// The library behind it has a variable for that and nothing else; setting it
// here, before anything runs, cannot race.
func init() { browser.Stdout = os.Stderr }

// receiver finishes a login, once, with a callback that comes to its redirect URI or that
// is typed.
type receiver struct {
	login   flows.Login
	program string
	host    string          // of the redirect URI, with its port
	wait    context.Context //nolint:containedctx // of the one login
	end     func()          // called when the login has ended
	pages   sync.RWMutex    // read-locked while a page is written

	mu     sync.Mutex // held during an exchange; guards what follows
	ended  bool
	set    tokens.Set
	claims *idtoken.Claims
	err    error
}

// serve receives callbacks until stop is called.
func (r *receiver) serve(listener net.Listener) (stop func()) {
	server := &http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	server.SetKeepAlivesEnabled(false) // one page fits into the socket's buffer, so that a client that reads nothing blocks no other
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	return func() {
		_ = listener.Close()
		r.pages.Lock() // the page that says how the login ended is sent
		defer r.pages.Unlock()
		_ = server.Close()
		serving.Wait()
	}
}

// finish finishes the login and returns the error with which it ended, also if it
// ended before. A callback that is mistyped leaves it as it was.
func (r *receiver) finish(callback url.Values) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return r.err
	}
	set, claims, err := finish(r.wait, r.login, callback)
	if !mistyped(err) {
		r.set, r.claims, r.err, r.ended = set, claims, err, true
		r.end()
	}
	return err
}

// result waits for an exchange that was sent. A login that has not ended is an error.
func (r *receiver) result(notEnded error) (tokens.Set, *idtoken.Claims, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ended {
		return tokens.Set{}, nil, notEnded
	}
	return r.set, r.claims, r.err
}

// ServeHTTP handles the callback, and refuses everything else.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.pages.RLock()
	defer r.pages.RUnlock()
	defer func() { _ = http.NewResponseController(w).Flush() }()
	showPage(w, r.page(req))
}

func (r *receiver) page(req *http.Request) Failure {
	if req.Host != r.host || req.URL.Path != "/" || req.Method != http.MethodGet {
		return failure(http.StatusNotFound, "Not found", "There is no such page.", nil)
	}
	callback, err := url.ParseQuery(req.URL.RawQuery)
	if err != nil {
		err = flows.ErrCallback
	} else {
		err = r.finish(callback)
	}
	switch {
	case err == nil:
		return failure(http.StatusOK, "Login complete", "You are logged in. You can close this window and go back to "+r.program+".", nil)
	case mistyped(err):
		return failure(http.StatusBadRequest, "Not this login",
			"This address does not belong to the login that is waiting. Use the link that "+r.program+" has shown last.", nil)
	}
	page := explain(err)
	page.Message += " You can close this window and start again from " + r.program + "."
	return page
}
