package flows_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/idtoken"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// tokenEntry is a good token of a response, with some fields changed.
func tokenEntry(changes object) object {
	entry := object{
		"access_token": "access-SECRET", "refresh_token": "refresh-SECRET", "token_type": "Bearer", "expires_in": 60,
		"resource_server": "transfer.api.globus.org", "scope": "a",
	}
	maps.Copy(entry, changes)
	return entry
}

// finishWith is the end of a login without openid with the given response of the token endpoint.
func finishWith(t *testing.T, response any) (*provider, tokens.Set, error) {
	t.Helper()
	p := newProvider(t)
	portal := p.confidential(t)
	portal.Scopes = scopes.List{scopes.TransferAll}
	login := start(t, portal)
	callback := p.authorize(t, login)
	p.respond = func(received) (int, any) { return http.StatusOK, response }
	set, _, err := login.Finish(t.Context(), callback)
	return p, set, err
}

// A response without a usable token is refused, and what was issued all the same is revoked.
func TestLoginFinish_NoUsableToken(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		response any
		text     string
		revoked  []string
	}{
		"no access token":        {tokenEntry(object{"access_token": ""}), "no access token", []string{"refresh-SECRET"}},
		"an odd access token":    {tokenEntry(object{"access_token": 7}), "no access token", []string{"refresh-SECRET"}},
		"no resource server":     {tokenEntry(object{"resource_server": ""}), "resource server", []string{"access-SECRET", "refresh-SECRET"}},
		"an odd resource server": {tokenEntry(object{"resource_server": []string{"x"}}), "resource server", []string{"access-SECRET", "refresh-SECRET"}},
		"an empty object":        {object{}, "no token", nil},
		"an empty list":          {[]object{}, "no token", nil},
		"null":                   {"null", "no token", nil},
		"a list of texts":        {[]string{"a"}, "no resource server", nil},
		"a MAC token":            {tokenEntry(object{"token_type": "mac"}), "only Bearer", []string{"access-SECRET", "refresh-SECRET"}},
		"a line end in a token":  {tokenEntry(object{"access_token": "a\r\nb"}), "RFC 6749", []string{"a\r\nb", "refresh-SECRET"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, set, err := finishWith(t, test.response)
			if !errors.Is(err, flows.ErrToken) || !strings.Contains(err.Error(), test.text) || !strings.Contains(err.Error(), "start a new login") {
				t.Errorf("error %v, want %v with %q", err, flows.ErrToken, test.text)
			}
			if len(set.All()) != 0 {
				t.Errorf("tokens %v, want none", set)
			}
			if diff := cmp.Diff(test.revoked, p.revoked()); diff != "" {
				t.Errorf("revoked: %s", diff)
			}
		})
	}
}

