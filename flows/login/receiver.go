package login

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/idtoken"
	"github.com/globusauth/globusauth/tokens"
)

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
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	return func() {
		_ = listener.Close()
		r.pages.Lock() // the page that says how the login ended is sent
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
	showPage(w, r.page(w, req))
}

func (r *receiver) page(w http.ResponseWriter, req *http.Request) Failure {
	switch {
	case req.Host != r.host:
		return failure(http.StatusMisdirectedRequest, "Wrong host", "Nothing is served under this name.", nil)
	case req.URL.Path != "/":
		return failure(http.StatusNotFound, "Not found", "There is no such page.", nil)
	case req.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		return wrongMethod()
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
