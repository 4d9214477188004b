package tokens

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/globusauth/globusauth/internal/environment"
	"github.com/globusauth/globusauth/internal/origin"
	"github.com/globusauth/globusauth/internal/prefix"
)

const (
	defaultNamespace = "DEFAULT"
	maxKeyPart       = 128
	// Client IDs and environments become file names.
	fileNameChars = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
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
func (k Key) Normal() (_ Key, err error) {
	defer prefix.Add(&err, "tokens: key")
	k.Environment = cmp.Or(k.Environment, environment.Production)
	k.Namespace = cmp.Or(k.Namespace, defaultNamespace)
	for _, part := range []struct{ name, value, allowed string }{
		{"client ID", k.ClientID, fileNameChars},
		{"environment", k.Environment, fileNameChars},
		{"namespace", k.Namespace, ""},
	} {
		switch isName := part.allowed != ""; {
		case isName && part.value == "":
			return Key{}, fmt.Errorf("the %s is empty", part.name)
		case len(part.value) > maxKeyPart:
			return Key{}, fmt.Errorf("the %s is longer than %d bytes", part.name, maxKeyPart)
		case !printable(part.value), isName && strings.Trim(part.value, part.allowed) != "", isName && strings.IndexAny(part.value, ".-") == 0:
			return Key{}, fmt.Errorf("the %s %q has characters that are not allowed", part.name, part.value)
		}
	}
	k.Address, err = normalAddress(k.Address)
	return k, err
}

// normalAddress returns the one spelling of a base URL.
func normalAddress(raw string) (string, error) {
	if raw == "" {
		return "", nil
	}
	u, err := url.Parse(raw)
	switch {
	case len(raw) > maxKeyPart:
		return "", fmt.Errorf("the address is longer than %d bytes", maxKeyPart)
	case err != nil || !printable(raw) || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return "", errors.New("the address is not an absolute http or https URL") // and may hold a password
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "", fmt.Errorf("the address, at %q, has a user, a query or a fragment", u.Host)
	}
	host := strings.TrimSuffix(origin.HostPort(u), map[string]string{"http": ":80", "https": ":443"}[u.Scheme])
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
