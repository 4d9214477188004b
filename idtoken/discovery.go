package idtoken

import (
	"cmp"
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
	algorithms []string // announced by the provider and allowed by the verifier; nil for pinned keys, which say it themselves
}

// parseConfiguration refuses a discovery document of another issuer and one that names
// keys on another host.
func (s *source) parseConfiguration(text []byte) (configuration, error) {
	var document struct {
		Issuer     string   `json:"issuer"`
		JWKSURI    string   `json:"jwks_uri"`
		Algorithms []string `json:"id_token_signing_alg_values_supported"`
	}
	if err := json.Unmarshal(text, &document, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)); err != nil {
		return configuration{}, errors.New("not an OpenID discovery document")
	}
	if !origin.SameIssuer(document.Issuer, s.config.Issuer) {
		return configuration{}, fmt.Errorf("its issuer is %.100q, expected %.100q", document.Issuer, s.config.Issuer)
	}
	usable := slices.DeleteFunc(slices.Clone(document.Algorithms), func(name string) bool { return s.allowed[name] == nil })
	if len(usable) == 0 {
		return configuration{}, fmt.Errorf("it announces the signature algorithms %.100q, none of which is allowed",
			strings.Join(document.Algorithms, " "))
	}
	location, err := parseURL(document.JWKSURI, s.config.UnsafeAllowHTTP)
	if err != nil {
		return configuration{}, fmt.Errorf("jwks_uri: %w", err)
	}
	// The document must not be able to choose the keys.
	if !slices.Contains(s.trusted, origin.Of(location)) {
		return configuration{}, fmt.Errorf("jwks_uri: %s is on another host than the issuer", printURL(document.JWKSURI))
	}
	return configuration{document.JWKSURI, usable}, nil
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

// printURL returns a URL without user for an error: without its query.
func printURL(text string) string {
	location, _, _ := strings.Cut(text, "?")
	return fmt.Sprintf("%.100q", location)
}

// boundedClient copies the caller's client, without cookies and redirects.
func boundedClient(given *http.Client) *http.Client {
	client := *cmp.Or(given, &http.Client{})
	client.Jar = nil
	client.CheckRedirect = func(request *http.Request, _ []*http.Request) error {
		return fmt.Errorf("redirected to %.100q, which is not followed", request.URL.Host)
	}
	return &client
}
