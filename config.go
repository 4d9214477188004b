package globusauth

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/globusauth/globusauth/idtoken"
	"github.com/globusauth/globusauth/internal/origin"
	"github.com/globusauth/globusauth/tokens"
)

const (
	defaultTimeout   = 60 * time.Second
	dialTimeout      = 10 * time.Second
	maxRedirects     = 5
	maxAppNameLength = 128
)

// Config configures a [Client]. The zero value is a client of production
// without credentials, enough for public documents and for starting logins.
type Config struct {
	// Environment names a Globus environment; empty means [Production].
	Environment string
	// BaseURL is the address of the service and replaces the environment's:
	// a test double, a proxy. It must be https, or http on a loopback address.
	BaseURL string
	// Issuer is the issuer of the service's ID tokens; empty means the base
	// URL. Set it where the base URL is that of a proxy.
	Issuer string
	// IDTokens configures the verification of ID tokens; the zero value is right for
	// Globus Auth.
	IDTokens idtoken.Options
	// Credentials are sent with operations that take them, and to the host
	// of the base URL only. Nil means none.
	Credentials *Credentials

	// HTTPClient sends the requests; it is copied, and its CheckRedirect and
	// Jar are not used. Nil means a client with a transport that all such clients of
	// the process share, or one of its own where RootCAs or UnsafeSkipTLSVerify is
	// set; its idle connections close after 90 s, or with [http.Client.CloseIdleConnections]
	// of [Client.HTTPClient].
	HTTPClient *http.Client
	// Timeout limits one attempt of a request, response included; zero means that of
	// HTTPClient, or 60 s; negative means no limit but the caller's context.
	Timeout time.Duration
	// RootCAs replaces the system's certificate authorities. It cannot be
	// combined with HTTPClient.
	RootCAs *x509.CertPool
	// MaxRetries limits the retries of a request; zero means 5, negative none. The zero value is what
	// the official SDKs do.
	//
	// A GET, PUT or DELETE is retried after a transport error and after the statuses
	// 408, 421, 425, 429, 500, 502, 503 and 504; so are introspection, revocation, and
	// the client credentials and dependent token grants, which are idempotent. Any other
	// POST, and a refresh, is retried only if the service cannot have processed it: after
	// 421, 425 and 429, and if no connection could be made. The exchange of an
	// authorization code is never retried.
	//
	// A request that must not be sent twice, and every retry, uses a new connection, so that it cannot be
	// lost on one that the service has just closed. An HTTPClient whose Transport is
	// not an [http.Transport] chooses connections itself.
	//
	// Before retry n (from 0) a request waits (0.25 + 0.5·random)·2ⁿ seconds and at most 10 s, or
	// the time in Retry-After. If that is longer than 10 s, or than the context
	// allows, the response is returned as an error instead. Every retry is logged at
	// level Warn before its pause, see Logger.
	MaxRetries int

	// AppName names the program in the User-Agent and X-Globus-Client-Info
	// headers, with AppVersion when that is set. It is made of printable
	// ASCII other than the separators ; , = ( ) and \.
	AppName string
	// AppVersion is the version of the program, same characters.
	AppVersion string
	// Logger receives one debug record per attempt, and one warning before the
	// pause of each retry: "globusauth: retrying request" with operation, address,
	// retry (from 1), delay, status (0 without a response) and error. Records contain no
	// secret and no query. Nil means silent.
	Logger *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Wait waits before a retry, until delay has passed or ctx ends; nil means a timer. In a test,
	// the Wait of an authtest.Server moves its clock instead.
	Wait func(ctx context.Context, delay time.Duration) error

	// UnsafeAllowHTTP accepts a base URL with plain http on hosts that are
	// not loopback addresses. A party that sees the traffic can then steal the
	// tokens.
	UnsafeAllowHTTP bool
	// UnsafeSkipTLSVerify accepts any certificate of the service. [New] warns
	// through Logger, or slog's default logger when that is nil.
	UnsafeSkipTLSVerify bool
}

// Client calls Globus Auth: one method for each operation of the API. Make one
// with [New].
//
// A Client is immutable and may be used by several goroutines at once.
type Client struct {
	baseURL     string
	issuer      string
	address     string // the base URL and where it comes from, for people
	idTokens    *idtoken.Verifier
	environment string
	credentials *Credentials
	http        *http.Client      // follows redirects within the origin
	fresh       http.RoundTripper // opens a connection for each request
	maxRetries  int
	userAgent   string
	clientInfo  string
	logger      *slog.Logger
	now         func() time.Time
	wait        func(ctx context.Context, delay time.Duration) error
	random      func() float64 // spreads the retries
}

