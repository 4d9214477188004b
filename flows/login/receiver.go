package login

import (
	"context"
	"crypto/subtle"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	readTimeout   = 10 * time.Second
	answerTimeout = 10 * time.Second
	closeTimeout  = 2 * time.Second
	maxHeader     = 32 << 10
	portAttempts  = 10
)

// receiver receives the callback of one login.
type receiver struct {
	name      string
	redirect  url.URL
	listeners []net.Listener
	server    *http.Server
	serving   sync.WaitGroup

	mu     sync.Mutex // guards unused
	unused map[net.Conn]bool

	state    string // of the login, set before serving
	taken    atomic.Bool
	callback chan url.Values // holds the one callback
	answered chan struct{}   // closed when outcome is set
	outcome  error
}

// listen binds what the redirect URI leads to.
func (l Loopback) listen(ctx context.Context) (*receiver, error) {
	if l.Port < 0 || l.Port > 65535 {
		return nil, fmt.Errorf("the Port %d is none", l.Port)
	}
	host, addresses := l.Host, []string{l.Host}
	switch l.Host {
	case "", "127.0.0.1":
		host, addresses = "127.0.0.1", []string{"127.0.0.1"}
	case "::1":
	case "localhost":
		addresses = []string{"127.0.0.1", "::1"}
	default:
		return nil, fmt.Errorf("the Host is %q; it must be 127.0.0.1, ::1 or localhost", l.Host)
	}
	listeners, port, err := bind(ctx, addresses, l.Port)
	if err != nil {
		return nil, err
	}
	r := &receiver{
		name:      l.Name,
		redirect:  url.URL{Scheme: "http", Host: net.JoinHostPort(host, strconv.Itoa(port))},
		listeners: listeners,
		unused:    map[net.Conn]bool{},
		callback:  make(chan url.Values, 1),
		answered:  make(chan struct{}),
	}
	return r, nil
}

// bind listens on the same port of all addresses that the machine has.
func bind(ctx context.Context, addresses []string, port int) ([]net.Listener, int, error) {
	var err error
	for range portAttempts {
		var listeners []net.Listener
		chosen := port
		for _, address := range addresses {
			var listener net.Listener
			listener, err = new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(address, strconv.Itoa(chosen)))
			if err != nil && len(listeners) > 0 && !available(ctx, address) {
				err = nil // a machine without IPv6
				continue
			}
			if err != nil {
				closeAll(listeners)
				break
			}
			listeners = append(listeners, listener)
			if tcp, ok := listener.Addr().(*net.TCPAddr); ok {
				chosen = tcp.Port
			}
		}
		if err == nil {
			return listeners, chosen, nil
		}
		if port != 0 || len(listeners) == 0 {
			break
		}
		// Another program has the port that we were given on the other address: take another.
	}
	return nil, 0, err
}

// available reports whether the machine has an address at all.
func available(ctx context.Context, address string) bool {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		return false
	}
	_ = listener.Close()
	return true
}

func closeAll(listeners []net.Listener) {
	for _, listener := range listeners {
		_ = listener.Close()
	}
}

// serve handles requests from now on, for the login with this state.
func (r *receiver) serve(state string) {
	r.state = state
	r.server = &http.Server{
		Handler:           r,
		ReadHeaderTimeout: readTimeout,
		ReadTimeout:       readTimeout,
		IdleTimeout:       readTimeout,
		MaxHeaderBytes:    maxHeader,
		ConnState:         r.track,
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	for _, listener := range r.listeners {
		r.serving.Go(func() { _ = r.server.Serve(listener) })
	}
}

// track knows the connections on which nothing has come yet: browsers open some in
// advance, and Shutdown would wait for them.
func (r *receiver) track(conn net.Conn, state http.ConnState) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if state == http.StateNew {
		r.unused[conn] = true
	} else {
		delete(r.unused, conn)
	}
}

// answer tells the browser how the login ended.
func (r *receiver) answer(outcome error) {
	r.outcome = outcome
	close(r.answered)
}

// close ends everything. Responses that are on their way have a moment to arrive.
func (r *receiver) close(ctx context.Context) {
	closeAll(r.listeners)
	r.serving.Wait() // no connection is accepted any more
	if r.server == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	r.mu.Lock()
	for conn := range r.unused {
		_ = conn.Close()
	}
	r.mu.Unlock()
	select {
	case <-r.answered:
		_ = r.server.Shutdown(ctx)
	default:
	}
	_ = r.server.Close()
}

// ServeHTTP handles the callback, and refuses everything else.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Connection", "close")
	write := http.NewResponseController(w)
	_ = write.SetWriteDeadline(time.Now().Add(answerTimeout))
	switch {
	case !r.meant(req.Host):
		showPage(w, failure(http.StatusMisdirectedRequest, "Wrong host", "Nothing is served under this name.", nil))
		return
	case req.URL.Path != pathOf(&r.redirect):
		showPage(w, failure(http.StatusNotFound, "Not found", "There is no such page.", nil))
		return
	case req.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		showPage(w, failure(http.StatusMethodNotAllowed, "Method not allowed", "This address is for browsers that come back from the login.", nil))
		return
	}
	callback, err := url.ParseQuery(req.URL.RawQuery)
	if state := callback["state"]; err != nil || len(state) != 1 || subtle.ConstantTimeCompare([]byte(state[0]), []byte(r.state)) != 1 {
		showPage(w, failure(http.StatusBadRequest, "Not this login",
			"This address does not belong to the login that is waiting. Use the link that "+r.name+" has shown last.", nil))
		return
	}
	if r.taken.CompareAndSwap(false, true) {
		r.callback <- callback
	}
	// The exchange takes the time it takes. A browser that asks twice is told the same.
	_ = write.SetReadDeadline(time.Time{})
	select {
	case <-r.answered:
	case <-req.Context().Done():
		return
	}
	_ = write.SetWriteDeadline(time.Now().Add(answerTimeout))
	if r.outcome != nil {
		f := explain(r.outcome)
		f.Message += " You can close this window and start again from " + r.name + "."
		showPage(w, f)
		return
	}
	showPage(w, failure(http.StatusOK, "Login complete", "You are logged in. You can close this window and go back to "+r.name+".", nil))
}

// meant reports whether a Host header is that of the redirect URI.
func (r *receiver) meant(host string) bool {
	return host == r.redirect.Host || (r.redirect.Port() == "80" && host+":80" == r.redirect.Host)
}
