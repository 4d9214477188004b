package tokens

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/globusauth/globusauth/scopes"
)

var (
	// ErrNoToken says that a set holds no token for what was asked.
	ErrNoToken = errors.New("no such token")
	// ErrAmbiguousScopes says that several scopes do not name exactly one token.
	ErrAmbiguousScopes = errors.New("scopes do not name exactly one token")
)

// Set is what one login gave: at most one token per resource server. The zero
// Set is empty.
//
// A Set is an immutable value and safe for concurrent use. Like [Token] it hides
// its secrets when printed, logged or encoded as JSON.
type Set struct {
	// held returns the tokens sorted by resource server, each one normal; nil when
	// there are none. It is a function because fmt prints functions as addresses
	// even where it calls no methods, as in unexported fields of somebody's struct.
	held func() []Token
}

// NewSet makes a set of tokens. Two tokens for one resource server are an error,
// as are tokens without a resource server or an access token, and values with
// characters that RFC 6749 appendix A does not allow. Times are kept in UTC and to the second.
func NewSet(list ...Token) (Set, error) {
	sorted := make([]Token, len(list))
	for i, token := range list {
		normal, err := token.normal()
		if err != nil {
			return Set{}, fmt.Errorf("tokens: new set: %w", err)
		}
		sorted[i] = normal
	}
	slices.SortFunc(sorted, byResourceServer)
	for i := 1; i < len(sorted); i++ {
		if sorted[i].ResourceServer == sorted[i-1].ResourceServer {
			return Set{}, fmt.Errorf("tokens: new set: two tokens for %q", sorted[i].ResourceServer)
		}
	}
	return wrap(sorted), nil
}

func wrap(sorted []Token) Set {
	if len(sorted) == 0 {
		return Set{}
	}
	return Set{held: func() []Token { return sorted }}
}

func byResourceServer(a, b Token) int { return strings.Compare(a.ResourceServer, b.ResourceServer) }

func (s Set) list() []Token {
	if s.held == nil {
		return nil
	}
	return s.held()
}

// All returns the tokens sorted by resource server, in a slice of its own.
func (s Set) All() []Token { return slices.Clone(s.list()) }

// Equal reports whether both sets hold the same tokens.
func (s Set) Equal(other Set) bool { return slices.Equal(s.list(), other.list()) }

// ByResourceServer returns the token for a resource server, and whether there is one.
func (s Set) ByResourceServer(name string) (Token, bool) {
	list := s.list()
	i, found := slices.BinarySearchFunc(list, name, func(t Token, name string) int {
		return strings.Compare(t.ResourceServer, name)
	})
	if !found {
		return Token{}, false
	}
	return list[i], true
}

// ByScopes returns the one token that holds all the given scopes. Only their
// names count: dependencies and the optional mark are not part of what a token lists.
//
// Errors: [ErrNoToken] for a scope that no token holds, [ErrAmbiguousScopes] when
// the scopes belong to different tokens; the message says which scope belongs where.
func (s Set) ByScopes(wanted ...scopes.Scope) (Token, error) {
	if len(wanted) == 0 {
		return Token{}, errors.New("tokens: find by scopes: no scope given")
	}
	holders := make([][]string, len(wanted))
	var matching []Token
	for _, token := range s.list() {
		granted := strings.Fields(token.Scope)
		held := 0
		for i, scope := range wanted {
			if slices.Contains(granted, scope.Name()) {
				holders[i] = append(holders[i], token.ResourceServer)
				held++
			}
		}
		if held == len(wanted) {
			matching = append(matching, token)
		}
	}
	if len(matching) == 1 {
		return matching[0], nil
	}
	var where []string
	for i, scope := range wanted {
		if len(holders[i]) == 0 {
			return Token{}, fmt.Errorf("tokens: find by scopes: %w: none holds the scope %q", ErrNoToken, scope.Name())
		}
		where = append(where, fmt.Sprintf("%q is for %s", scope.Name(), strings.Join(holders[i], " and ")))
	}
	return Token{}, fmt.Errorf("tokens: find by scopes: %w: %s", ErrAmbiguousScopes, strings.Join(where, ", "))
}

