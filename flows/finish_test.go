package flows_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/scopes"
)

func TestLoginFinish_GivesTokensPerResourceServer(t *testing.T) {
	t.Parallel()
	for _, offline := range []bool{false, true} {
		p := newProvider(t)
		portal := p.confidential(t)
		portal.RefreshTokens = offline
		login := start(t, portal)
		set, _, err := login.Finish(t.Context(), p.authorize(t, login))
		if err != nil {
			t.Fatal(err)
		}
		transfer, ok := set.ByResourceServer(scopes.TransferResourceServer)
		if !ok || transfer.AccessToken != "access-SECRET-transfer" || transfer.Scope != string(scopes.TransferAll) {
			t.Errorf("transfer token: %v, found %t", transfer, ok)
		}
		if want := p.clock.Now().Add(time.Hour).UTC(); !transfer.Expiry.Equal(want) || transfer.Lifetime != time.Hour {
			t.Errorf("transfer expiry %s, lifetime %s; want %s", transfer.Expiry, transfer.Lifetime, want)
		}
		if got := transfer.RefreshToken != ""; got != offline {
			t.Errorf("offline %t: refresh token there: %t", offline, got)
		}
		for _, token := range set.All() {
			if token.IdentityID != alice {
				t.Errorf("%v: identity %q, want the subject of the ID token", token, token.IdentityID)
			}
		}
		if raw, ok := set.IDToken(); !ok || strings.Count(raw, ".") != 2 {
			t.Errorf("ID token there: %t", ok)
		}
	}
}

func TestLoginFinish_SendsWhatTheGrantNeeds(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		start func(p *provider) flows.Login
		want  url.Values
		basic bool
	}{
		"native": {
			start: func(p *provider) flows.Login { return start(t, p.native(t)) },
			want:  url.Values{"client_id": {clientID}, "redirect_uri": {"{base}/v2/web/auth-code"}},
		},
		"confidential": {
			start: func(p *provider) flows.Login { return start(t, p.confidential(t)) },
			want:  url.Values{"redirect_uri": {redirectURI}},
			basic: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t)
			login := test.start(p)
			callback := p.authorize(t, login)
			if _, _, err := login.Finish(t.Context(), callback); err != nil {
				t.Fatal(err)
			}
			r := p.last(t)
			want := with(test.want, url.Values{"grant_type": {"authorization_code"}, "code": callback["code"], "code_verifier": r.form["code_verifier"]})
			want.Set("redirect_uri", strings.ReplaceAll(want.Get("redirect_uri"), "{base}", p.URL))
			if r.form.Encode() != want.Encode() {
				t.Errorf("form %s\nwant %s", r.form.Encode(), want.Encode())
			}
			user, password, ok := (&http.Request{Header: r.header}).BasicAuth()
			if ok != test.basic || (ok && (user != clientID || password != clientSecret)) {
				t.Errorf("Basic there: %t as %q, want %t", ok, user, test.basic)
			}
		})
	}
}

