package authtest

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"
)

// Config configures a [Server]. The zero Config is the built-in world on a real
// clock with the token lifetimes of the service.
type Config struct {
	// World is what the server knows at the start; nil is [DefaultWorld]. The
	// resource servers of Globus are added where they are missing.
	World *World
	// Seed is what [Server.Reset] restores; nil is World.
	Seed *World
	// BaseURL is where clients reach the server, without a path. Empty: for a
	// server that listens itself its address, for a [Server.Handler] the host
	// that a request was sent to.
	BaseURL string
	// Now is the clock; nil is [time.Now]. [Server.Advance] moves it.
	Now func() time.Time
	// AccessTokenLifetime is the lifetime of access tokens; 0 is 48 hours.
	AccessTokenLifetime time.Duration
	// RotateRefreshTokens makes every refresh give a new refresh token; the one
	// that was used is revoked then.
	RotateRefreshTokens bool
	// RefreshTokenGrace keeps a refresh token that rotation replaced usable, any
	// number of times, for this long after its first use.
	RefreshTokenGrace time.Duration
	// Deterministic makes IDs and tokens the same in every run, as long as the
	// requests come in the same order.
	Deterministic bool
	// KeyIDs gives keys and ID tokens a key ID. The service gives none.
	KeyIDs bool
	// Login says when the authorization endpoint shows pages: "auto" is never
	// (the user is signed in and consents at once), "page" is always, and empty is for
	// requests that accept text/html, as browsers do.
	Login string
	// TLS makes a server that listens itself use https, with a certificate that
	// the client of [Server.Client] trusts.
	TLS bool
	// Logger gets a line for every request, without secrets; nil logs nothing.
	Logger *slog.Logger
	// RecordedRequests is how many requests [Server.Requests] remembers; 0 is 1000.
	RecordedRequests int
	// MaxTokens is how many access tokens, and how many refresh tokens, are kept;
	// those that expire first are discarded. 0 is 500,000.
	MaxTokens int
}

// Server is a Globus Auth for tests. It is safe for concurrent use.
type Server struct {
	engine   *engine
	handler  http.Handler
	listener *httptest.Server                 // nil for a server that does not listen
	seed     *World                           // of Reset; nil is the built-in world
	fail     func(format string, args ...any) // of the test, or panic
}

// NewServer makes a server that does not listen: [Server.Handler] handles its
// requests. [New] makes one for a test. The error says which entry of the world
// is wrong.
func NewServer(config Config) (*Server, error) {
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.AccessTokenLifetime == 0 {
		config.AccessTokenLifetime = defaultAccessLifetime
	}
	if config.RecordedRequests == 0 {
		config.RecordedRequests = 1000
	}
	if config.MaxTokens == 0 {
		config.MaxTokens = 500_000
	}
	config.BaseURL = strings.TrimRight(config.BaseURL, "/")
	if err := config.check(); err != nil {
		return nil, err
	}
	world, seed := config.World, cmp.Or(config.Seed, config.World)
	config.World, config.Seed = nil, nil
	e, err := begin(config, world)
	if err != nil {
		return nil, err
	}
	s := &Server{engine: e, seed: seed, fail: func(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }}
	s.handler = s.routes()
	return s, nil
}

// begin makes an engine with a world, the built-in one for nil.
func begin(config Config, world *World) (*engine, error) {
	e := newEngine(config)
	key, err := testKey()
	if err != nil {
		return nil, err
	}
	first := *key
	if config.KeyIDs {
		first.ID = "authtest-1"
	}
	e.keys = keyring{&first}
	if world == nil {
		world = new(builtin())
	}
	return e, e.load(*world)
}

// Reset restores the start: the world of the configuration, its clock, keys and
// faults, without tokens, sessions and recorded requests. It returns an error, and
// changes nothing, if Seed cannot be loaded.
func (s *Server) Reset() error {
	e := s.engine
	e.mu.Lock()
	config := e.config
	e.mu.Unlock()
	fresh, err := begin(config, s.seed)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.records = fresh.records
	e.changed()
	return nil
}

func (c Config) check() error {
	switch {
	case c.AccessTokenLifetime < time.Second:
		return errors.New("authtest: AccessTokenLifetime must be at least one second")
	case c.RefreshTokenGrace < 0:
		return errors.New("authtest: RefreshTokenGrace must not be negative")
	case c.Login != "" && c.Login != "auto" && c.Login != "page":
		return fmt.Errorf("authtest: Login is %q; use auto, page or nothing", c.Login)
	case c.RecordedRequests < 0 || c.MaxTokens < 0:
		return errors.New("authtest: RecordedRequests and MaxTokens must not be negative")
	}
	if c.BaseURL == "" {
		return nil
	}
	base, err := url.Parse(c.BaseURL)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return errors.New("authtest: BaseURL must be an http or https URL")
	}
	if base.Path != "" || base.RawQuery != "" || base.Fragment != "" || base.User != nil {
		return errors.New("authtest: BaseURL must not have a path, a query or a user: clients drop them")
	}
	return nil
}

// Handler handles the requests of a server that the caller runs.
func (s *Server) Handler() http.Handler { return s.handler }

// listen starts the server on a free port of the loopback address.
func (s *Server) listen() {
	s.listener = httptest.NewUnstartedServer(s.handler)
	s.listener.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // injected faults break connections
	if s.engine.config.TLS {
		s.listener.StartTLS()
	} else {
		s.listener.Start()
	}
	s.engine.mu.Lock()
	defer s.engine.mu.Unlock()
	if s.engine.config.BaseURL == "" {
		s.engine.config.BaseURL = s.listener.URL
	}
}

// BaseURL returns the address of the server, with a slash at the end.
func (s *Server) BaseURL() string {
	s.engine.mu.Lock()
	defer s.engine.mu.Unlock()
	return s.engine.config.BaseURL + "/"
}

// Client returns a client that reaches the server: over the network one made by
// [New], and without a network one made by [NewServer], whatever the host of the
// URL. The latter fits the bubble of a testing/synctest: with time.Now as the clock
// of both sides, tokens expire and clients wait before retries in no time. The
// client follows redirects and keeps no cookies.
func (s *Server) Client() *http.Client {
	if s.listener == nil {
		return &http.Client{Transport: inProcess{s.handler}}
	}
	transport := &http.Transport{Proxy: nil, DisableCompression: true, MaxIdleConnsPerHost: 100}
	if certificate := s.listener.Certificate(); certificate != nil {
		pool := x509.NewCertPool()
		pool.AddCert(certificate)
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}
	}
	s.listener.Config.RegisterOnShutdown(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// close stops a server that listens. It breaks connections that are still open.
func (s *Server) close() {
	stopped, cancel := context.WithCancel(context.Background())
	cancel()
	_ = s.listener.Config.Shutdown(stopped) // runs what closes the clients' connections
	s.listener.CloseClientConnections()
	s.listener.Close()
}
