package idtoken

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

const (
	defaultIssuer       = "https://auth.globus.org"
	defaultLeeway       = 300 * time.Second
	defaultMinFreshness = 5 * time.Minute
	defaultMaxFreshness = 24 * time.Hour
	defaultStaleIfError = 24 * time.Hour
	defaultFetchTimeout = 10 * time.Second
	configurationPath   = "/.well-known/openid-configuration"
)

// Config configures a [Verifier]. Only ClientID is required.
type Config struct {
	// Issuer is the issuer of the tokens; https, or http on a loopback host. Empty
	// means https://auth.globus.org. One slash at its end is not significant; apart
	// from that the claim iss and the discovery document must name exactly this.
	Issuer string
	// ClientID is the client that the tokens are for, their audience.
	ClientID string

	// HTTPClient makes the requests for configuration and keys. It is copied; the
	// copy sends no cookies and follows at most three redirects, all on the same
	// host. Nil means a client with the standard transport.
	HTTPClient *http.Client
	// ConfigurationURL is where the discovery document is. Empty means the issuer's
	// /.well-known/openid-configuration.
	ConfigurationURL string
	// Configuration is the discovery document itself, as JSON; it is then never
	// fetched.
	Configuration []byte
	// JWKSURL is where the keys are, and may be on any host. Empty means the
	// discovery document's jwks_uri, which must be on the host of the issuer or of
	// the ConfigurationURL.
	JWKSURL string
	// JWKS holds the keys themselves: a JWK set, one JWK, or public keys or
	// certificates in PEM. Nothing is then fetched at all.
	JWKS []byte

	// Algorithms are the signature algorithms to accept, of RS256, RS384, RS512,
	// PS256, PS384, PS512, ES256, ES384, ES512 and EdDSA. Only those that the
	// discovery document announces as well are used. Empty means all that it
	// announces; Globus Auth's is RS512, which is also meant when JWKS is set and
	// Configuration is not.
	Algorithms []string

	// Leeway is how far the provider's clock and ours may differ: a token is expired
	// when exp <= now - Leeway. Zero means 300 s, as in the Globus SDK for Python;
	// negative means none.
	Leeway time.Duration

	// MinFreshness and MaxFreshness bound how long fetched configuration and keys are
	// used before they are fetched again; between them HTTP's Cache-Control and
	// Expires decide, or one hour where there are none. Zero means 5 minutes and 24
	// hours.
	MinFreshness, MaxFreshness time.Duration
	// StaleIfError is how long the last good configuration and keys go on being used
	// after that, while fetching fails. Zero means 24 hours; negative means not at
	// all.
	StaleIfError time.Duration
	// FetchTimeout limits one fetch, which is shared and does not end with the call
	// that began it. Zero means 10 s.
	FetchTimeout time.Duration

	// Now is the clock. Nil means time.Now.
	Now func() time.Time

	// UnsafeAllowHTTP accepts plain http on hosts that are not loopback addresses.
	// Whoever is on the way can then put keys of their own in place, and sign as
	// anybody.
	UnsafeAllowHTTP bool
	// UnsafeSkipSignature accepts any signature and algorithm, none included: the
	// claims then prove nothing.
	UnsafeSkipSignature bool
	// UnsafeSkipAudience accepts tokens that were issued for other clients: aud and
	// azp are not checked and ClientID may be empty.
	UnsafeSkipAudience bool
	// UnsafeSkipExpiry accepts tokens that have expired or never do.
	UnsafeSkipExpiry bool
}

// New makes a verifier. It keeps nothing of what it is given but copies, sends
// nothing and waits for nothing; the keys are fetched by the first call that needs
// them. Errors say which field is wrong.
func New(config Config) (*Verifier, error) {
	if err := config.complete(); err != nil {
		return nil, fmt.Errorf("idtoken: new verifier: %w", err)
	}
	algorithms, err := chooseAlgorithms(config.Algorithms)
	if err != nil {
		return nil, fmt.Errorf("idtoken: new verifier: %w", err)
	}
	keys, err := newSource(config, algorithms)
	if err != nil {
		return nil, fmt.Errorf("idtoken: new verifier: %w", err)
	}
	verifier := &Verifier{
		issuer:        config.Issuer,
		clientID:      config.ClientID,
		leeway:        config.Leeway,
		now:           config.Now,
		algorithms:    algorithms,
		keys:          keys,
		skipSignature: config.UnsafeSkipSignature,
		skipAudience:  config.UnsafeSkipAudience,
		skipExpiry:    config.UnsafeSkipExpiry,
	}
	return verifier, nil
}

// complete checks the configuration and fills in the defaults. The receiver is the
// verifier's own copy.
func (c *Config) complete() error {
	if c.ClientID == "" && !c.UnsafeSkipAudience {
		return errors.New("ClientID is empty; it is the audience that tokens are checked for")
	}
	if c.Issuer == "" {
		c.Issuer = defaultIssuer
	}
	if _, err := parseURL(c.Issuer, c.UnsafeAllowHTTP); err != nil {
		return fmt.Errorf("Issuer: %w", err) //nolint:staticcheck // It is the name of a field.
	}
	if c.ConfigurationURL == "" {
		c.ConfigurationURL = strings.TrimSuffix(c.Issuer, "/") + configurationPath
	}
	if _, err := parseURL(c.ConfigurationURL, c.UnsafeAllowHTTP); err != nil {
		return fmt.Errorf("ConfigurationURL: %w", err)
	}
	if c.JWKSURL != "" {
		if _, err := parseURL(c.JWKSURL, c.UnsafeAllowHTTP); err != nil {
			return fmt.Errorf("JWKSURL: %w", err)
		}
	}
	if c.JWKSURL != "" && c.JWKS != nil {
		return errors.New("both JWKSURL and JWKS are set; set one of them")
	}
	if c.MinFreshness < 0 || c.MaxFreshness < 0 || c.FetchTimeout < 0 {
		return errors.New("MinFreshness, MaxFreshness and FetchTimeout must not be negative")
	}
	c.MinFreshness = defaultTo(c.MinFreshness, defaultMinFreshness)
	c.MaxFreshness = defaultTo(c.MaxFreshness, max(defaultMaxFreshness, c.MinFreshness))
	if c.MinFreshness > c.MaxFreshness {
		return errors.New("MinFreshness is longer than MaxFreshness")
	}
	c.FetchTimeout = defaultTo(c.FetchTimeout, defaultFetchTimeout)
	c.StaleIfError = max(defaultTo(c.StaleIfError, defaultStaleIfError), 0)
	c.Leeway = max(defaultTo(c.Leeway, defaultLeeway), 0)
	if c.Now == nil {
		c.Now = time.Now
	}
	return nil
}

// defaultTo gives the default for a zero duration.
func defaultTo(duration, otherwise time.Duration) time.Duration {
	if duration == 0 {
		return otherwise
	}
	return duration
}
