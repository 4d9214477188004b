package tokens

import (
	"cmp"
	"context"
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

// What a durable store can report beside the errors of the file system. Each
// message names the file and what to do.
var (
	// ErrUnreadable says that what is stored is damaged, or in a format of another
	// version. It is never overwritten.
	ErrUnreadable = errors.New("stored tokens cannot be read")
	// ErrUnsafe says that others could read or replace what is stored.
	ErrUnsafe = errors.New("stored tokens are not safe from others")
	// ErrLocked says that another process kept the store locked for too long.
	ErrLocked = errors.New("another process holds the lock")
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

// Store keeps the tokens of logins. [Memory] is one; packages filestore and
// sqlitestore are durable; package storetest checks that a store of your own keeps what this contract promises.
//
// A store is safe for concurrent use, and where several processes can open the
// same store, its promises hold between them too.
type Store interface {
	// Load returns what is stored under key, an empty set if nothing is. It takes
	// no lock and does not wait for an Update: it returns the state before or
	// after, never one in between.
	Load(ctx context.Context, key Key) (Set, error)

	// Update replaces what is stored under key by what fn makes of it, and returns
	// that. Updates of one key happen one after the other, also across
	// processes; fn is called at most once, with the stored state read after the
	// lock was taken, and may take its time, such as for a refresh. When Update
	// returns without an error the new state is durable. When fn returns an
	// error, or panics, nothing is changed, and Update returns that error, wrapped.
	// An empty next set removes the key.
	//
	// Waiting for other updates ends with ctx. Once fn has returned without an
	// error its result is stored even if ctx has ended meanwhile: it may hold a
	// refresh token whose predecessor is already used. If it cannot be stored, Update
	// returns next with the error, so that the caller still holds what fn got.
	//
	// fn must not call Update or Delete of the same store.
	Update(ctx context.Context, key Key, fn func(current Set) (next Set, err error)) (Set, error)

	// Delete removes what is stored under key. Nothing stored is no error.
	Delete(ctx context.Context, key Key) error

	// Keys returns the keys under which something is stored, sorted, defaults filled in.
	Keys(ctx context.Context) ([]Key, error)
}