// New checks the configuration and returns a client. It reads only its
// argument and sends no request.
func New(config Config) (*Client, error) {
	c := &Client{
		environment: cmp.Or(config.Environment, Production),
		credentials: config.Credentials,
		maxRetries:  cmp.Or(config.MaxRetries, defaultRetries),
		logger:      cmp.Or(config.Logger, slog.New(slog.DiscardHandler)),
		now:         config.Now,
		wait:        config.Wait,
		random:      rand.Float64,
	}
	address, source := config.BaseURL, "Config.BaseURL"
	var err error
	if address == "" {
		if address, err = authURL(c.environment); err != nil {
			return nil, fmt.Errorf("globusauth: Config.Environment: %w", err)
		}
		source = "environment " + c.environment
	}
	base, err := parseBaseURL(address, config.UnsafeAllowHTTP)
	if err != nil {
		return nil, fmt.Errorf("globusauth: Config.BaseURL: %w", err)
	}
	c.baseURL = base.String()
	c.address = c.baseURL + " (" + source + ")"
	c.issuer = cmp.Or(config.Issuer, strings.TrimSuffix(c.baseURL, "/"))
	if _, err = parseBaseURL(c.issuer, config.UnsafeAllowHTTP); err != nil {
		return nil, fmt.Errorf("globusauth: Config.Issuer: %w", err)
	}
	if c.userAgent, c.clientInfo, err = identify(config.AppName, config.AppVersion); err != nil {
		return nil, err
	}
	if c.now == nil {
		c.now = time.Now
	}
	if c.wait == nil {
		c.wait = sleep
	}
	if c.credentials != nil && c.credentials.err != nil {
		return nil, fmt.Errorf("globusauth: Config.Credentials: %w", c.credentials.err)
	}
	if c.http, err = config.httpClient(origin.Of(base)); err != nil {
		return nil, err
	}
	c.fresh = freshTransport(c.http.Transport)
	if c.idTokens, err = idtoken.New(idtoken.Config{
		Issuer: c.issuer, HTTPClient: c.HTTPClient(), ConfigurationURL: c.baseURL + ".well-known/openid-configuration",
		Now: c.now, UnsafeAllowHTTP: config.UnsafeAllowHTTP, Options: config.IDTokens,
	}); err != nil {
		return nil, fmt.Errorf("globusauth: Config.IDTokens: %w", err)
	}
	if config.UnsafeSkipTLSVerify {
		cmp.Or(config.Logger, slog.Default()).Warn("globusauth: certificates of the service are not verified; a party on the network can steal tokens", "service", c.address)
	}
	return c, nil
}

// WithCredentials returns a copy of the client with other credentials; nil
// means none. The copies share connections.
func (c *Client) WithCredentials(credentials *Credentials) *Client {
	clone := *c
	clone.credentials = credentials
	return &clone
}

// BaseURL returns the address of the service, ending in a slash.
func (c *Client) BaseURL() string { return c.baseURL }

// Address returns BaseURL if it differs from the environment's own address, otherwise
// "". It is part of a [tokens.Key], so that tokens of one service are never sent to
// another.
func (c *Client) Address() string {
	if own, _ := authURL(c.environment); own == c.baseURL {
		return ""
	}
	return c.baseURL
}

// TokenKey returns the key under which a [tokens.Store] keeps what a client of OAuth got from this service,
// in a namespace ("" is the default one).
func (c *Client) TokenKey(clientID, namespace string) tokens.Key {
	return tokens.Key{ClientID: clientID, Environment: c.Environment(), Address: c.Address(), Namespace: namespace}
}

// Environment returns the name of the environment the client was made for.
func (c *Client) Environment() string { return c.environment }

// Logger returns [Config.Logger], or a logger that discards everything.
func (c *Client) Logger() *slog.Logger { return c.logger }

// HTTPClient returns an HTTP client with this client's transport, time limit
// and certificates, without its credentials.
func (c *Client) HTTPClient() *http.Client {
	clone := *c.http
	return &clone
}

// String names the client without its credentials.
func (c *Client) String() string { return "globusauth.Client(" + c.baseURL + ")" }

// httpClient returns the client that sends the requests to the service.
func (c *Config) httpClient(service string) (*http.Client, error) {
	base, ownTLS := c.HTTPClient, c.RootCAs != nil || c.UnsafeSkipTLSVerify
	switch {
	case base != nil && ownTLS:
		return nil, errors.New("globusauth: Config.HTTPClient has its own TLS settings; remove RootCAs and UnsafeSkipTLSVerify, or HTTPClient")
	case ownTLS:
		base = &http.Client{Transport: c.transport()}
	case base == nil:
		base = &http.Client{Transport: sharedTransport()}
	}
	return &http.Client{
		Transport: base.Transport,
		Timeout:   max(cmp.Or(c.Timeout, base.Timeout, defaultTimeout), 0),
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return fmt.Errorf("%w: more than %d", ErrRedirect, maxRedirects)
			}
			// A redirect to another host would send it the credentials, or a form with
			// a code or token.
			if origin.Of(req.URL) != service {
				return fmt.Errorf("%w: to host %q", ErrRedirect, req.URL.Host)
			}
			return nil
		},
	}, nil
}

// parseBaseURL checks the address of a service and returns it with one slash
// at its end, the host in lower case and without the usual port.
func parseBaseURL(raw string, allowHTTP bool) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "":
		return nil, errors.New("it is not an absolute URL such as https://auth.globus.org/") // without the URL, which can contain a password
	case u.User != nil:
		return nil, errors.New("the URL contains a user name or password; use Credentials")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("the URL of %q has a query or a fragment; leave it out", u.Host)
	case u.Scheme == "https":
	case u.Scheme != "http":
		return nil, fmt.Errorf("%q has the scheme %q; it must be https", raw, u.Scheme)
	case !allowHTTP && !origin.Loopback(u.Hostname()):
		return nil, fmt.Errorf("%q would send tokens unencrypted; use https, a loopback address, or UnsafeAllowHTTP", raw)
	}
	u.Host = strings.TrimSuffix(strings.ToLower(u.Host), map[string]string{"http": ":80", "https": ":443"}[u.Scheme])
	return u.JoinPath("/"), nil
}
