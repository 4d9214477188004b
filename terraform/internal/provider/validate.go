package provider

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/globusauth/globusauth/terraform/internal/spec"
)

// values are the attributes of a configuration.
type values map[string]tftypes.Value

// report adds a problem of an attribute.
type report func(name, format string, args ...any)

// given reports whether an attribute is configured, perhaps with a value that is not known yet.
func (v values) given(name string) bool { return !v[name].IsNull() }

// text returns an attribute that is a string and known.
func (v values) text(name string) string {
	text, _ := encode(v[name]).(string)
	return text
}

// flag returns an attribute that is a boolean; known is false if it may be any.
func (v values) flag(name string) (value, known bool) {
	value, _ = encode(v[name]).(bool)
	return value, v[name].IsKnown()
}

var (
	uuidPattern   = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	domainPattern = regexp.MustCompile(`^(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]$`)
)

// validate checks the configured value of a field by what the spec says, and by what the service is
// known to refuse. Values that are not known yet are not checked.
func validate(f spec.Field, value tftypes.Value, problem func(format string, args ...any)) {
	if value.IsNull() || !value.IsKnown() {
		return
	}
	var entries []tftypes.Value
	switch {
	case f.Type == "object":
		for name, each := range fields(value) {
			inner, _ := f.Find(name)
			validate(inner, each, problem)
		}
	case f.Type == "array":
		_ = value.As(&entries)
		items := *f.Items
		items.Name = f.Name
		for _, entry := range entries {
			validate(items, entry, problem)
		}
	case f.Name == "authentication_assurance_timeout":
		if number, ok := encode(value).(interface{ Int64() (int64, error) }); ok {
			if seconds, err := number.Int64(); err != nil || seconds <= 0 {
				problem("It must be a positive number of seconds; leave it out for no limit.")
			}
		}
	case f.Type == "string":
		text, _ := encode(value).(string)
		validateText(f, text, problem)
	}
}

func validateText(f spec.Field, text string, problem func(format string, args ...any)) {
	switch {
	case f.Format == "uuid" && !uuidPattern.MatchString(text):
		problem("%q is not a UUID in lower case.", text)
	case len(f.Enum) > 0 && !slices.Contains(f.Enum, text):
		problem("%q is not one of %s.", text, strings.Join(f.Enum, ", "))
	case f.Pattern != "" && !regexp.MustCompile(f.Pattern).MatchString(text):
		problem("%q does not match %s.", text, f.Pattern)
	case f.Required && strings.TrimSpace(text) == "" && f.Name != "description":
		problem("It must not be empty.")
	case strings.ContainsAny(text, "\r\n") && f.Name == "name":
		problem("It must not have a line break.")
	}
	switch f.Name {
	case "contact_email":
		if name, domain, ok := strings.Cut(text, "@"); !ok || name == "" || domain == "" {
			problem("%q is not an email address.", text)
		}
	case "fqdn":
		if !domainPattern.MatchString(text) || strings.HasPrefix(text, "*") {
			problem("%q is not a host name in lower case, such as api.example.edu.", text)
		}
	case "domain_constraints_include", "domain_constraints_exclude", "required_domains":
		if !domainPattern.MatchString(text) {
			problem("%q is not a domain in lower case, such as example.edu or *.example.edu.", text)
		}
	case "redirect_uris":
		if why := redirectProblem(text); why != "" {
			problem("The redirect URI %q %s.", text, why)
		}
	case "terms_and_conditions", "privacy_policy":
		if page, err := url.Parse(text); err != nil || page.Host == "" || page.Scheme != "https" && page.Scheme != "http" {
			problem("%q is not the URL of a web page.", text)
		}
	}
}

// redirectProblem says why the service would refuse a redirect URI.
func redirectProblem(uri string) string {
	parsed, err := url.Parse(uri)
	switch {
	case err != nil || parsed.Scheme == "":
		return "is not an absolute URL"
	case strings.Contains(uri, "#"):
		return "has a fragment"
	case strings.ContainsAny(uri, " \t\r\n*"):
		return "has a space or a wildcard"
	case parsed.Scheme == "https" && parsed.Host != "":
		return ""
	case parsed.Scheme == "http" && slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, parsed.Hostname()):
		return ""
	case parsed.Scheme == "http":
		return "must use https, unless it is on a loopback address"
	case strings.Contains(parsed.Scheme, "."):
		return "" // a private-use scheme, RFC 8252 section 7.1
	}
	return "must use https, http on a loopback address, or a private scheme with a dot in it"
}
