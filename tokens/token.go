package tokens

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/globusauth/globusauth/scopes"
)

// Token is an access token for one resource server, with its scopes, its expiry and the
// refresh token that gets the next one.
//
// A Token is an immutable value: copies share nothing that can be changed, so it
// may be passed between goroutines freely. It hides its secrets when printed
// (any fmt verb), logged (slog) or encoded as JSON, XML or the like;
// [Set.MarshalStorage] is the form that keeps them. In an unexported field of
// another struct, where fmt cannot call its methods, keep it in a [Set].
type Token struct {
	// AccessToken is the secret sent in the Authorization header.
	AccessToken string
	// RefreshToken gets the next access token for the same resource server.
	// Empty when the login did not ask for offline access.
	RefreshToken string
	// TokenType is the type as the service wrote it ("Bearer", in places
	// "bearer"). Empty means Bearer.
	TokenType string
	// ResourceServer names the service that accepts the token, such as
	// "transfer.api.globus.org" or a client ID.
	ResourceServer string
	// Scope is the granted scopes as the service wrote them: names separated by
	// spaces (RFC 6749 section 3.3), without dependent scopes. [Token.Scopes]
	// splits it. It is text because strings are immutable.
	Scope string
	// Expiry is when the service stops accepting the token: the time the response
	// arrived plus its expires_in, so late by at most the time the response
	// travelled. [Refreshing] allows for that. Zero means that no end is
	// known: the token is used until a service rejects it. A [Set] keeps whole seconds.
	Expiry time.Time
	// Lifetime is expires_in, the lifetime of the token when it was issued. Zero
	// means unknown, as for a token that another program stored.
	Lifetime time.Duration
	// IdentityID is the identity that logged in (the sub of the ID token that
	// came with the login). Empty when unknown.
	IdentityID string
	// Requested is the scopes that programs asked for in the login that gave the token,
	// separated by spaces, where a later login should ask for them again: scopes of Scope that are
	// not in it were demanded by a service for that login alone. Empty means all of Scope.
	Requested string
	// IDToken is the OpenID Connect ID token that came with this token, as
	// received; package idtoken verifies it.
	IDToken string
}

// Scopes returns the granted scopes as a list of its own.
func (t Token) Scopes() scopes.List { return scopes.Of(strings.Fields(t.Scope)...) }

// Format writes the token without its secrets, whatever the verb.
func (t Token) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, t.describe())
}

func (t Token) describe() string {
	var b strings.Builder
	fmt.Fprintf(&b, "token for %q", t.ResourceServer)
	if t.Scope != "" {
		fmt.Fprintf(&b, " with scope %q", t.Scope)
	}
	if !t.Expiry.IsZero() {
		b.WriteString(" until " + t.Expiry.UTC().Format(time.RFC3339))
	}
	if t.RefreshToken != "" {
		b.WriteString(", can be refreshed")
	}
	return b.String()
}

// MarshalText writes the token without its secrets, for encoding/json, log/slog and the
// like. It cannot be read back.
func (t Token) MarshalText() ([]byte, error) { return []byte(t.describe()), nil }

// MarshalBinary always fails, so that encoding/gob and the like neither show the
// secrets nor lose them unnoticed. Use [Set.MarshalStorage].
func (t Token) MarshalBinary() ([]byte, error) { return nil, errNoBinaryForm }

var errNoBinaryForm = errors.New("tokens: encode: a token has no binary form; " +
	"write it with MarshalStorage and read it with UnmarshalStorage")

// maxElement is how long a token or a scope may be, in bytes. The list of a scope takes eight times as much
// memory.
const maxElement = 1 << 20

// normal returns the token as a Set keeps it, and what it had to leave out because it is
// unusable. Times are without a monotonic clock (which stops while a machine
// sleeps), in UTC, in whole seconds as the stored formats have them, and scopes
// are separated by one space, so that equal tokens are ==.
func (t Token) normal() (Token, []error) {
	var problems []error
	problem := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	name := fmt.Sprintf("token for %.100q", t.ResourceServer)
	switch {
	case t.ResourceServer == "":
		problem("a token names no resource server")
	case t.AccessToken == "":
		problem("%s has no access token", name)
	}
	if len(t.Scope) <= maxElement {
		t.Scope = strings.Join(strings.Fields(t.Scope), " ")
	}
	for _, element := range [...]struct {
		name  string
		text  *string
		valid func(string) bool
	}{
		{"resource server", &t.ResourceServer, printable},
		{"identity", &t.IdentityID, printable},
		{"access token", &t.AccessToken, visible},
		{"refresh token", &t.RefreshToken, visible},
		{"token type", &t.TokenType, visible},
		{"scope", &t.Scope, visible},
		{"requested scope", &t.Requested, visible},
		{"ID token", &t.IDToken, visible},
	} {
		if !element.valid(*element.text) {
			problem("%s: its %s is too long or holds characters that RFC 6749 appendix A does not allow", name, element.name)
			*element.text = ""
		}
	}
	if !t.Expiry.IsZero() {
		t.Expiry = t.Expiry.Round(0).Truncate(time.Second).UTC()
		if seconds := t.Expiry.Unix(); seconds < 1 || seconds > maxUnixSeconds {
			problem("%s has an expiry outside the years 1970 to 9999", name)
			t.Expiry = time.Time{}
		}
	}
	t.Lifetime = max(t.Lifetime, 0).Truncate(time.Second)
	return t, problems
}

// visible reports whether text is what an OAuth2 element may be made of (RFC 6749
// appendix A: visible ASCII and the space), so no line ends above all.
func visible(text string) bool {
	return len(text) <= maxElement && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}

func printable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}
