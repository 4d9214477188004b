package flows_test

import (
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/idtoken"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

var current = tokens.Token{
	AccessToken: "access-SECRET-old", RefreshToken: "refresh-SECRET-old", ResourceServer: scopes.TransferResourceServer,
	Scope: string(scopes.TransferAll), IdentityID: alice, IDToken: "id-token-of-the-login",
}

// refreshed is a response to a refresh.
func refreshed(changes object) func(received) (int, any) {
	response := object{
		"access_token": "access-SECRET-new", "token_type": "Bearer", "expires_in": 172800,
		"resource_server": scopes.TransferResourceServer, "scope": string(scopes.TransferAll), "other_tokens": []object{},
	}
	maps.Copy(response, changes)
	return func(received) (int, any) { return http.StatusOK, response }
}

func TestConfigRefresh_KeepsFieldsMissingInResponse(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	p.respond = refreshed(nil)
	set, err := p.native(t).Refresh(t.Context(), current)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := set.ByResourceServer(scopes.TransferResourceServer)
	want := current
	want.AccessToken, want.TokenType, want.Lifetime = "access-SECRET-new", "Bearer", 48*time.Hour
	want.Expiry = p.clock.Now().Add(48 * time.Hour).UTC()
	if got != want || len(set.All()) != 1 {
		t.Errorf("%d tokens, got %v\nwant %v", len(set.All()), got, want)
	}
	p.respond = refreshed(object{"refresh_token": "refresh-SECRET-new"})
	if set, err = p.native(t).Refresh(t.Context(), current); err != nil {
		t.Fatal(err)
	}
	if got, _ = set.ByResourceServer(scopes.TransferResourceServer); got.RefreshToken != "refresh-SECRET-new" {
		t.Error("the new refresh token was not taken")
	}
	// A program that kept the refresh token alone.
	p.respond = refreshed(nil)
	if set, err = p.native(t).Refresh(t.Context(), tokens.Token{RefreshToken: "refresh-SECRET-old"}); err != nil {
		t.Fatal(err)
	}
	if got, _ = set.ByResourceServer(scopes.TransferResourceServer); got.RefreshToken != "refresh-SECRET-old" || got.AccessToken != "access-SECRET-new" {
		t.Errorf("from a bare refresh token: %v", got)
	}
}

func TestConfigRefresh_Refuses(t *testing.T) {
	t.Parallel()
	other := object{"access_token": "a", "resource_server": "groups.api.globus.org", "scope": "s", "expires_in": 60, "token_type": "Bearer"}
	for name, test := range map[string]struct {
		current tokens.Token
		respond func(received) (int, any)
		want    error
	}{
		"nothing to refresh with": {tokens.Token{ResourceServer: "r", AccessToken: "a"}, nil, tokens.ErrLoginRequired},
		"another resource server": {current, refreshed(object{"resource_server": "groups.api.globus.org"}), flows.ErrToken},
		"several others":          {current, refreshed(object{"resource_server": "x", "other_tokens": []object{other}}), flows.ErrToken},
		"an unknown token type":   {current, refreshed(object{"token_type": "mac"}), flows.ErrToken},
		"no token":                {current, refreshed(object{"access_token": ""}), flows.ErrToken},
		"dead, status 400": {current, func(received) (int, any) {
			return http.StatusBadRequest, object{"error": "invalid_grant"}
		}, apierror.ErrInvalidGrant},
		"dead, status 401": {current, func(received) (int, any) {
			return http.StatusUnauthorized, object{"error": "invalid_grant"}
		}, apierror.ErrInvalidGrant},
		"not JSON": {current, func(received) (int, any) { return http.StatusOK, "<html>" }, globusauth.ErrMalformedResponse},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t)
			p.respond = test.respond
			set, err := p.native(t).Refresh(t.Context(), test.current)
			if !errors.Is(err, test.want) || !strings.HasPrefix(err.Error(), "flows: refresh token: ") {
				t.Errorf("error %v, want %v", err, test.want)
			}
			if len(set.All()) != 0 {
				t.Errorf("tokens %v", set)
			}
			if test.respond == nil && len(p.received()) != 0 {
				t.Error("a request was made")
			}
		})
	}
}

