package tokens_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

func threeTokens(tb testing.TB) tokens.Set {
	tb.Helper()
	return mustSet(
		tb,
		tokens.Token{AccessToken: "A-transfer", ResourceServer: transfer, Scope: string(scopes.TransferAll)},
		tokens.Token{AccessToken: "A-auth", ResourceServer: "auth.globus.org", Scope: "email openid profile", IDToken: "i.d.t"},
		tokens.Token{AccessToken: "A-groups", ResourceServer: "groups.api.globus.org", Scope: "shared " + string(scopes.GroupsAll)},
		tokens.Token{AccessToken: "A-odd", ResourceServer: "odd", Scope: "shared"},
	)
}

func TestSetByResourceServer(t *testing.T) {
	t.Parallel()
	set := threeTokens(t)
	for _, token := range set.All() {
		got, found := set.ByResourceServer(token.ResourceServer)
		if !found || got != token {
			t.Errorf("ByResourceServer(%q) = %v, %v", token.ResourceServer, got, found)
		}
	}
	for _, name := range []string{"", "a", "zzz", "auth.globus.org "} {
		if got, found := set.ByResourceServer(name); found {
			t.Errorf("ByResourceServer(%q) found %v", name, got)
		}
	}
	if _, found := (tokens.Set{}).ByResourceServer(transfer); found {
		t.Error("the empty set holds a token")
	}
}

func TestSetAll_IsSortedAndACopy(t *testing.T) {
	t.Parallel()
	set := threeTokens(t)
	first := set.All()
	var names []string
	for _, token := range first {
		names = append(names, token.ResourceServer)
	}
	if want := []string{"auth.globus.org", "groups.api.globus.org", "odd", transfer}; !slices.Equal(names, want) {
		t.Errorf("order %q, want %q", names, want)
	}
	first[0].AccessToken = "changed"
	if got := set.All()[0].AccessToken; got != "A-auth" {
		t.Errorf("a change reached the set: %q", got)
	}
}

func TestSetByScopes(t *testing.T) {
	t.Parallel()
	set := threeTokens(t)
	for name, row := range map[string]struct {
		wanted []scopes.Scope
		token  string
		says   string
	}{
		"one":                       {wanted: []scopes.Scope{scopes.TransferAll}, token: "A-transfer"},
		"several of one token":      {wanted: []scopes.Scope{"openid", "email"}, token: "A-auth"},
		"dependencies do not count": {wanted: []scopes.Scope{scopes.TransferAll.With("x").Optional()}, token: "A-transfer"},
		"narrowed to one":           {wanted: []scopes.Scope{"shared", scopes.GroupsAll}, token: "A-groups"},
		"unknown":                   {wanted: []scopes.Scope{"openid", "nowhere"}, says: `no token holds the scope "nowhere"`},
		"part of a name":            {wanted: []scopes.Scope{"open"}, says: `no token holds the scope "open"`},
		"two tokens":                {wanted: []scopes.Scope{"openid", scopes.TransferAll}, says: "different tokens"},
		"one scope, two tokens":     {wanted: []scopes.Scope{"shared"}, says: "different tokens"},
		"no scope":                  {says: "no scope given"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := set.ByScopes(row.wanted...)
			if got.AccessToken != row.token || (err == nil) != (row.says == "") {
				t.Fatalf("got %v, %v; want %s", got, err, row.token)
			}
			if err != nil && !strings.Contains(err.Error(), row.says) {
				t.Errorf("error %q does not say %q", err, row.says)
			}
		})
	}
}

func TestSetIDToken(t *testing.T) {
	t.Parallel()
	if raw, found := threeTokens(t).IDToken(); raw != "i.d.t" || !found {
		t.Errorf("IDToken() = %q, %v", raw, found)
	}
	if raw, found := (tokens.Set{}).IDToken(); raw != "" || found {
		t.Errorf("IDToken() of nothing = %q, %v", raw, found)
	}
}