// What is unusable costs itself and nothing else, and is reported.
func TestLoginFinish_KeepsWhatIsUsable(t *testing.T) {
	t.Parallel()
	day := 48 * time.Hour
	for name, test := range map[string]struct {
		change   object
		lifetime time.Duration
		servers  string
		scope    string
		problem  string // empty: none
		warning  string // of the decoder
	}{
		"expires_in with a point":        {change: object{"expires_in": raw("172800.0")}, lifetime: day},
		"expires_in with an exponent":    {change: object{"expires_in": raw("1.728e5")}, lifetime: day},
		"expires_in as a text":           {change: object{"expires_in": "172800"}, lifetime: day},
		"expires_in with a fraction":     {change: object{"expires_in": 100.5}, lifetime: 100 * time.Second},
		"expires_in is words":            {change: object{"expires_in": "two days"}, warning: "expires_in"},
		"expires_in is true":             {change: object{"expires_in": true}, warning: "expires_in"},
		"expires_in is null":             {change: object{"expires_in": nil}},
		"expires_in is negative":         {change: object{"expires_in": -1}, problem: "expires_in of -1"},
		"expires_in is a millennium":     {change: object{"expires_in": 31_536_000_000}, problem: "expires_in"},
		"expires_in exceeds an int":      {change: object{"expires_in": raw("1e30")}, warning: "expires_in"},
		"a tab in scope":                 {change: object{"scope": "a\tb"}, lifetime: time.Minute, scope: "a b"},
		"scope is a list":                {change: object{"scope": []string{"a"}}, lifetime: time.Minute, scope: "-", warning: "scope"},
		"a line end in a refresh token":  {change: object{"refresh_token": "a\nb"}, lifetime: time.Minute, problem: "refresh token"},
		"a further token without a name": {change: object{"other_tokens": []object{{"access_token": "x"}}}, lifetime: time.Minute, problem: "no resource server"},
		"a further token is a number": {
			change: object{"other_tokens": []object{tokenEntry(object{"access_token": 7, "resource_server": "b"}), tokenEntry(object{"resource_server": "c"})}}, lifetime: time.Minute,
			servers: "c transfer.api.globus.org", problem: "no access token", warning: "other_tokens",
		},
		"a further token of another type": {
			change: object{"other_tokens": []object{tokenEntry(object{"token_type": "mac", "resource_server": "b"}), tokenEntry(object{"resource_server": "c"})}}, lifetime: time.Minute,
			servers: "c transfer.api.globus.org", problem: "only Bearer is known",
		},
		"a further token is a text":          {change: object{"other_tokens": []any{"x", tokenEntry(object{"resource_server": "c"})}}, lifetime: time.Minute, servers: "c transfer.api.globus.org", problem: "no resource server", warning: "other_tokens"},
		"the first of two for one service":   {change: object{"other_tokens": []object{tokenEntry(object{"access_token": "second", "scope": "z"})}}, lifetime: time.Minute, problem: "two tokens"},
		"other_tokens is an object":          {change: object{"other_tokens": object{}}, lifetime: time.Minute, warning: "other_tokens"},
		"the top token is of another type":   {change: object{"token_type": "mac", "other_tokens": []object{tokenEntry(object{"resource_server": "c"})}}, servers: "c", problem: "only Bearer is known"},
		"token_type in lower case":           {change: object{"token_type": "bearer"}, lifetime: time.Minute},
		"id_token is a number, not required": {change: object{"id_token": 7}, lifetime: time.Minute, warning: "id_token"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, set, err := finishWith(t, tokenEntry(test.change))
			if err != nil {
				t.Fatal(err)
			}
			var servers []string
			for _, token := range set.All() {
				servers = append(servers, token.ResourceServer)
				if token.AccessToken != "access-SECRET" {
					t.Errorf("access token %q", token.AccessToken)
				}
			}
			if want := or(test.servers, "transfer.api.globus.org"); strings.Join(servers, " ") != want {
				t.Errorf("tokens for %q, want %q", servers, want)
			}
			if token, found := set.ByResourceServer("transfer.api.globus.org"); found {
				if token.Lifetime != test.lifetime || (test.lifetime > 0) == token.Expiry.IsZero() {
					t.Errorf("lifetime %s until %s, want %s", token.Lifetime, token.Expiry, test.lifetime)
				}
				if want := strings.Trim(or(test.scope, "a"), "-"); token.Scope != want {
					t.Errorf("scope %q, want %q", token.Scope, want)
				}
			}
			problems := errors.Join(set.Problems()...)
			if (problems == nil) != (test.problem == "") || problems != nil && !strings.Contains(problems.Error(), test.problem) {
				t.Errorf("problems %v, want %q", problems, test.problem)
			}
			log := p.log.String()
			if (log == "") != (test.problem+test.warning == "") || !strings.Contains(log, test.problem) || !strings.Contains(log, test.warning) {
				t.Errorf("log %s, want %q and %q", log, test.problem, test.warning)
			}
			if len(p.revoked()) != 0 || strings.Contains(log, "SECRET") {
				t.Errorf("revoked %q; log %s", p.revoked(), log)
			}
		})
	}
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// A login that is refused after the exchange leaves no token alive.
func TestLoginFinish_RevokesWhatARefusedLoginIssued(t *testing.T) {
	t.Parallel()
	all := []string{"access-SECRET-auth", "access-SECRET-transfer", "refresh-SECRET-auth", "refresh-SECRET-transfer"}
	for name, test := range map[string]struct {
		change func(*provider)
		want   error
	}{
		"a bad ID token": {func(p *provider) { p.idToken = func(*provider, object) string { return "openid_token" } }, idCheckError("format")},
		"no ID token":    {func(p *provider) { p.idToken = func(*provider, object) string { return "" } }, flows.ErrIdentity},
		"another key": {func(p *provider) {
			p.idToken = func(_ *provider, claims object) string { return sign(otherKey(), object{"alg": "RS512"}, claims) }
		}, idCheckError("signature")},
		"an odd ID token": {func(p *provider) { p.alter = func(_ *provider, response object) { response["id_token"] = []int{1} } }, flows.ErrIdentity},
		"no keys":         {func(p *provider) { p.keysDown = true }, idtoken.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t)
			test.change(p)
			portal := p.confidential(t)
			portal.RefreshTokens = true
			login := start(t, portal)
			set, _, err := login.Finish(t.Context(), p.authorize(t, login))
			if !refusedBy(err, test.want) || !strings.HasSuffix(err.Error(), "start a new login)") || len(set.All()) != 0 {
				t.Errorf("%d tokens, error %v", len(set.All()), err)
			}
			if diff := cmp.Diff(all, p.revoked()); diff != "" {
				t.Errorf("revoked: %s", diff)
			}
			if user, password, _ := (&http.Request{Header: p.last(t).header}).BasicAuth(); user != clientID || password != clientSecret {
				t.Errorf("revoked as %q", user)
			}
		})
	}
}

