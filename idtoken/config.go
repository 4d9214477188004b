package idtoken

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/globusauth/globusauth/internal/origin"
	"github.com/globusauth/globusauth/internal/prefix"
)

const (
	defaultIssuer     = "https://auth.globus.org"
	defaultLeeway     = 300 * time.Second
	configurationPath = "/.well-known/openid-configuration"
)

// Config configures a [Verifier]. Every field may be left out.
type Config struct {
	// Issuer is the issuer of the tokens; https, or http on a loopback host. Empty
	// means https://auth.globus.org. One slash at its end is not significant; apart
	// from that the claim iss and the discovery document must name exactly this.
	Issuer string
	// ClientID is the client that the tokens are for, their audience. Empty means that
	// each [Expect] names it.
	ClientID string

	// HTTPClient makes the requests for configuration and keys. It is copied; the
	// copy sends no cookies and follows no redirects. Nil means a client with the
	// standard transport.
	HTTPClient *http.Client
	// ConfigurationURL is where the discovery document is. Empty means the issuer's
	// /.well-known/openid-configuration. The keys that it names must be on the host of
	// the issuer or of the ConfigurationURL.
	ConfigurationURL string
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
	// UnsafeAllowHTTP accepts plain http on hosts that are not loopback addresses.
	// Anyone on the network path can then replace the keys and sign any token.
	UnsafeAllowHTTP bool

	// Options are the choices that a program may have; see globusauth.Config.IDTokens.
	Options Options
}

// Options are what a program may choose about the verification of ID tokens. The zero
// value is right for Globus Auth.
type Options struct {
	// Leeway is how far the provider's clock and this machine's may differ: a token is
	// expired when exp <= now - Leeway. Zero means 300 s, as in the Globus SDK for
	// Python; negative means no leeway.
	Leeway time.Duration
	// JWKS pins the keys: a JWK set, one JWK, or public keys or certificates in PEM.
	// Nothing is then fetched, and a replaced key is not found. The algorithms are those
	// that the keys state (alg), or else all that fit them. Nil means the keys and the
	// algorithms that the provider publishes.
	JWKS []byte
}

// New makes a verifier. It keeps copies of what it is given, sends nothing and waits
// for nothing; the keys are fetched by the first call that needs them. Errors say which
// field is wrong.
func New(config Config) (verifier *Verifier, err error) {
	defer prefix.Add(&err, "idtoken: new verifier")
	s := &source{config: config, turn: make(chan struct{}, 1)}
	c := &s.config // our own copy
	c.Issuer = cmp.Or(c.Issuer, defaultIssuer)
	issuer, err := parseURL(c.Issuer, c.UnsafeAllowHTTP)
	if err != nil {
		return nil, fmt.Errorf("Issuer: %w", err) //nolint:staticcheck // It is the name of a field.
	}
	c.ConfigurationURL = cmp.Or(c.ConfigurationURL, strings.TrimSuffix(c.Issuer, "/")+configurationPath)
	location, err := parseURL(c.ConfigurationURL, c.UnsafeAllowHTTP)
	if err != nil {
		return nil, fmt.Errorf("ConfigurationURL: %w", err)
	}
	s.trusted = []string{origin.Of(issuer), origin.Of(location)}
	c.Options.Leeway = max(cmp.Or(c.Options.Leeway, defaultLeeway), 0)
	if c.Now == nil {
		c.Now = time.Now
	}
	c.HTTPClient = boundedClient(c.HTTPClient)
	if s.allowed, err = safeAlgorithms(); err != nil {
		return nil, err
	}
	if c.Options.JWKS != nil {
		keys, err := parseKeys(c.Options.JWKS)
		if err != nil {
			return nil, fmt.Errorf("JWKS: %w", err)
		}
		s.known.Store(&keySet{keys: keys})
	}
	return &Verifier{keys: s, tokens: sync.Pool{New: func() any { return new(compactToken) }}}, nil
}
