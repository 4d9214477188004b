package idtoken

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// configuration is what the discovery document says (OpenID Connect Discovery 1.0
// section 3).
type configuration struct {
	jwksURL    string
	algorithms []string // announced by the provider and allowed by the verifier
	lifetime   lifetime
}

// fetch gets the keys and, unless that of the set before is still fresh, the
// configuration. While the configuration cannot be had, the last good one is used.
func (s *source) fetch(ctx context.Context, before *keySet) (*keySet, error) {
	config, err := s.configuration(ctx, before)
	if err != nil {
		return nil, err
	}
	body, header, err := s.get(ctx, config.jwksURL, "the signing keys")
	if err != nil {
		return nil, err
	}
	keys, err := parseKeySet(body)
	if err != nil {
		return nil, fmt.Errorf("the signing keys at %s: %w", printURL(config.jwksURL), err)
	}
	now := s.now()
	fetched := &keySet{configuration: config, keys: keys, lifetime: s.cache.lifetime(header, now)}
	switch {
	case config == s.fixed:
	case config.lifetime.fresh(now):
		fetched.lifetime = fetched.lifetime.earlier(config.lifetime)
	default: // the last good one, which is asked for again before long
		fetched.lifetime = lifetime{now.Add(s.cache.minFreshness), config.lifetime.usableUntil}
	}
	return fetched, nil
}

func (s *source) configuration(ctx context.Context, before *keySet) (*configuration, error) {
	if s.fixed != nil {
		return s.fixed, nil
	}
	if before != nil && before.configuration.lifetime.fresh(s.now()) {
		return before.configuration, nil
	}
	config, err := s.fetchConfiguration(ctx)
	if err != nil && before != nil && before.configuration.lifetime.usable(s.now()) {
		return before.configuration, nil
	}
	return config, err
}

func (s *source) fetchConfiguration(ctx context.Context) (*configuration, error) {
	body, header, err := s.get(ctx, s.configurationURL, "the OpenID configuration")
	if err != nil {
		return nil, err
	}
	config, err := s.parseConfiguration(body, true)
	if err != nil {
		return nil, fmt.Errorf("the OpenID configuration at %s: %w", printURL(s.configurationURL), err)
	}
	config.lifetime = s.cache.lifetime(header, s.now())
	return config, nil
}

// parseConfiguration reads a discovery document and refuses one of another issuer or
// one that would have the keys fetched from elsewhere.
func (s *source) parseConfiguration(text []byte, needKeys bool) (*configuration, error) {
	var document struct {
		Issuer     string   `json:"issuer"`
		JWKSURI    string   `json:"jwks_uri"`
		Algorithms []string `json:"id_token_signing_alg_values_supported"`
	}
	if err := json.Unmarshal(text, &document, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)); err != nil {
		return nil, errors.New("not an OpenID discovery document")
	}
	if !sameIssuer(document.Issuer, s.issuer) {
		return nil, fmt.Errorf("it is of the issuer %s, expected %s", quote(document.Issuer), quote(s.issuer))
	}
	config := &configuration{jwksURL: s.jwksURL}
	for _, name := range s.allowed {
		if slices.Contains(document.Algorithms, name) {
			config.algorithms = append(config.algorithms, name)
		}
	}
	if len(config.algorithms) == 0 {
		return nil, fmt.Errorf("it announces the signature algorithms %s, and none of them is allowed",
			quote(strings.Join(document.Algorithms, " ")))
	}
	if config.jwksURL != "" || !needKeys {
		return config, nil
	}
	if err := s.checkKeysURL(document.JWKSURI); err != nil {
		return nil, fmt.Errorf("jwks_uri: %w", err)
	}
	config.jwksURL = document.JWKSURI
	return config, nil
}

// checkKeysURL refuses a jwks_uri on a host that neither the issuer nor the caller
// named: whoever can change the document shall not choose whose keys count.
func (s *source) checkKeysURL(text string) error {
	location, err := parseURL(text, s.allowHTTP)
	if err != nil {
		return err
	}
	for _, trusted := range []string{s.issuer, s.configurationURL} {
		if base, err := parseURL(trusted, s.allowHTTP); err == nil && sameOrigin(base, location) {
			return nil
		}
	}
	return fmt.Errorf("%s is on another host than the issuer; set JWKSURL if it is right", printURL(text))
}

// parseURL reads an absolute URL that may be fetched: https, or http on a loopback
// host or if allowHTTP, without user information or fragment. Errors do not repeat it.
func parseURL(text string, allowHTTP bool) (*url.URL, error) {
	location, err := url.Parse(text)
	switch {
	case err != nil || location.Host == "" || location.Opaque != "":
		return nil, errors.New("not an absolute URL")
	case location.User != nil || location.Fragment != "":
		return nil, errors.New("a URL with user information or a fragment")
	case location.Scheme == "https", location.Scheme == "http" && (allowHTTP || isLoopback(location.Hostname())):
		return location, nil
	}
	return nil, fmt.Errorf("%s is not on https (http is for loopback hosts only)", printURL(text))
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}

// sameOrigin compares scheme, host and port (RFC 6454 section 5).
func sameOrigin(one, other *url.URL) bool {
	return one.Scheme == other.Scheme && strings.EqualFold(one.Hostname(), other.Hostname()) && port(one) == port(other)
}

func port(location *url.URL) string {
	switch {
	case location.Port() != "":
		return location.Port()
	case location.Scheme == "https":
		return "443"
	}
	return "80"
}

// printURL shortens a URL to what may stand in an error: no query, no user.
func printURL(text string) string {
	location, err := url.Parse(text)
	if err != nil {
		return "an unreadable URL"
	}
	return quote(location.Scheme + "://" + location.Host + location.EscapedPath())
}

// boundedClient copies the caller's client, takes its cookies away and bounds its
// redirects.
func boundedClient(given *http.Client) *http.Client {
	const maxRedirects = 3
	client := &http.Client{}
	if given != nil {
		*client = *given
	}
	client.Jar = nil
	theirs := client.CheckRedirect
	client.CheckRedirect = func(request *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects {
			return fmt.Errorf("more than %d redirects", maxRedirects)
		}
		if !sameOrigin(request.URL, via[0].URL) {
			return fmt.Errorf("redirected to another host, %s", quote(request.URL.Host))
		}
		if theirs != nil {
			return theirs(request, via)
		}
		return nil
	}
	return client
}