// The caller's context may have ended meanwhile: the tokens are revoked all the same.
func TestLoginFinish_RevokesAlthoughTheContextHasEnded(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	ctx, cancel := context.WithCancel(t.Context())
	p.onFetch, p.keysDown = cancel, true
	login := start(t, p.native(t))
	if _, _, err := login.Finish(ctx, p.authorize(t, login)); !errors.Is(err, context.Canceled) && !errors.Is(err, idtoken.ErrUnavailable) || ctx.Err() == nil {
		t.Errorf("error %v", err)
	}
	if revoked := p.revoked(); !slices.Equal(revoked, []string{"access-SECRET-auth", "access-SECRET-transfer"}) {
		t.Errorf("revoked %q", revoked)
	}
}

// A service that does not respond delays the error for ten seconds and no longer,
// whatever it had issued.
func TestLoginFinish_RevocationIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		entries := make([]object, 200)
		for i := range entries {
			entries[i] = tokenEntry(object{"token_type": "mac"})
		}
		client, waiting := hanging(t, "/v2/oauth2/token/revoke", entries)
		portal := flows.Config{Auth: client, ClientID: clientID, ClientSecret: clientSecret, RedirectURI: redirectURI, Scopes: scopes.List{scopes.TransferAll}}
		login := start(t, portal)
		begin := time.Now()
		_, _, err := login.Finish(t.Context(), map[string][]string{"state": {login.State()}, "code": {"code"}})
		if took := time.Since(begin); !errors.Is(err, flows.ErrToken) || took != 10*time.Second {
			t.Errorf("after %s: %v", took, err)
		}
		if n := waiting.Load(); n != 8 {
			t.Errorf("%d requests at once", n)
		}
	})
}

// What is logged of a response is bounded.
func TestLoginFinish_ManyProblems(t *testing.T) {
	t.Parallel()
	entries := make([]any, 2000)
	for i := range entries {
		entries[i] = tokenEntry(object{"resource_server": strings.Repeat("r", 1000), "token_type": strings.Repeat("t", 1000)})
	}
	entries[17] = tokenEntry(nil)
	p, set, err := finishWith(t, entries)
	if err != nil || len(set.All()) != 1 || len(set.Problems()) != 1999 {
		t.Errorf("%d tokens, %d problems, %v", len(set.All()), len(set.Problems()), err)
	}
	if log := p.log.String(); len(log) > 5000 || !strings.Contains(log, `"count":1999`) {
		t.Errorf("a log of %d bytes: %.200s", len(log), log)
	}
}
