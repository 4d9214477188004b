package flows_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/scopes"
)

// readJSON reads a recorded document.
func readJSON(tb testing.TB, name string, out any) {
	tb.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err == nil {
		err = json.Unmarshal(data, out)
	}
	if err != nil {
		tb.Fatal(err)
	}
}

// production is a client of the real service; Start sends nothing.
func production(tb testing.TB) *globusauth.Client {
	tb.Helper()
	client, err := globusauth.New(globusauth.Config{})
	if err != nil {
		tb.Fatal(err)
	}
	return client
}

const collectionScope = scopes.Scope("https://auth.globus.org/scopes/11111111-1111-4111-8111-111111111111/data_access")

// Our URLs are those of the official Python SDK, except that PKCE and nonce are always
// present, state is random, and booleans are lower case.
func TestConfigStart_URLsOfPythonSDK(t *testing.T) {
	t.Parallel()
	var recorded struct {
		URLs []struct {
			Label string
			Query [][2]string
		}
	}
	readJSON(t, "sdk_authorize_urls.json", &recorded)
	transfer := scopes.List{scopes.TransferAll.With(collectionScope.Optional())}
	native := flows.Config{
		Auth: production(t), ClientID: clientID, Scopes: transfer, RedirectURI: "http://localhost:1234",
		RefreshTokens: true, PrefillNamedGrant: "My Grant",
	}
	minimal := flows.Config{Auth: native.Auth, ClientID: clientID, Scopes: scopes.List{scopes.AuthOpenID, scopes.AuthEmail}}
	portal := flows.Config{
		Auth: native.Auth, ClientID: clientID, ClientSecret: clientSecret, RedirectURI: "https://app.example/cb",
		Scopes: scopes.List{scopes.AuthOpenID, scopes.AuthEmail},
	}
	offline := portal
	offline.RefreshTokens = true
	const one, two = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
	yes, no := true, false
	ours := map[string]flows.Login{
		"native minimal": start(t, minimal),
		"native full": start(t, native, flows.WithParameter("foo", "bar baz"), flows.WithAuthorization(apierror.AuthorizationParameters{
			SessionRequiredIdentities: []string{one, "bob@example.org"}, SessionRequiredSingleDomain: []string{"a.edu", "b.edu"},
			SessionRequiredPolicies: []string{one, two}, SessionRequiredMFA: &yes, SessionMessage: "Please & thanks", Prompt: "login",
		})),
		"native mfa false": start(t, native, flows.WithAuthorization(apierror.AuthorizationParameters{SessionRequiredMFA: &no})),
		"native single values": start(t, native, flows.WithAuthorization(apierror.AuthorizationParameters{
			SessionRequiredIdentities: []string{one}, SessionRequiredSingleDomain: []string{"a.edu"}, SessionRequiredPolicies: []string{two},
		})),
		"confidential":                  start(t, offline),
		"confidential minimal":          start(t, portal),
		"confidential minimal + prompt": start(t, offline, flows.WithAuthorization(apierror.AuthorizationParameters{Prompt: "login"})),
	}
	if len(ours) != len(recorded.URLs) {
		t.Errorf("%d URLs recorded, %d made", len(recorded.URLs), len(ours))
	}
	for _, r := range recorded.URLs {
		login, ok := ours[r.Label]
		if !ok {
			t.Errorf("%s: not made", r.Label)
			continue
		}
		if !strings.HasPrefix(login.URL(), "https://auth.globus.org/v2/oauth2/authorize?") {
			t.Errorf("%s: URL %s", r.Label, login.URL())
		}
		got := query(t, login)
		want := url.Values{"code_challenge_method": {"S256"}}
		for _, pair := range r.Query {
			want[pair[0]] = []string{pair[1]}
		}
		want["code_challenge"] = got["code_challenge"]
		want["state"] = got["state"]
		if strings.HasPrefix(want.Get("scope"), "openid") {
			want["nonce"] = got["nonce"]
		}
		if want.Has("session_required_mfa") {
			want.Set("session_required_mfa", strings.ToLower(want.Get("session_required_mfa")))
		}
		if got.Encode() != want.Encode() {
			t.Errorf("%s:\n got %s\nwant %s", r.Label, got.Encode(), want.Encode())
		}
	}
}