func TestSetMerge(t *testing.T) {
	t.Parallel()
	old := fullToken()
	other := tokens.Token{AccessToken: "other", ResourceServer: "other", Scope: "x"}
	later := someTime().Add(time.Hour)
	for name, row := range map[string]struct{ next, want tokens.Token }{
		"refresh without a refresh token": {
			next: tokens.Token{AccessToken: "new", ResourceServer: transfer, Scope: old.Scope, TokenType: "bearer", Expiry: later, Lifetime: time.Hour},
			want: tokens.Token{
				AccessToken: "new", RefreshToken: old.RefreshToken, ResourceServer: transfer, Scope: old.Scope, TokenType: "bearer",
				Expiry: later, Lifetime: time.Hour, IdentityID: old.IdentityID, IDToken: old.IDToken, Requested: old.Requested,
			},
		},
		"rotated": {
			next: tokens.Token{AccessToken: "new", RefreshToken: "rotated", ResourceServer: transfer, Scope: "y"},
			want: tokens.Token{
				AccessToken: "new", RefreshToken: "rotated", ResourceServer: transfer, Scope: "y", TokenType: old.TokenType,
				IdentityID: old.IdentityID, IDToken: old.IDToken, Requested: old.Requested,
			},
		},
		"nothing but a token": {
			next: tokens.Token{AccessToken: "new", ResourceServer: transfer},
			want: tokens.Token{
				AccessToken: "new", RefreshToken: old.RefreshToken, ResourceServer: transfer, Scope: old.Scope, TokenType: old.TokenType,
				IdentityID: old.IdentityID, IDToken: old.IDToken, Requested: old.Requested,
			},
		},
		"another": {
			next: tokens.Token{AccessToken: "new", ResourceServer: transfer, IdentityID: "another"},
			want: tokens.Token{AccessToken: "new", ResourceServer: transfer, IdentityID: "another"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before, next := mustSet(t, old, other), mustSet(t, row.next)
			got := before.Merge(next)
			if want := mustSet(t, row.want, other); !got.Equal(want) {
				t.Errorf("got %v\nwant %v", got, want)
			}
			if !before.Equal(mustSet(t, old, other)) || !next.Equal(mustSet(t, row.next)) {
				t.Error("merging changed its inputs")
			}
		})
	}
	set := mustSet(t, old)
	if !set.Merge(tokens.Set{}).Equal(set) || !(tokens.Set{}).Merge(set).Equal(set) {
		t.Error("merging with nothing changes the set")
	}
}

func TestSetWithout(t *testing.T) {
	t.Parallel()
	set := threeTokens(t)
	got := set.Without(transfer, "odd", "unknown")
	if names := got.All(); len(names) != 2 || names[0].ResourceServer != "auth.globus.org" || names[1].ResourceServer != "groups.api.globus.org" {
		t.Errorf("left %v", got)
	}
	if len(set.All()) != 4 {
		t.Error("the set itself was changed")
	}
	if !set.Without("auth.globus.org", "groups.api.globus.org", "odd", transfer).Equal(tokens.Set{}) {
		t.Error("a set without tokens is not the empty set")
	}
}

func TestNewSet_InvalidTokens(t *testing.T) {
	t.Parallel()
	with := func(change func(*tokens.Token)) []tokens.Token {
		token := fullToken()
		change(&token)
		return []tokens.Token{token}
	}
	for name, row := range map[string]struct {
		list []tokens.Token
		want string
	}{
		"no resource server": {with(func(t *tokens.Token) { t.ResourceServer = "" }), "names no resource server"},
		"no access token":    {with(func(t *tokens.Token) { t.AccessToken = "" }), "no access token"},
		"line end":           {with(func(t *tokens.Token) { t.AccessToken = "a\r\nX-Evil: 1" }), "access token"},
		"refresh line end":   {with(func(t *tokens.Token) { t.RefreshToken = "a\n" }), "refresh token"},
		"type line end":      {with(func(t *tokens.Token) { t.TokenType = "Bearer\n" }), "token type"},
		"scope not ASCII":    {with(func(t *tokens.Token) { t.Scope = "ä" }), "scope"},
		"ID token":           {with(func(t *tokens.Token) { t.IDToken = "\x7f" }), "ID token"},
		"server not UTF-8":   {with(func(t *tokens.Token) { t.ResourceServer = "\xff" }), "holds characters"},
		"identity control":   {with(func(t *tokens.Token) { t.IdentityID = "a\x00" }), "holds characters"},
		"before the epoch":   {with(func(t *tokens.Token) { t.Expiry = time.Unix(-1, 0) }), "1970"},
		"year 10000":         {with(func(t *tokens.Token) { t.Expiry = time.Unix(253402300800, 0) }), "9999"},
		"twice":              {[]tokens.Token{fullToken(), fullToken()}, "two tokens"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := tokens.NewSet(row.list...)
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Fatalf("error %v, want one with %q", err, row.want)
			}
			check(t, "error", err.Error())
		})
	}
}