// A refresh uses the refresh token: an ID token that comes with it and fails a check
// is left out and reported, and the tokens stay.
func TestConfigRefresh_IDToken(t *testing.T) {
	t.Parallel()
	header := object{"typ": "JWT", "alg": "RS512"}
	for name, test := range map[string]struct {
		idToken  func(claims object) any
		before   string
		keysDown bool
		kept     bool   // the ID token from before
		problem  string // empty: none
	}{
		"good":                           {before: alice},
		"good, without a known identity": {},
		"no at_hash":                     {before: alice, idToken: func(c object) any { delete(c, "at_hash"); return sign(signingKey(), header, c) }},
		"another token's":                {before: alice, idToken: func(c object) any { c["at_hash"] = tokenHash("x"); return sign(signingKey(), header, c) }, kept: true, problem: "at_hash"},
		"another audience":               {before: alice, idToken: func(c object) any { c["aud"] = "another"; return sign(signingKey(), header, c) }, kept: true, problem: "aud"},
		"no iat":                         {before: alice, idToken: func(c object) any { delete(c, "iat"); return sign(signingKey(), header, c) }, kept: true, problem: "iat: the token does not say"},
		"another key":                    {before: alice, idToken: func(c object) any { return sign(otherKey(), header, c) }, kept: true, problem: "signature"},
		"another identity, forged": {
			before: alice, idToken: func(c object) any { c["sub"] = "mallory"; return sign(otherKey(), header, c) }, kept: true, problem: "signature",
		},
		"garbage":    {before: alice, idToken: func(object) any { return "openid_token" }, kept: true, problem: "format"},
		"a line end": {before: alice, idToken: func(object) any { return "a\nb" }, kept: true, problem: "ID token"},
		"a number":   {before: alice, idToken: func(object) any { return 7 }, kept: true},
		"keys down":  {before: alice, keysDown: true, kept: true, problem: idtoken.ErrUnavailable.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t)
			p.keysDown = test.keysDown
			claims := p.claims("")
			claims["at_hash"] = tokenHash("access-SECRET-new")
			var raw any
			if test.idToken == nil {
				raw = sign(signingKey(), header, claims)
			} else {
				raw = test.idToken(claims)
			}
			p.respond = refreshed(object{"id_token": raw, "refresh_token": "refresh-SECRET-new"})
			before := current
			before.IdentityID = test.before
			set, err := p.native(t).Refresh(t.Context(), before)
			if err != nil {
				t.Fatal(err)
			}
			got, _ := set.ByResourceServer(scopes.TransferResourceServer)
			wantID := raw
			if test.kept {
				wantID = current.IDToken
			}
			if got.IDToken != wantID || got.IdentityID != alice || got.AccessToken != "access-SECRET-new" || got.RefreshToken != "refresh-SECRET-new" {
				t.Errorf("identity %q, ID token kept %t, %v", got.IdentityID, got.IDToken == current.IDToken, got)
			}
			problems, log := errors.Join(set.Problems()...), p.log.String()
			if (problems == nil) != (test.problem == "") || problems != nil && !strings.Contains(problems.Error(), test.problem) {
				t.Errorf("problems %v, want %q", problems, test.problem)
			}
			if !strings.Contains(log, test.problem) || strings.Contains(log, "SECRET") || len(p.revoked()) != 0 {
				t.Errorf("log %s, revoked %q", log, p.revoked())
			}
		})
	}
}

// A verified ID token of another identity says that these are another person's
// tokens. They are not handed out and not left alive; the refresh token that the
// caller holds is left to the caller.
func TestConfigRefresh_AnotherIdentity(t *testing.T) {
	t.Parallel()
	for name, rotated := range map[string]string{"rotated": "refresh-SECRET-new", "not rotated": current.RefreshToken} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t)
			claims := p.claims("")
			claims["at_hash"] = tokenHash("access-SECRET-new")
			p.respond = refreshed(object{"id_token": sign(signingKey(), object{"alg": "RS512"}, claims), "refresh_token": rotated})
			before := current
			before.IdentityID = "another-identity"
			set, err := p.native(t).Refresh(t.Context(), before)
			if !errors.Is(err, flows.ErrIdentity) || !errors.Is(err, tokens.ErrLoginRequired) || len(set.All()) != 0 {
				t.Errorf("%v, %v", set, err)
			}
			want := []string{"access-SECRET-new"}
			if name == "rotated" {
				want = append(want, rotated)
			}
			if diff := cmp.Diff(want, p.revoked()); diff != "" {
				t.Errorf("revoked: %s", diff)
			}
		})
	}
}

