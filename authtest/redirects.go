package authtest

import (
	"net/url"
	"slices"
	"strings"

	"github.com/globusauth/globusauth/internal/origin"
)

// acceptsRedirect reports whether a response may be sent to a redirect URI. A
// registered one is compared exactly. Native clients and the instances of their
// templates may use any loopback address with any port and path (RFC 8252 section 7.3), and the page that shows
// the code.
func (c *client) acceptsRedirect(uri, base string) bool {
	if uri == "" {
		return false
	}
	if slices.Contains(c.RedirectURIs, uri) {
		return true
	}
	if !c.native() {
		return false
	}
	if uri == base+"/v2/web/auth-code" {
		return true
	}
	parsed, err := url.Parse(uri)
	return err == nil && parsed.Scheme == "http" && origin.Loopback(parsed.Hostname()) &&
		parsed.User == nil && parsed.Fragment == "" && !strings.Contains(uri, "#")
}

// checkRedirectURI checks a redirect URI for registration.
func checkRedirectURI(uri string) error {
	parsed, err := url.Parse(uri)
	switch {
	case err != nil || parsed.Scheme == "":
		return badRequest("The redirect URI '" + uri + "' is not an absolute URL")
	case strings.Contains(uri, "#"):
		return badRequest("The redirect URI '" + uri + "' has a fragment")
	case strings.ContainsAny(uri, " \t\r\n*"):
		return badRequest("The redirect URI '" + uri + "' has a space or a wildcard")
	case parsed.Scheme == "https" && parsed.Host != "":
		return nil
	case parsed.Scheme == "http" && origin.Loopback(parsed.Hostname()):
		return nil
	case parsed.Scheme == "http":
		return badRequest("The redirect URI '" + uri + "' must use https, unless it is on a loopback address")
	case strings.Contains(parsed.Scheme, "."):
		return nil // a private-use scheme, RFC 8252 section 7.1
	}
	return badRequest("The redirect URI '" + uri + "' must use https, http on a loopback address, or a private scheme with a dot in it")
}

// withQuery adds parameters to the query of a URI and leaves the rest as it is.
func withQuery(uri string, params url.Values) string {
	separator := "?"
	if strings.Contains(uri, "?") {
		separator = "&"
	}
	if strings.HasSuffix(uri, "?") || strings.HasSuffix(uri, "&") {
		separator = ""
	}
	return uri + separator + params.Encode()
}
