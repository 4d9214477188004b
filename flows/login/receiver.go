package login

import (
	"cmp"
	"context"
	"crypto/subtle"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"github.com/globusauth/globusauth/internal/origin"
)

const (
	readTimeout = 10 * time.Second
	maxHeader   = 32 << 10
)

// listen listens on an address that only this machine can reach.
func listen(ctx context.Context, address string) (net.Listener, error) {
	address = cmp.Or(address, "127.0.0.1:0")
	host, err := netip.ParseAddrPort(address)
	if err != nil || (host.Addr() != netip.AddrFrom4([4]byte{127, 0, 0, 1}) && host.Addr() != netip.IPv6Loopback()) {
		return nil, fmt.Errorf("the Address is %q; it must be 127.0.0.1 or [::1], with a port", address)
	}
	return new(net.ListenConfig).Listen(ctx, "tcp", address)
}

// receiver finishes a login with the callback that comes to its redirect URI.
type receiver struct {
	*attempt

	ctx      context.Context //nolint:containedctx // of the one login
	redirect url.URL
	program  string
	pages    sync.RWMutex // read-locked while a page is written
}

// receive serves the callback until stop is called.
func receive(ctx context.Context, listener net.Listener, a *attempt, program string) (stop func()) {
	r := &receiver{attempt: a, ctx: ctx, program: program, redirect: url.URL{Scheme: "http", Host: listener.Addr().String()}}
	server := &http.Server{
		Handler:           r,
		ReadHeaderTimeout: readTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	server.SetKeepAlivesEnabled(false)
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	return func() {
		_ = listener.Close()
		r.pages.Lock() // the page that says how the login ended is sent
		_ = server.Close()
		serving.Wait()
	}
}

func never(error) bool { return false }

// ServeHTTP handles the callback, and refuses everything else.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.pages.RLock()
	defer r.pages.RUnlock()
	defer func() { _ = http.NewResponseController(w).Flush() }()
	switch {
	case origin.HostPort(&url.URL{Scheme: "http", Host: req.Host}) != origin.HostPort(&r.redirect):
		showPage(w, Failure{Status: http.StatusMisdirectedRequest, Title: "Wrong host", Message: "Nothing is served under this name."})
		return
	case req.URL.Path != "/":
		showPage(w, Failure{Status: http.StatusNotFound, Title: "Not found", Message: "There is no such page."})
		return
	case req.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		showPage(w, wrongMethod())
		return
	}
	callback, err := url.ParseQuery(req.URL.RawQuery)
	if state := callback["state"]; err != nil || len(state) != 1 || subtle.ConstantTimeCompare([]byte(state[0]), []byte(r.login.State())) != 1 {
		showPage(w, Failure{
			Status: http.StatusBadRequest, Title: "Not this login",
			Message: "This address does not belong to the login that is waiting. Use the link that " + r.program + " has shown last.",
		})
		return
	}
	// A second request gets the same page as the first.
	if err := r.finish(r.ctx, callback, never); err != nil { //nolint:contextcheck // the browser may leave; the login goes on
		f := explain(err)
		f.Message += " You can close this window and start again from " + r.program + "."
		showPage(w, f)
		return
	}
	showPage(w, Failure{
		Status: http.StatusOK, Title: "Login complete",
		Message: "You are logged in. You can close this window and go back to " + r.program + ".",
	})
}