// A response to a refresh that holds more or says less than it should.
func TestConfigRefresh_OddResponses(t *testing.T) {
	t.Parallel()
	groups := tokenEntry(object{"access_token": "access-SECRET-groups", "resource_server": "groups.api.globus.org"})
	nameless := tokenEntry(object{"access_token": "access-SECRET-nameless"})
	delete(nameless, "resource_server")
	for name, test := range map[string]struct {
		change  object
		before  tokens.Token
		servers string
		problem string
	}{
		"no resource server":                        {change: object{"resource_server": ""}, before: current},
		"an odd resource server":                    {change: object{"resource_server": 7}, before: current},
		"no resource server, and tokens for others": {change: object{"resource_server": nil, "other_tokens": []object{groups}}, before: current, servers: "groups.api.globus.org transfer.api.globus.org"},
		"tokens for others too":                     {change: object{"other_tokens": []object{groups}}, before: current, servers: "groups.api.globus.org transfer.api.globus.org"},
		"a nameless one too":                        {change: object{"other_tokens": []object{nameless}}, before: current, problem: "no resource server"},
		"the wanted one twice":                      {change: object{"other_tokens": []object{tokenEntry(nil)}}, before: current, problem: "two tokens"},
		"a bad one for another":                     {change: object{"other_tokens": []object{tokenEntry(object{"resource_server": "b", "token_type": "mac"})}}, before: current, problem: "Bearer"},
		"only a refresh token":                      {before: tokens.Token{RefreshToken: current.RefreshToken}},
		"a stored token that no set would take":     {before: tokens.Token{RefreshToken: current.RefreshToken, AccessToken: "a\nb", ResourceServer: current.ResourceServer}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t)
			p.respond = refreshed(test.change)
			set, err := p.native(t).Refresh(t.Context(), test.before)
			if err != nil {
				t.Fatal(err)
			}
			var servers []string
			for _, token := range set.All() {
				servers = append(servers, token.ResourceServer)
				if token.IdentityID != test.before.IdentityID {
					t.Errorf("%v is for %q", token, token.IdentityID)
				}
			}
			if want := or(test.servers, current.ResourceServer); strings.Join(servers, " ") != want {
				t.Errorf("tokens for %q, want %q", servers, want)
			}
			if got, _ := set.ByResourceServer(current.ResourceServer); got.AccessToken != "access-SECRET-new" || got.RefreshToken == "" {
				t.Errorf("got %v", got)
			}
			if problems := errors.Join(set.Problems()...); (problems == nil) != (test.problem == "") || problems != nil && !strings.Contains(problems.Error(), test.problem) {
				t.Errorf("problems %v, want %q", problems, test.problem)
			}
		})
	}
}

// A refresh token without a usable access token is the only one that works from then on.
func TestConfigRefresh_OnlyTheRefreshTokenIsUsable(t *testing.T) {
	t.Parallel()
	groups := tokenEntry(object{"resource_server": "groups.api.globus.org", "refresh_token": nil})
	for name, change := range map[string]object{
		"no access token":         {"access_token": nil},
		"an odd access token":     {"access_token": 7},
		"an unusable one":         {"access_token": "a\nb"},
		"an unknown type":         {"token_type": "mac"},
		"and no resource server":  {"access_token": "", "resource_server": nil},
		"and a token for another": {"access_token": "", "other_tokens": []object{groups}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t)
			change["refresh_token"] = "refresh-SECRET-new"
			p.respond = refreshed(change)
			set, err := p.native(t).Refresh(t.Context(), current)
			if !errors.Is(err, flows.ErrToken) || strings.Contains(err.Error(), "SECRET") {
				t.Errorf("error %v, want %v", err, flows.ErrToken)
			}
			want := current
			want.RefreshToken = "refresh-SECRET-new"
			if got, _ := set.ByResourceServer(current.ResourceServer); got != want {
				t.Errorf("got %v, want %v with the new refresh token", got, want)
			}
			if _, found := set.ByResourceServer("groups.api.globus.org"); found != (change["other_tokens"] != nil) || len(p.revoked()) != 0 {
				t.Errorf("got %v, revoked %q", set, p.revoked())
			}
			p.respond = refreshed(object{"access_token": nil, "refresh_token": "a\nb"})
			if set, err := p.native(t).Refresh(t.Context(), current); !errors.Is(err, flows.ErrToken) {
				t.Errorf("%v, %v", set, err)
			} else if got, _ := set.ByResourceServer(current.ResourceServer); got != current {
				t.Errorf("an unusable refresh token replaced one: %v", got)
			}
		})
	}
}
