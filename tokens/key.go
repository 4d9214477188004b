package tokens

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/globusauth/globusauth/internal/environment"
)

const (
	defaultNamespace = "DEFAULT"
	maxKeyPart       = 128
)

// Key says whose tokens: those a client got, in one environment of the service at
// one address, for one namespace. Namespaces keep several users of one client apart.
type Key struct {
	// ClientID is the OAuth2 client the tokens were issued to. Required.
	ClientID string
	// Environment is the service's environment. Empty means "production".
	Environment string
	// Address is the base URL of a service at an address of its own, such as an
	// emulator; [globusauth.Client.Address] returns it. Empty means the
	// environment's own address. A token issued at one address is never found under another.
	//
	// [globusauth.Client.Address]: https://pkg.go.dev/github.com/globusauth/globusauth#Client.Address
	Address string
	// Namespace is free text. Empty means "DEFAULT", which is where apps keep
	// their tokens.
	Namespace string
}

// Normal checks the key and returns it with its defaults filled in. Every store
// calls it first, so that all accept the same keys: ClientID and Environment are made
// of ASCII letters, digits, '.', '_' and '-' and do not begin with a '.' or '-'; Namespace is
// valid UTF-8 without control characters; Address is an http or https URL without user, query and
// fragment, returned in lower case up to the path, without the scheme's default port, and with one
// slash at its end. None is longer than 128 bytes.
func (k Key) Normal() (Key, error) {
	if k.ClientID == "" {
		return Key{}, errors.New("tokens: key: the client ID is empty")
	}
	if k.Environment == "" {
		k.Environment = environment.Production
	}
	if k.Namespace == "" {
		k.Namespace = defaultNamespace
	}
	for _, part := range []struct {
		name, value string
		bad         func(rune) bool
	}{
		{"client ID", k.ClientID, notNameChar},
		{"environment", k.Environment, notNameChar},
		{"address", k.Address, unicode.IsControl},
		{"namespace", k.Namespace, unicode.IsControl},
	} {
		switch {
		case len(part.value) > maxKeyPart:
			return Key{}, fmt.Errorf("tokens: key: the %s is longer than %d bytes", part.name, maxKeyPart)
		case !utf8.ValidString(part.value):
			return Key{}, fmt.Errorf("tokens: key: the %s is not valid UTF-8", part.name)
		case strings.ContainsFunc(part.value, part.bad):
			return Key{}, fmt.Errorf("tokens: key: the %s %q has characters that are not allowed", part.name, part.value)
		}
	}
	for _, name := range []string{k.ClientID, k.Environment} {
		if name[0] == '.' || name[0] == '-' {
			return Key{}, fmt.Errorf("tokens: key: %q begins with %q", name, name[0])
		}
	}
	address, err := normalAddress(k.Address)
	if err != nil {
		return Key{}, fmt.Errorf("tokens: key: the address: %w", err)
	}
	k.Address = address
	return k, nil
}

// normalAddress returns the one spelling of a base URL.
func normalAddress(raw string) (string, error) {
	if raw == "" {
		return "", nil
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return "", errors.New("it is not an absolute http or https URL") // and may hold a password
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "", fmt.Errorf("the URL of %q has a user, a query or a fragment", u.Host)
	}
	host, port := strings.ToLower(u.Hostname()), u.Port()
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port != "" && port != map[string]string{"http": "80", "https": "443"}[u.Scheme] {
		host += ":" + port
	}
	return u.Scheme + "://" + host + strings.TrimRight(u.EscapedPath(), "/") + "/", nil
}

// Compare orders keys by client, environment, address and namespace, as
// [Store.Keys] returns them.
func (k Key) Compare(other Key) int {
	return cmp.Or(
		cmp.Compare(k.ClientID, other.ClientID),
		cmp.Compare(k.Environment, other.Environment),
		cmp.Compare(k.Address, other.Address),
		cmp.Compare(k.Namespace, other.Namespace),
	)
}

// notNameChar reports what must not stand in a client ID or environment, since
// both become file names.
func notNameChar(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
		return false
	}
	return true
}
