package tokens

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/globusauth/globusauth/scopes"
)

// Set holds the tokens of one login: at most one per resource server. The zero
// Set is empty.
//
// A Set is an immutable value and safe for concurrent use. Like [Token] it hides
// its secrets when printed, logged or encoded, also in an unexported field.
type Set struct {
	// held returns the tokens sorted by resource server, each one normal, and the problems; nil when
	// there are none. It is a function because fmt prints functions as addresses
	// even where it cannot call methods, as in unexported fields of another struct.
	held func() ([]Token, []error)
}

// NewSet makes a set of tokens. Two tokens for one resource server are an error,
// as are tokens without a resource server or an access token, and values with
// characters that RFC 6749 appendix A does not allow. Times are kept in UTC and to the second,
// scopes with one space between them.
func NewSet(list ...Token) (Set, error) {
	set := Salvage(list)
	if problems := set.Problems(); len(problems) > 0 {
		return Set{}, fmt.Errorf("tokens: new set: %w", problems[0])
	}
	return set, nil
}

// Salvage makes a set of what is usable in a response of the token endpoint. The
// rest becomes its [Set.Problems], after those given: a token without a resource server
// or a usable access token is left out, as is a second one for the same resource server;
// of a field that [NewSet] would refuse only the field is left out. Salvage never
// fails, because what the response replaces may already be revoked.
func Salvage(list []Token, problems ...error) Set {
	problems = slices.Clone(problems)
	usable := make([]Token, 0, len(list))
	for _, token := range list {
		normal, found := token.normal()
		problems = append(problems, found...)
		switch {
		case normal.ResourceServer == "" || normal.AccessToken == "":
		case slices.ContainsFunc(usable, func(t Token) bool { return t.ResourceServer == normal.ResourceServer }):
			problems = append(problems, fmt.Errorf("two tokens for %q", normal.ResourceServer))
		default:
			usable = append(usable, normal)
		}
	}
	slices.SortFunc(usable, byResourceServer)
	return wrap(usable, problems)
}

func wrap(sorted []Token, problems []error) Set {
	if len(sorted)+len(problems) == 0 {
		return Set{}
	}
	return Set{func() ([]Token, []error) { return sorted, problems }}
}

func byResourceServer(a, b Token) int { return strings.Compare(a.ResourceServer, b.ResourceServer) }

func (s Set) list() []Token {
	if s.held == nil {
		return nil
	}
	list, _ := s.held()
	return list
}

// Problems returns what could not be read in the response that this set comes from, in a slice of its own.
// The errors hold no secrets. Problems are not stored and not
// compared: a set read from a [Store] has none.
func (s Set) Problems() []error {
	if s.held == nil {
		return nil
	}
	_, problems := s.held()
	return slices.Clone(problems)
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
// names count: dependencies and the optional mark are not part of what a token lists. The
// error says which scope no token holds, or that the scopes belong to different tokens.
func (s Set) ByScopes(wanted ...scopes.Scope) (Token, error) {
	if len(wanted) == 0 {
		return Token{}, errors.New("tokens: find by scopes: no scope given")
	}
	matching := s.All()
	for _, scope := range wanted {
		lacks := func(token Token) bool { return !slices.Contains(strings.Fields(token.Scope), scope.Name()) }
		if len(slices.DeleteFunc(s.All(), lacks)) == 0 {
			return Token{}, fmt.Errorf("tokens: find by scopes: no token holds the scope %q", scope.Name())
		}
		matching = slices.DeleteFunc(matching, lacks)
	}
	if len(matching) != 1 {
		return Token{}, fmt.Errorf("tokens: find by scopes: the scopes %q belong to different tokens", wanted)
	}
	return matching[0], nil
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
// over it, and with the problems of next. Resource servers that next does not have stay as they
// are. Where both have one, next wins, also with fewer scopes: what was granted before may have been
// withdrawn, so a login that is to keep scopes asks for them again. What next
// leaves empty of the refresh token, identity, ID token, scopes and type is kept from
// before, unless both name an identity and the identities differ: then nothing is kept.
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
	return wrap(merged, next.Problems())
}

// over fills what a token response left out from the token it replaces.
func (t Token) over(before Token) Token {
	if t.IdentityID != "" && before.IdentityID != "" && t.IdentityID != before.IdentityID {
		return t
	}
	t.RefreshToken = cmp.Or(t.RefreshToken, before.RefreshToken)
	t.IdentityID = cmp.Or(t.IdentityID, before.IdentityID)
	t.IDToken = cmp.Or(t.IDToken, before.IDToken)
	t.Scope = cmp.Or(t.Scope, before.Scope)
	t.Requested = cmp.Or(t.Requested, before.Requested)
	t.TokenType = cmp.Or(t.TokenType, before.TokenType)
	return t
}

// Without returns the set without the tokens of the named resource servers.
func (s Set) Without(resourceServers ...string) Set {
	rest := slices.DeleteFunc(s.All(), func(t Token) bool {
		return slices.Contains(resourceServers, t.ResourceServer)
	})
	return wrap(rest, nil)
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

// MarshalText writes the tokens without their secrets, for encoding/json, log/slog and the
// like. It cannot be read back.
func (s Set) MarshalText() ([]byte, error) { return []byte(s.describe()), nil }

// MarshalBinary always fails, so that encoding/gob and the like neither show the
// secrets nor lose them unnoticed. Use [Set.MarshalStorage].
func (s Set) MarshalBinary() ([]byte, error) { return nil, errNoBinaryForm }
