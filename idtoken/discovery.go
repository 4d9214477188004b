package idtoken

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/globusauth/globusauth/internal/origin"
)

// configuration is what the discovery document says (OpenID Connect Discovery 1.0
// section 3).
type configuration struct {
	jwksURL    string
	algorithms []string // announced by the provider and allowed by the verifier
}

// fetch gets the configuration and the keys, a search the keys alone: it changes nothing
// of how long the set before may be used. While the configuration cannot be had, the
// last good one is used.
func (s *source) fetch(ctx context.Context, before *keySet, search bool) (*keySet, error) {
	var fetched keySet
	var failure error
	if !search {
		fetched.configuration, failure = s.fetchConfiguration(ctx)
		if failure != nil && (before == nil || !before.lifetime.usable(s.now())) {
			return nil, failure
		}
	}
	if fetched.configuration == nil {
		fetched.configuration = before.configuration
	}
	location := fetched.configuration.jwksURL
	body, header, err := s.get(ctx, location, "the signing keys")
	if err != nil {
		return nil, err
	}
	if fetched.keys, err = parseKeySet(body); err != nil {
		return nil, fmt.Errorf("the signing keys at %s: %w", printURL(location), err)
	}
	switch {
	case search:
		fetched.lifetime = before.lifetime
	case failure != nil: // ask for the configuration again before long
		fetched.lifetime = lifetime{s.now().Add(minFreshness), before.lifetime.usableUntil}
	default:
		fetched.lifetime = lifetimeOf(header, s.now())
	}
	return &fetched, nil
}

// fetchConfiguration refuses a discovery document of another issuer and one that would
// have the keys fetched from elsewhere.
func (s *source) fetchConfiguration(ctx context.Context) (*configuration, error) {
	body, _, err := s.get(ctx, s.configurationURL, "the OpenID configuration")
	if err != nil {
		return nil, err
	}
	config, err := s.parseConfiguration(body)
	if err != nil {
		return nil, fmt.Errorf("the OpenID configuration at %s: %w", printURL(s.configurationURL), err)
	}
	return config, nil
}

func (s *source) parseConfiguration(text []byte) (*configuration, error) {
	var document struct {
		Issuer     string   `json:"issuer"`
		JWKSURI    string   `json:"jwks_uri"`
		Algorithms []string `json:"id_token_signing_alg_values_supported"`
	}
	if err := json.Unmarshal(text, &document, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)); err != nil {
		return nil, errors.New("not an OpenID discovery document")
	}
	if !origin.SameIssuer(document.Issuer, s.issuer) {
		return nil, fmt.Errorf("it is of the issuer %s, expected %s", quote(document.Issuer), quote(s.issuer))
	}
	config := &configuration{jwksURL: document.JWKSURI}
	for _, name := range s.allowed {
		if slices.Contains(document.Algorithms, name) {
			config.algorithms = append(config.algorithms, name)
		}
	}
	if len(config.algorithms) == 0 {
		return nil, fmt.Errorf("it announces the signature algorithms %s, and none of them is allowed",
			quote(strings.Join(document.Algorithms, " ")))
	}
	if err := s.checkKeysURL(document.JWKSURI); err != nil {
		return nil, fmt.Errorf("jwks_uri: %w", err)
	}
	return config, nil
}

// checkKeysURL refuses a jwks_uri on a host that neither the issuer nor the caller
// named: the document must not be able to choose the keys.
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
	return fmt.Errorf("%s is on another host than the issuer", printURL(text))
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
	case location.Scheme == "https", location.Scheme == "http" && (allowHTTP || origin.Loopback(location.Hostname())):
		return location, nil
	}
	return nil, fmt.Errorf("%s is not on https (http is for loopback hosts only)", printURL(text))
}

// sameOrigin compares scheme, host and port (RFC 6454 section 5).
func sameOrigin(one, other *url.URL) bool {
	return one.Scheme == other.Scheme && origin.HostPort(one) == origin.HostPort(other)
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