// Verifier, state and nonce are random and differ in each login.
func TestConfigStart_UniqueSecrets(t *testing.T) {
	t.Parallel()
	portal := flows.Config{Auth: production(t), ClientID: clientID, ClientSecret: clientSecret, Scopes: wanted, RedirectURI: redirectURI}
	seen := map[string]bool{}
	for range 200 {
		login := start(t, portal)
		data, err := login.MarshalStorage()
		if err != nil {
			t.Fatal(err)
		}
		var stored struct {
			State, Nonce string
			Verifier     string `json:"code_verifier"`
		}
		if err := json.Unmarshal(data, &stored); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256([]byte(stored.Verifier))
		if got := query(t, login); got.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(sum[:]) || got.Get("code_challenge_method") != "S256" {
			t.Fatalf("the challenge is not that of the verifier: %s", login.URL())
		}
		for _, secret := range []string{stored.State, stored.Nonce, stored.Verifier} {
			if len(secret) != 43 || seen[secret] {
				t.Fatalf("secret of %d characters, seen before: %t", len(secret), seen[secret])
			}
			seen[secret] = true
		}
	}
}

func TestConfigStart_URLOfEnvironments(t *testing.T) {
	t.Parallel()
	for base, config := range map[string]globusauth.Config{
		"https://auth.preview.globus.org/":       {Environment: "preview"},
		"https://auth.sandbox.globuscs.info/":    {Environment: "sandbox"},
		"https://proxy.example.org/globus/auth/": {BaseURL: "https://proxy.example.org/globus/auth", Issuer: "https://auth.globus.org"},
	} {
		client, err := globusauth.New(config)
		if err != nil {
			t.Fatal(err)
		}
		login := start(t, flows.Config{Auth: client, ClientID: clientID, Scopes: wanted})
		if !strings.HasPrefix(login.URL(), base+"v2/oauth2/authorize?") || login.RedirectURI() != base+"v2/web/auth-code" ||
			query(t, login).Get("redirect_uri") != login.RedirectURI() || query(t, login).Get("state") != login.State() {
			t.Errorf("%s: %s", base, login.URL())
		}
	}
}

func TestWithAuthorization_MergesRequiredScopes(t *testing.T) {
	t.Parallel()
	native := flows.Config{Auth: production(t), ClientID: clientID, Scopes: scopes.List{scopes.TransferAll}}
	login := start(t, native, flows.WithAuthorization(apierror.AuthorizationParameters{
		RequiredScopes: []string{string(scopes.TransferAll.With(collectionScope)), "openid"},
	}))
	if got, want := query(t, login).Get("scope"), "openid "+string(scopes.TransferAll.With(collectionScope)); got != want {
		t.Errorf("scope %q, want %q", got, want)
	}
	if !query(t, login).Has("nonce") {
		t.Error("openid was demanded and no nonce is sent")
	}
	if len(native.Scopes) != 1 || native.Scopes[0] != scopes.TransferAll {
		t.Errorf("the flow's own scopes became %v", native.Scopes)
	}
}