// Attacks on the callback: each is refused for its own reason, before any request.
func TestLoginFinish_RefusesCallback(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change url.Values
		after  time.Duration
		want   error
		text   string
	}{
		"state missing":             {change: url.Values{"state": nil}, want: flows.ErrState},
		"state empty":               {change: url.Values{"state": {""}}, want: flows.ErrState},
		"state wrong":               {change: url.Values{"state": {strings.Repeat("x", 43)}}, want: flows.ErrState},
		"state shortened":           {change: url.Values{"state": {"x"}}, want: flows.ErrState},
		"state of the Python SDK":   {change: url.Values{"state": {"_default"}}, want: flows.ErrState},
		"state twice":               {change: url.Values{"state": {"a", "b"}}, want: flows.ErrCallback, text: `"state" 2 times`},
		"code twice":                {change: url.Values{"code": {"a", "b"}}, want: flows.ErrCallback, text: `"code" 2 times`},
		"error twice":               {change: url.Values{"error": {"a", "b"}}, want: flows.ErrCallback, text: `"error" 2 times`},
		"iss twice":                 {change: url.Values{"iss": {"a", "b"}}, want: flows.ErrCallback, text: `"iss" 2 times`},
		"a parameter without value": {change: url.Values{"code": {}}, want: flows.ErrCallback, text: `"code" 0 times`},
		"code and error":            {change: url.Values{"error": {"access_denied"}}, want: flows.ErrCallback},
		"neither code nor error":    {change: url.Values{"code": nil}, want: flows.ErrCallback},
		"empty code":                {change: url.Values{"code": {""}}, want: flows.ErrCallback},
		"code with a space":         {change: url.Values{"code": {"a b"}}, want: flows.ErrCallback},
		"code with a line end":      {change: url.Values{"code": {"a\r\nb"}}, want: flows.ErrCallback},
		"code of 4 kB and more":     {change: url.Values{"code": {strings.Repeat("a", 4097)}}, want: flows.ErrCallback},
		"another issuer (mix-up)":   {change: url.Values{"iss": {"https://auth.evil.example"}}, want: flows.ErrIssuer},
		"empty issuer":              {change: url.Values{"iss": {""}}, want: flows.ErrIssuer},
		"another issuer, and error": {change: url.Values{"code": nil, "error": {"access_denied"}, "iss": {"https://auth.evil.example"}}, want: flows.ErrIssuer},
		"too late":                  {after: time.Hour, want: flows.ErrLoginExpired, text: "2027-01-15T09:00:00Z"},
		"error without state": {
			change: url.Values{"code": nil, "state": nil, "error": {"access_denied"}, "error_description": {"no\r\n"}},
			want:   flows.ErrState, text: `(unverified): "access_denied: no"`,
		},
		"error of no known form without state": {
			change: url.Values{"code": nil, "state": nil, "error": {"<b>"}},
			want:   flows.ErrState, text: `(unverified): "<b>"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t)
			login := start(t, p.confidential(t))
			good := p.authorize(t, login)
			callback := with(good, test.change)
			p.clock.advance(test.after)
			set, _, err := login.Finish(t.Context(), callback)
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("error %v\nwant %v with %q", err, test.want, test.text)
			}
			if _, ok := errors.AsType[*apierror.Error](err); ok {
				t.Error("the error of an unverified callback is an *apierror.Error of the server")
			}
			if len(set.All()) != 0 || len(p.received()) != 0 {
				t.Errorf("%d tokens, %d requests; want none", len(set.All()), len(p.received()))
			}
			// A forged callback does not end the login.
			if test.after == 0 {
				if _, _, err := login.Finish(t.Context(), good); err != nil {
					t.Errorf("the good callback after the forged one: %v", err)
				}
			}
		})
	}
}

func TestLoginFinish_UntilTheLastMoment(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	portal := p.confidential(t)
	login := start(t, portal)
	callback := p.authorize(t, login)
	p.clock.advance(time.Hour - time.Second)
	if _, _, err := login.Finish(t.Context(), callback); err != nil {
		t.Errorf("one second before the end: %v", err)
	}
	p.clock.advance(time.Second)
	if _, _, err := login.Finish(t.Context(), callback); !errors.Is(err, flows.ErrLoginExpired) {
		t.Errorf("at the end: %v", err)
	}
}

func TestLoginFinish_AcceptsOwnIssuer(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	for _, iss := range []string{p.URL, p.URL + "/"} {
		login := start(t, p.confidential(t))
		if _, _, err := login.Finish(t.Context(), with(p.authorize(t, login), url.Values{"iss": {iss}})); err != nil {
			t.Errorf("iss %q: %v", iss, err)
		}
	}
}

// Unknown parameters are ignored, and an empty parameter counts as omitted (RFC 6749
// section 3.1).
func TestLoginFinish_IgnoresWhatIsNotOAuths(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]url.Values{
		"another parameter":                      {"x": {"a"}},
		"another parameter twice":                {"x": {"a", "b"}, "y": {}},
		"a parameter of the redirect URI, twice": {"tab": {"a", "b"}},
		"an empty error":                         {"error": {""}, "error_description": {""}},
	} {
		p := newProvider(t)
		portal := p.confidential(t)
		portal.RedirectURI = redirectURI + "?tab=a"
		login := start(t, portal)
		if _, _, err := login.Finish(t.Context(), with(p.authorize(t, login), change)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An error at the redirect URI has the class of the same error at the token endpoint.
func TestLoginFinish_ReportsTheServersError(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	for code, want := range map[string]error{
		"access_denied":           apierror.ErrAccessDenied,
		"invalid_scope":           apierror.ErrInvalidScope,
		"unauthorized_client":     apierror.ErrUnauthorizedClient,
		"server_error":            apierror.ErrServer,
		"temporarily_unavailable": apierror.ErrServer,
	} {
		login := start(t, p.confidential(t))
		callback := with(p.authorize(t, login), url.Values{"code": {""}, "error": {code}, "error_description": {"The person said\r\nno."}})
		_, _, err := login.Finish(t.Context(), callback)
		failure, ok := errors.AsType[*apierror.Error](err)
		if !errors.Is(err, want) || !ok || failure.StatusCode != 0 || failure.Code != code {
			t.Errorf("%s: %v", code, err)
		}
		if !strings.Contains(err.Error(), "The person said no.") {
			t.Errorf("%s: %q does not say why, in one line", code, err)
		}
	}
	if len(p.received()) != 0 {
		t.Errorf("%d requests, want none", len(p.received()))
	}
}

// A callback and a code are valid for one login only.
func TestLoginFinish_RefusesReplay(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	portal := p.confidential(t)
	first, second := start(t, portal), start(t, portal)
	firstCallback, secondCallback := p.authorize(t, first), p.authorize(t, second)

	if _, _, err := second.Finish(t.Context(), firstCallback); !errors.Is(err, flows.ErrState) {
		t.Errorf("the callback of another login: %v", err)
	}
	// With the right state a stolen code still fails, at PKCE.
	injected := with(secondCallback, url.Values{"code": firstCallback["code"]})
	if _, _, err := second.Finish(t.Context(), injected); !errors.Is(err, apierror.ErrInvalidGrant) {
		t.Errorf("the code of another login: %v", err)
	}
	if _, _, err := second.Finish(t.Context(), secondCallback); err != nil {
		t.Errorf("its own callback: %v", err)
	}
	if _, _, err := second.Finish(t.Context(), secondCallback); !errors.Is(err, apierror.ErrInvalidGrant) {
		t.Errorf("its own callback once more: %v", err)
	}
}

func TestLoginFinish_NeverRepeatsTheExchange(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	portal := p.confidential(t)
	login := start(t, portal)
	callback := p.authorize(t, login)
	p.respond = func(received) (int, any) {
		return http.StatusServiceUnavailable, object{"error": "temporarily_unavailable"}
	}
	if _, _, err := login.Finish(t.Context(), callback); !errors.Is(err, apierror.ErrServer) {
		t.Errorf("error %v", err)
	}
	if n := len(p.received()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

func TestLoginFinish_Code(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	login := start(t, p.native(t))
	code := p.authorize(t, login).Get("code")
	for wrong, want := range map[string]flows.CheckError{
		"": flows.ErrCallback, " \n": flows.ErrCallback, "two words": flows.ErrCallback, strings.Repeat("a", 4097): flows.ErrCallback, "ünïcode": flows.ErrCallback,
	} {
		if _, _, err := login.FinishCode(t.Context(), wrong); !errors.Is(err, want) {
			t.Errorf("code of %d bytes: %v, want %v", len(wrong), err, want)
		}
	}
	if len(p.received()) != 0 {
		t.Fatalf("%d requests, want none", len(p.received()))
	}
	set, _, err := login.FinishCode(t.Context(), "  "+code+"\r\n")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := set.ByResourceServer(scopes.TransferResourceServer); !ok {
		t.Errorf("no transfer token in %v", set)
	}
	if _, _, err := login.FinishCode(t.Context(), code); !errors.Is(err, apierror.ErrInvalidGrant) {
		t.Errorf("the same code again: %v", err)
	}
	other := start(t, p.native(t))
	if _, _, err := start(t, p.native(t)).FinishCode(t.Context(), p.authorize(t, other).Get("code")); !errors.Is(err, apierror.ErrInvalidGrant) {
		t.Errorf("the code of another login (PKCE): %v", err)
	}
	late := start(t, p.native(t))
	p.clock.advance(time.Hour)
	if _, _, err := late.FinishCode(t.Context(), code); !errors.Is(err, flows.ErrLoginExpired) {
		t.Errorf("too late: %v", err)
	}
}

// FinishCode is refused for redirect URIs at which state is checked.
func TestLoginFinishCode_IsForTheCodePageOnly(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	loopback := p.native(t)
	loopback.RedirectURI = "http://127.0.0.1:8123/callback"
	elsewhere := p.native(t)
	elsewhere.RedirectURI = "https://auth.evil.example/v2/web/auth-code"
	for name, login := range map[string]flows.Login{
		"loopback": start(t, loopback), "portal": start(t, p.confidential(t)), "another server's page": start(t, elsewhere),
	} {
		if _, _, err := login.FinishCode(t.Context(), p.authorize(t, login).Get("code")); !errors.Is(err, flows.ErrState) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(p.received()) != 0 {
		t.Errorf("%d requests, want none", len(p.received()))
	}
}

func TestLogin_ZeroValue(t *testing.T) {
	t.Parallel()
	var login flows.Login
	if login.URL() != "" || login.State() != "" || login.RedirectURI() != "" {
		t.Errorf("URL %q, state %q, redirect URI %q", login.URL(), login.State(), login.RedirectURI())
	}
	_, _, finish := login.Finish(t.Context(), url.Values{"code": {"c"}, "state": {""}})
	_, _, finishCode := login.FinishCode(t.Context(), "c")
	_, store := login.MarshalStorage()
	for _, err := range []error{finish, finishCode, store} {
		if err == nil || !strings.Contains(err.Error(), "zero value") {
			t.Errorf("error %v", err)
		}
	}
}

// Many logins of one flow are finished at once, each by its own callback.
func TestLoginFinish_ConcurrentLogins(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	portal := p.confidential(t)
	const n = 16
	var wait sync.WaitGroup
	for range n {
		login := start(t, portal)
		callback := p.authorize(t, login)
		wait.Go(func() {
			if _, _, err := login.Finish(t.Context(), callback); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	for path, count := range p.fetches {
		if count != 1 {
			t.Errorf("%d fetches of %s for %d logins, want 1", count, path, n)
		}
	}
}

func TestLoginFinish_WithoutOpenID(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	portal := p.confidential(t)
	portal.Scopes = scopes.List{scopes.TransferAll}
	login := start(t, portal)
	if query(t, login).Has("nonce") {
		t.Error("a nonce was sent although no ID token was asked for")
	}
	set, _, err := login.Finish(t.Context(), p.authorize(t, login))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := set.IDToken(); ok {
		t.Error("an ID token came")
	}
	if len(p.fetches) != 0 {
		t.Errorf("fetched %v although there was nothing to verify", p.fetches)
	}
}
