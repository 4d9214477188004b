package guard

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/globusauth/globusauth/cmd/globus-auth/internal/secretfile"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/resourceserver"
)

// bodyTimeout is how long a client whose request was denied may take to send the rest of its body.
const bodyTimeout = 5 * time.Second

// Guard checks requests. It is safe for concurrent use.
type Guard struct {
	config  Config
	api     *resourceserver.API
	log     *slog.Logger
	now     func() time.Time
	signer  *signer     // nil without assertions
	tls     *tls.Config // nil without TLS
	metrics metrics

	transport   *http.Transport // to upstream
	confined    bool            // upstream has a path, which requests must not leave
	bodyTimeout time.Duration

	next  http.Handler // for allowed requests
	every http.Handler // without routes
	table *table       // with routes
}

// New returns a guard with the configuration, which [Read] has checked, and the API's client.
func New(config Config, oauth flows.Config) (*Guard, error) {
	guard, err := newGuard(config, oauth)
	if err != nil {
		return nil, fmt.Errorf("guard: %w", err)
	}
	return guard, nil
}

func newGuard(config Config, oauth flows.Config) (*Guard, error) {
	rules, err := config.Rules.compile()
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	g := &Guard{config: config, log: oauth.Auth.Logger(), now: oauth.Auth.Now, bodyTimeout: bodyTimeout}
	g.api, err = resourceserver.New(resourceserver.Config{
		OAuth: oauth, Rules: rules, CacheTime: time.Duration(config.CacheTime), CacheSize: config.CacheSize, Deny: g.deny, Observer: &g.metrics,
	})
	if err != nil {
		return nil, err
	}
	if config.Assertion != nil {
		if g.signer, err = newSigner(*config.Assertion, g.now); err != nil {
			return nil, err
		}
	}
	if config.TLS != nil {
		certificate, err := config.TLS.load()
		if err != nil {
			return nil, fmt.Errorf("tls: %w", err)
		}
		g.tls = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	}
	g.next = http.HandlerFunc(g.allow)
	if config.Upstream != "" {
		g.transport = newTransport(time.Duration(config.UpstreamTimeout))
		if g.next, err = g.proxy(); err != nil {
			return nil, err
		}
	}
	if config.Routes == nil {
		g.every = g.api.Protect(g.next)
		return g, nil
	}
	if g.table, err = newTable(config.Routes); err != nil {
		return nil, err
	}
	return g, g.table.protect(config.Routes, g.api, g.next)
}

// load reads the certificate and its key.
func (t *TLS) load() (tls.Certificate, error) {
	key, err := secretfile.Read(t.KeyFile, maxKeyBytes)
	if err != nil {
		return tls.Certificate{}, err
	}
	chain, err := os.ReadFile(t.CertificateFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(chain, key)
}

// Handler returns the handler for requests.
func (g *Guard) Handler() http.Handler {
	if g.config.Upstream == "" {
		return http.HandlerFunc(g.forwardAuth)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { g.check(w, r, r.Method, r.RequestURI) })
}

// check passes a request to g.next if its caller meets the rules of the route.
func (g *Guard) check(w http.ResponseWriter, r *http.Request, method, target string) {
	handler, err := g.every, error(nil)
	switch {
	case g.table != nil:
		handler, err = g.table.find(method, target)
	case g.confined:
		_, err = canonical(method, target)
	}
	if err != nil {
		g.api.Deny(w, r, err)
		return
	}
	handler.ServeHTTP(w, r)
}

// deny writes the response to a denied request.
func (g *Guard) deny(w http.ResponseWriter, r *http.Request, denial *resourceserver.DeniedError) {
	// A client that sends its body slowly must not keep the connection. Not every writer supports it.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(g.bodyTimeout))
	denial.ServeHTTP(w, r)
}