// IDToken returns the raw ID token of the login, and whether there is one.
// Package idtoken verifies it.
func (s Set) IDToken() (string, bool) {
	for _, token := range s.list() {
		if token.IDToken != "" {
			return token.IDToken, true
		}
	}
	return "", false
}

// Merge returns the set with the tokens of a refresh or of a further login put
// over it. Resource servers that next does not have stay as they are. Where both
// have one, next wins; what it leaves empty of the refresh token, identity, ID token,
// scope and type is kept from before, unless both name an identity
// and the identities differ: then nothing is kept.
func (s Set) Merge(next Set) Set {
	merged := make([]Token, 0, len(s.list())+len(next.list()))
	for _, token := range s.list() {
		if _, replaced := next.ByResourceServer(token.ResourceServer); !replaced {
			merged = append(merged, token)
		}
	}
	for _, token := range next.list() {
		if before, had := s.ByResourceServer(token.ResourceServer); had {
			token = token.over(before)
		}
		merged = append(merged, token)
	}
	slices.SortFunc(merged, byResourceServer)
	return wrap(merged)
}

// over fills what a token answer left out from the token it replaces.
func (t Token) over(before Token) Token {
	if t.IdentityID != "" && before.IdentityID != "" && t.IdentityID != before.IdentityID {
		return t
	}
	keep := func(field *string, old string) {
		if *field == "" {
			*field = old
		}
	}
	keep(&t.RefreshToken, before.RefreshToken)
	keep(&t.IdentityID, before.IdentityID)
	keep(&t.IDToken, before.IDToken)
	keep(&t.Scope, before.Scope)
	keep(&t.TokenType, before.TokenType)
	return t
}

// Without returns the set without the tokens of the named resource servers.
func (s Set) Without(resourceServers ...string) Set {
	rest := slices.DeleteFunc(s.All(), func(t Token) bool {
		return slices.Contains(resourceServers, t.ResourceServer)
	})
	return wrap(rest)
}

// forgetRefresh returns the set without the refresh token of one resource server.
func (s Set) forgetRefresh(resourceServer string) Set {
	list := s.All()
	for i := range list {
		if list[i].ResourceServer == resourceServer {
			list[i].RefreshToken = ""
		}
	}
	return wrap(list)
}

// Format writes the set without its secrets, whatever the verb.
func (s Set) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.describe()) }

func (s Set) describe() string {
	parts := make([]string, 0, len(s.list()))
	for _, token := range s.list() {
		parts = append(parts, token.describe())
	}
	return "{" + strings.Join(parts, "; ") + "}"
}

// LogValue returns the tokens without their secrets, grouped by resource server.
func (s Set) LogValue() slog.Value {
	attrs := make([]slog.Attr, 0, len(s.list()))
	for _, token := range s.list() {
		attrs = append(attrs, slog.Attr{Key: token.ResourceServer, Value: token.LogValue()})
	}
	return slog.GroupValue(attrs...)
}

// MarshalJSON writes the tokens without their secrets. [Set.MarshalStorage]
// writes them.
func (s Set) MarshalJSON() ([]byte, error) {
	byName := make(map[string]Token, len(s.list()))
	for _, token := range s.list() {
		byName[token.ResourceServer] = token
	}
	return json.Marshal(byName)
}

// MarshalText writes the tokens without their secrets, for encoding/xml and the
// like. It cannot be read back.
func (s Set) MarshalText() ([]byte, error) { return []byte(s.describe()), nil }

// UnmarshalJSON always fails: the form that [Set.MarshalJSON] writes has lost the
// secrets. Use [UnmarshalStorage].
func (s *Set) UnmarshalJSON([]byte) error { return errRedactedForm }