func TestSalvage(t *testing.T) {
	t.Parallel()
	full, other := fullToken(), tokens.Token{AccessToken: "other", ResourceServer: "other"}
	with := func(change func(*tokens.Token)) tokens.Token {
		token := fullToken()
		change(&token)
		return token
	}
	given := errors.New("other_tokens[3] is not an object")
	second := with(func(t *tokens.Token) { t.AccessToken = "second" })
	for name, row := range map[string]struct {
		list  []tokens.Token
		want  []tokens.Token
		about string
	}{
		"all is well":           {[]tokens.Token{other, full}, []tokens.Token{full, other}, ""},
		"two for one, and more": {[]tokens.Token{full, second, other}, []tokens.Token{full, other}, "two tokens for"},
		"the first is unusable": {
			[]tokens.Token{with(func(t *tokens.Token) { t.AccessToken = "" }), second}, []tokens.Token{second}, "no access token",
		},
		"no resource server": {[]tokens.Token{with(func(t *tokens.Token) { t.ResourceServer = "" }), other}, []tokens.Token{other}, "no resource server"},
		"odd access token":   {[]tokens.Token{with(func(t *tokens.Token) { t.AccessToken += "\n" }), other}, []tokens.Token{other}, "its access token"},
		"odd refresh token": {
			[]tokens.Token{with(func(t *tokens.Token) { t.RefreshToken += "\n" })}, []tokens.Token{with(func(t *tokens.Token) { t.RefreshToken = "" })}, "its refresh token",
		},
		"odd type":  {[]tokens.Token{with(func(t *tokens.Token) { t.TokenType = "ü" })}, []tokens.Token{with(func(t *tokens.Token) { t.TokenType = "" })}, "its token type"},
		"odd scope": {[]tokens.Token{with(func(t *tokens.Token) { t.Scope = "ü" })}, []tokens.Token{with(func(t *tokens.Token) { t.Scope = "" })}, "its scope"},
		"endless scope": {
			[]tokens.Token{with(func(t *tokens.Token) { t.Scope = strings.Repeat("a ", 1<<19+1) })}, []tokens.Token{with(func(t *tokens.Token) { t.Scope = "" })}, "its scope",
		},
		"odd ID token": {[]tokens.Token{with(func(t *tokens.Token) { t.IDToken += "\x7f" })}, []tokens.Token{with(func(t *tokens.Token) { t.IDToken = "" })}, "its ID token"},
		"odd identity": {[]tokens.Token{with(func(t *tokens.Token) { t.IdentityID = "\x00" })}, []tokens.Token{with(func(t *tokens.Token) { t.IdentityID = "" })}, "identity"},
		"year 10000": {
			[]tokens.Token{with(func(t *tokens.Token) { t.Expiry = time.Unix(253402300800, 0) })},
			[]tokens.Token{with(func(t *tokens.Token) { t.Expiry = time.Time{} })},
			"9999",
		},
		"negative lifetime": {[]tokens.Token{with(func(t *tokens.Token) { t.Lifetime = -time.Hour })}, []tokens.Token{with(func(t *tokens.Token) { t.Lifetime = 0 })}, ""},
		"white space in scope": {
			[]tokens.Token{with(func(t *tokens.Token) { t.Scope = " a\tb\r\n  c " })}, []tokens.Token{with(func(t *tokens.Token) { t.Scope = "a b c" })}, "",
		},
		"nothing": {nil, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set := tokens.Salvage(row.list, given)
			if want := mustSet(t, row.want...); !set.Equal(want) {
				t.Errorf("got %v, want %v", set, want)
			}
			problems := set.Problems()
			if len(problems) == 0 || !errors.Is(problems[0], given) {
				t.Fatalf("problems %v, want the given one first", problems)
			}
			rest := fmt.Sprint(problems[1:])
			check(t, "problems", rest)
			if (len(problems) == 1) != (row.about == "") || !strings.Contains(rest, row.about) {
				t.Errorf("problems %v, want one about %q", rest, row.about)
			}
		})
	}
}

func TestSetProblems_AreOfTheResponseAlone(t *testing.T) {
	t.Parallel()
	set := tokens.Salvage([]tokens.Token{fullToken()}, errors.New("odd"))
	if clean := mustSet(t, fullToken()); !set.Equal(clean) || len(clean.Problems()) != 0 || len(set.Merge(clean).Problems()) != 0 {
		t.Error("problems are compared, or outlive their response")
	}
	if problems := (tokens.Set{}).Merge(set).Problems(); len(problems) != 1 {
		t.Errorf("merged, the response has the problems %v", problems)
	}
	store := tokens.NewMemory()
	put(t, store, set)
	if read, err := store.Load(t.Context(), testKey()); err != nil || len(read.Problems()) != 0 || !read.Equal(set) {
		t.Errorf("stored: %v, %v, problems %v", read, err, read.Problems())
	}
}

func TestNewSet_CopiesAndKeepsSeconds(t *testing.T) {
	t.Parallel()
	list := []tokens.Token{fullToken()}
	list[0].Expiry = time.Now() // with a monotonic reading and a zone
	list[0].Lifetime = 1500 * time.Millisecond
	set := mustSet(t, list...)
	list[0].AccessToken = "changed"
	got := set.All()[0]
	if got.AccessToken != secretAccess {
		t.Error("the set shares its argument")
	}
	if got.Expiry != got.Expiry.Round(0).Truncate(time.Second).UTC() || got.Lifetime != time.Second {
		t.Errorf("Expiry %v, Lifetime %v: not in whole seconds, or with a monotonic clock", got.Expiry, got.Lifetime)
	}
}