func TestConfigStart_Refuses(t *testing.T) {
	t.Parallel()
	client := production(t)
	native := flows.Config{Auth: client, ClientID: clientID, Scopes: wanted}
	portal := flows.Config{Auth: client, ClientID: clientID, ClientSecret: clientSecret, Scopes: wanted, RedirectURI: redirectURI}
	nativeWith := func(change func(*flows.Config)) flows.Config { n := native; change(&n); return n }
	portalWith := func(change func(*flows.Config)) flows.Config { p := portal; change(&p); return p }
	redirect := func(uri string) flows.Config { return nativeWith(func(n *flows.Config) { n.RedirectURI = uri }) }
	session := func(p apierror.AuthorizationParameters) []flows.StartOption {
		return []flows.StartOption{flows.WithAuthorization(p)}
	}
	type starter interface {
		Start(options ...flows.StartOption) (flows.Login, error)
	}
	for name, test := range map[string]struct {
		from    starter
		options []flows.StartOption
		want    error
		text    string
	}{
		"no client":             {from: nativeWith(func(n *flows.Config) { n.Auth = nil }), text: "Auth is nil"},
		"no client ID":          {from: nativeWith(func(n *flows.Config) { n.ClientID = "" }), text: "ClientID is empty"},
		"no redirect URI":       {from: portalWith(func(p *flows.Config) { p.RedirectURI = "" }), text: `RedirectURI: the scheme is ""`},
		"no scopes":             {from: nativeWith(func(n *flows.Config) { n.Scopes = nil }), want: scopes.ErrEmpty},
		"malformed scope":       {from: nativeWith(func(n *flows.Config) { n.Scopes = scopes.List{"a[b"} }), want: scopes.ErrSyntax},
		"two scopes in one":     {from: nativeWith(func(n *flows.Config) { n.Scopes = scopes.List{"openid profile"} }), want: scopes.ErrSyntax},
		"bad required scope":    {from: native, options: session(apierror.AuthorizationParameters{RequiredScopes: []string{"]"}}), want: scopes.ErrSyntax},
		"relative redirect":     {from: redirect("/callback"), text: `the scheme is ""`},
		"not a URL":             {from: redirect("https://[::1"), text: "not a URL"},
		"plain http":            {from: redirect("http://a.example/cb"), text: "unencrypted"},
		"http that looks local": {from: redirect("http://127.0.0.1.evil.example/cb"), text: "unencrypted"},
		"script":                {from: redirect("javascript:alert(1)"), text: `scheme is "javascript"`},
		"scheme without dot":    {from: redirect("mytool:/login"), text: `scheme is "mytool"`},
		"private scheme of a portal": {
			from: portalWith(func(p *flows.Config) { p.RedirectURI = "org.example.portal:/cb" }), text: `scheme is "org.example.portal"`,
		},
		"own state":            {from: native, options: []flows.StartOption{flows.WithParameter("state", "_default")}, text: `"state" cannot`},
		"own challenge method": {from: native, options: []flows.StartOption{flows.WithParameter("code_challenge_method", "plain")}, text: `"code_challenge_method" cannot`},
		"own nonce":            {from: native, options: []flows.StartOption{flows.WithParameter("nonce", "n")}, text: `"nonce" cannot`},
		"own response mode":    {from: native, options: []flows.StartOption{flows.WithParameter("response_mode", "fragment")}, text: `"response_mode" cannot`},
		"parameter unnamed":    {from: native, options: []flows.StartOption{flows.WithParameter("", "n")}, text: `"" cannot`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			login, err := test.from.Start(test.options...)
			if err == nil || !strings.HasPrefix(err.Error(), "flows: start login: ") || !strings.Contains(err.Error(), test.text) {
				t.Errorf("error %v, want one with %q", err, test.text)
			}
			if test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
			if login.URL() != "" {
				t.Errorf("URL %q", login.URL())
			}
		})
	}
}

func TestConfigStart_AcceptsRedirectURIs(t *testing.T) {
	t.Parallel()
	for _, uri := range []string{
		"", "https://auth.globus.org/v2/web/auth-code", "http://localhost:1234", "http://127.0.0.1:8123/cb", "http://[::1]:8123/",
		"https://a.example/cb?tab=1", "edu.example.tool:/login",
	} {
		native := flows.Config{Auth: production(t), ClientID: clientID, Scopes: wanted, RedirectURI: uri}
		if got := query(t, start(t, native)).Get("redirect_uri"); uri != "" && got != uri {
			t.Errorf("redirect_uri %q, want %q as it was given", got, uri)
		}
	}
}

// A nil option is ignored, so that a program can build its list conditionally.
func TestConfigStart_NilOption(t *testing.T) {
	t.Parallel()
	start(t, flows.Config{Auth: production(t), ClientID: clientID, Scopes: wanted}, nil)
}

// Start copies its arguments.
func TestConfigStart_CopiesConfig(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	portal := p.confidential(t)
	portal.Scopes = scopes.List{scopes.AuthOpenID}
	session := apierror.AuthorizationParameters{SessionRequiredPolicies: []string{"policy"}}
	login := start(t, portal, flows.WithAuthorization(session))
	before := login.URL()
	portal.Scopes[0], session.SessionRequiredPolicies[0] = "changed", "changed"
	portal.ClientID, portal.RedirectURI = "changed", "https://changed.example/"
	if login.URL() != before {
		t.Error("the URL changed with the caller's values")
	}
	if _, _, err := login.Finish(t.Context(), p.authorize(t, login)); err != nil {
		t.Errorf("finish after the caller's values changed: %v", err)
	}
}
