package flows_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// Unmistakable secrets. State, verifier and nonce have the form of those that Start
// makes.
const (
	leakClientSecret = "LEAKclientsecret0123456789"
	leakState        = "LEAKstate000000000000000000000000000000000A"
	leakVerifier     = "LEAKverifier000000000000000000000000000000A"
	leakNonce        = "LEAKnonce000000000000000000000000000000000A"
	leakCode         = "LEAKcode0123456789"
	leakToken        = "LEAKtoken0123456789"
	leakRefresh      = "LEAKrefresh0123456789"
	leakResponse     = "LEAKresponse0123456789"
	leakResponseRT   = "LEAKresponserefresh0123456789"
)

func leakSecrets() []string {
	basic := base64.StdEncoding.EncodeToString([]byte(clientID + ":" + leakClientSecret))
	return []string{leakClientSecret, leakState, leakVerifier, leakNonce, leakCode, leakToken, leakRefresh, leakResponse, leakResponseRT, basic}
}

// leakLogin is a login with the unmistakable secrets.
func leakLogin(t *testing.T, config flows.Config) flows.Login {
	t.Helper()
	data, err := start(t, config).MarshalStorage()
	if err != nil {
		t.Fatal(err)
	}
	var form object
	if err := json.Unmarshal(data, &form); err != nil {
		t.Fatal(err)
	}
	form["state"], form["code_verifier"], form["nonce"] = leakState, leakVerifier, leakNonce
	if data, err = json.Marshal(form); err != nil {
		t.Fatal(err)
	}
	login, err := config.Resume(data)
	if err != nil {
		t.Fatal(err)
	}
	return login
}

// leakResponses are all the ways in which the service can fail: each echoes all that
// it was sent, wherever it can.
func leakResponses() map[string]func(received) (int, any) {
	echo := strings.Join(leakSecrets(), " ")
	good := func(changes object) object {
		response := object{
			"access_token": leakResponse, "refresh_token": leakResponseRT, "resource_server": "transfer.api.globus.org",
			"scope": "openid", "expires_in": 60, "token_type": "Bearer", "other_tokens": []object{}, "active": true,
		}
		maps.Copy(response, changes)
		return response
	}
	always := func(status int, body any) func(received) (int, any) {
		return func(received) (int, any) { return status, body }
	}
	// A server can echo what it was sent, and for a code what was sent before.
	sent := func(r received) string {
		text := r.form.Encode() + " " + r.header.Get("Authorization")
		if r.header.Get("Authorization") != "" {
			text += " " + leakClientSecret
		}
		if r.form.Get("code") != "" {
			text += " " + leakState + " " + leakNonce
		}
		return text
	}
	return map[string]func(received) (int, any){
		"OAuth2 error": func(r received) (int, any) {
			return http.StatusBadRequest, object{"error": "invalid_grant", "error_description": sent(r) + " " + r.form.Get("code") + " " + r.form.Get("refresh_token") + " " + r.form.Get("token")}
		},
		"OAuth2 error of secrets": func(r received) (int, any) {
			return http.StatusUnauthorized, object{"error": sent(r), "error_description": sent(r)}
		},
		"errors document": func(r received) (int, any) {
			return http.StatusForbidden, object{"errors": []object{{"code": sent(r), "detail": sent(r), "id": sent(r), "title": sent(r)}}}
		},
		"requirements": func(r received) (int, any) {
			return http.StatusForbidden, object{"code": "ConsentRequired", "authorization_parameters": object{
				"session_message": sent(r), "required_scopes": []string{sent(r)}, "prompt": sent(r), "extra": sent(r),
			}}
		},
		"fields that echo": func(r received) (int, any) {
			if r.form.Get("grant_type") == "" {
				return http.StatusOK, object{}
			}
			again := object{"token_type": sent(r), "resource_server": sent(r), "scope": sent(r) + "\n", "expires_in": -1}
			return http.StatusOK, good(object{"resource_server": sent(r), "scope": sent(r), "other_tokens": []object{good(again), good(object{"resource_server": sent(r)})}})
		},
		"ID token that echoes": func(r received) (int, any) {
			return http.StatusOK, good(object{"id_token": sign(signingKey(), object{"alg": sent(r), "kid": sent(r)}, object{"nonce": sent(r), "iss": sent(r), "aud": sent(r)})})
		},
		"ID token whose claims echo": func(r received) (int, any) {
			return http.StatusOK, good(object{"id_token": sign(signingKey(), object{"alg": "RS512"}, object{"nonce": sent(r), "iss": sent(r), "aud": sent(r)})})
		},
		"HTML that echoes":     func(r received) (int, any) { return http.StatusBadGateway, "<p>" + sent(r) + "</p>" },
		"not JSON":             always(http.StatusOK, `{"access_token": "`+leakResponse+`", `+echo),
		"wrong types":          always(http.StatusOK, object{"access_token": []string{leakResponse}, "active": leakResponse, "scope": leakResponse}),
		"empty":                always(http.StatusOK, object{}),
		"no access token":      always(http.StatusOK, good(object{"access_token": ""})),
		"no resource server":   always(http.StatusOK, good(object{"resource_server": ""})),
		"unknown type":         always(http.StatusOK, good(object{"token_type": "mac"})),
		"odd lifetime":         always(http.StatusOK, good(object{"expires_in": -1})),
		"control characters":   always(http.StatusOK, good(object{"access_token": leakResponse + "\r\n"})),
		"one server twice":     always(http.StatusOK, good(object{"other_tokens": []object{good(nil)}})),
		"another server":       always(http.StatusOK, good(object{"resource_server": "another"})),
		"no ID token":          always(http.StatusOK, good(nil)),
		"bad ID token":         always(http.StatusOK, good(object{"id_token": leakResponse})),
		"ID token of anybody":  always(http.StatusOK, good(object{"id_token": sign(otherKey(), object{"alg": "RS512"}, object{"nonce": leakNonce, "sub": leakResponse})})),
		"ID token of another":  always(http.StatusOK, good(object{"id_token": sign(signingKey(), object{"alg": "RS512"}, object{"nonce": leakNonce, "iss": "https://auth.evil.example"})})),
		"redirect":             always(http.StatusTemporaryRedirect, echo),
		"redirect permanently": always(http.StatusFound, echo),
		"cut off":              func(received) (int, any) { panic(http.ErrAbortHandler) },
	}
}

// printed returns a value in every way of printing one.
func printed(value any) string {
	var b strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%t"} {
		fmt.Fprintf(&b, verb+"\n", value)
	}
	// A value within a caller's own struct, seen or unseen from outside.
	type holder struct {
		Seen   any
		unseen any
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d"} {
		fmt.Fprintf(&b, verb+"\n", holder{Seen: value})
		fmt.Fprintf(&b, verb+"\n", []any{value})
		switch value.(type) {
		case flows.Config, *flows.Config, tokens.Token:
			// Their comments say what to do.
		default:
			fmt.Fprintf(&b, verb+"\n", holder{unseen: value})
			fmt.Fprintf(&b, verb+"\n", &holder{unseen: value})
		}
	}
	encoders := []func(any) ([]byte, error){json.Marshal, xml.Marshal}
	if _, isToken := value.(tokens.Token); isToken {
		encoders = encoders[:1]
	}
	for _, encode := range encoders {
		text, err := encode(value)
		fmt.Fprintf(&b, "%s %v\n", text, err)
		text, err = encode(struct{ Value any }{value})
		fmt.Fprintf(&b, "%s %v\n", text, err)
	}
	for _, handler := range []slog.Handler{slog.NewJSONHandler(&b, nil), slog.NewTextHandler(&b, nil)} {
		slog.New(handler).Info("value", "value", value, "holder", struct{ Value any }{value})
	}
	if err, ok := value.(error); ok {
		b.WriteString(chain(err))
	}
	return b.String()
}

// chain returns the texts of an error and of all that it wraps.
func chain(err error) string {
	text := fmt.Sprintf("%v\n%+v\n%#v\n", err, err, err)
	switch wrapper := err.(type) { //nolint:errorlint // it is the chain itself that is walked
	case interface{ Unwrap() error }:
		if inner := wrapper.Unwrap(); inner != nil {
			text += chain(inner)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range wrapper.Unwrap() {
			text += chain(inner)
		}
	}
	return text
}

// leaky is one drive of everything: what it prints and how often each exported
// function failed and succeeded.
type leaky struct {
	t       *testing.T
	name    string
	log     *bytes.Buffer
	outcome map[string]int
}

func (l *leaky) look(function string, values ...any) {
	l.t.Helper()
	for _, value := range values {
		if value == nil {
			continue
		}
		if err, ok := value.(error); ok && err != nil {
			l.outcome[function]++
		}
		l.search(function, printed(value))
	}
	l.search(function+" (log)", l.log.String())
	l.log.Reset()
}

func (l *leaky) search(where, text string) {
	l.t.Helper()
	for _, secret := range leakSecrets() {
		for _, form := range []string{secret, url.QueryEscape(secret), fmt.Sprintf("%x", secret)} {
			if at := strings.Index(text, form); at >= 0 {
				l.t.Errorf("%s, %s: shows %q in %q", l.name, where, secret, text[max(0, at-80):min(len(text), at+len(form)+20)])
				return
			}
		}
	}
}

func TestConfig_NoSecretInOutput(t *testing.T) {
	t.Parallel()
	failed := map[string]int{}
	for name, respond := range leakResponses() {
		p := newProvider(t)
		p.respond = respond
		log := &bytes.Buffer{}
		client, err := globusauth.New(globusauth.Config{
			BaseURL: p.URL, HTTPClient: p.Client(), Now: p.clock.Now,
			MaxRetries: 1, Wait: func(context.Context, time.Duration) error { return nil },
			Logger: slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		})
		if err != nil {
			t.Fatal(err)
		}
		l := &leaky{t: t, name: name, log: log, outcome: failed}
		l.drive(p, client)
	}
	for _, function := range []string{
		"Native.Start", "Native.Resume", "Native.Refresh", "Native.Revoke", "Native.Source",
		"Confidential.Start", "Confidential.Resume", "Confidential.Refresh", "Confidential.Revoke", "Confidential.RevokeSet", "Confidential.Source",
		"Confidential.ClientCredentials", "Confidential.ClientCredentialsSource", "Confidential.DependentTokens", "Confidential.Introspect",
		"Login.Finish", "Login.FinishCode", "Login.MarshalStorage", "HTTPClient", "WithParameter", "WithAuthorization",
	} {
		if failed[function] == 0 {
			t.Errorf("%s never failed: nothing was tried", function)
		}
	}
}

// drive calls everything once with good arguments, which the service fails, and
// once with bad ones.
func (l *leaky) drive(p *provider, client *globusauth.Client) {
	l.t.Helper()
	ctx := l.t.Context()
	native := flows.Config{Auth: client, ClientID: clientID, Scopes: wanted}
	portal := flows.Config{Auth: client, ClientID: clientID, ClientSecret: leakClientSecret, Scopes: wanted, RedirectURI: redirectURI}
	token := tokens.Token{AccessToken: leakToken, RefreshToken: leakRefresh, ResourceServer: scopes.TransferResourceServer, Scope: "s", Expiry: p.clock.Now()}
	l.look("Confidential.Format", native, portal, &portal, &native)

	login, portalLogin := leakLogin(l.t, native), leakLogin(l.t, portal)
	l.look("Login.Format", login, &login, portalLogin, []flows.Login{login}, map[string]flows.Login{"a": login})

	// Good callbacks, which the service fails, and every bad one.
	set, _, err := login.FinishCode(ctx, leakCode)
	l.look("Login.FinishCode", set, err)
	for _, code := range []string{"", leakCode + " " + leakCode, leakCode + "\x00", strings.Repeat(leakCode, 1000)} {
		set, _, err = login.FinishCode(ctx, code)
		l.look("Login.FinishCode", set, err)
	}
	set, _, err = portalLogin.FinishCode(ctx, leakCode)
	l.look("Login.FinishCode", set, err)
	for _, callback := range []url.Values{
		{"state": {leakState}, "code": {leakCode}},
		{"state": {leakState}, "code": {leakCode + "\n" + leakCode}},
		{"state": {leakState + leakCode}, "code": {leakCode}},
		{"state": {leakState, leakState}, "code": {leakCode}},
		{"state": {leakState}, "code": {leakCode}, "iss": {leakCode}},
		{"state": {leakState}, "code": {leakCode}, "error": {leakCode}},
		{"state": {leakState}, leakCode: {leakCode, leakCode}},
		{"state": {leakState}, "error": {leakState}, "error_description": {leakState + " " + leakNonce + " " + leakVerifier}},
		{"state": {leakState}, "error": {"access_denied"}, "error_description": {url.QueryEscape(leakState) + " " + strings.Repeat("x", 500) + leakNonce}},
		{"error": {leakCode}, "code": {leakCode}},
		{"error": {"access_denied"}},
		{"code": {leakCode}},
		{"state": {leakState}},
		{},
		nil,
	} {
		for _, one := range []flows.Login{portalLogin, login} {
			set, _, err = one.Finish(ctx, callback)
			l.look("Login.Finish", set, err)
		}
	}

	set, _, err = portalLogin.Finish(ctx, url.Values{"state": {leakState}, "error": {"access_denied"}, "error_description": {leakClientSecret}})
	l.look("Login.Finish", set, err)

	// Stored logins, whole and spoilt.
	data, err := portalLogin.MarshalStorage()
	if err != nil || !bytes.Contains(data, []byte(leakVerifier)) {
		l.t.Fatalf("stored: %v", err)
	}
	_, err = flows.Login{}.MarshalStorage()
	l.look("Login.MarshalStorage", err)
	again, err := portal.Resume(data)
	l.look("Confidential.Resume", again, err)
	for _, spoilt := range [][]byte{
		data[:len(data)-10], append([]byte(`{"state":"`+leakState+`",`), data[1:]...), bytes.Replace(data, []byte(`"code_verifier":"`), []byte(`"code_verifier":1"`), 1),
		bytes.Replace(data, []byte(leakVerifier), []byte(leakVerifier+"!"), 1), bytes.Replace(data, []byte(`"state"`), []byte(`"`+leakState+`"`), 1),
		bytes.Replace(data, []byte(clientID), []byte(leakState), 1), bytes.Replace(data, []byte(redirectURI), []byte(leakState), 1),
		bytes.Replace(data, []byte("globusauth login 1"), []byte(leakState), 1), bytes.Replace(data, []byte(p.URL), []byte(leakState), 1),
	} {
		again, err = portal.Resume(spoilt)
		l.look("Confidential.Resume", again, err)
		again, err = native.Resume(spoilt)
		l.look("Native.Resume", again, err)
	}

	// Options that are refused.
	_, err = native.Start(flows.WithParameter("nonce", leakNonce))
	l.look("Native.Start", err)
	_, err = portal.Start(flows.WithParameter("state", leakState))
	l.look("Confidential.Start", err)
	l.look("WithParameter", err, flows.WithParameter("x", leakState))
	_, err = native.Start(flows.WithAuthorization(apierror.AuthorizationParameters{RequiredScopes: []string{"]"}, SessionRequiredPolicies: []string{leakToken}}))
	l.look("WithAuthorization", err)

	// The other grants, with what the service fails and with what is refused here.
	set, err = native.Refresh(ctx, token)
	l.look("Native.Refresh", set, err)
	set, err = native.Refresh(ctx, tokens.Token{AccessToken: leakToken, ResourceServer: "r"})
	l.look("Native.Refresh", set, err)
	broken := token
	broken.AccessToken += "\n"
	set, err = portal.Refresh(ctx, token)
	l.look("Confidential.Refresh", set, err)
	set, err = portal.Refresh(ctx, broken)
	l.look("Confidential.Refresh", set, err)
	l.look("Native.Revoke", native.Revoke(ctx, leakToken), native.Revoke(ctx, ""))
	l.look("Confidential.Revoke", portal.Revoke(ctx, leakToken), portal.Revoke(ctx, ""))
	set, err = portal.RevokeSet(ctx, tokens.Salvage([]tokens.Token{token}))
	l.look("Confidential.RevokeSet", set, err)
	set, err = portal.ClientCredentials(ctx)
	l.look("Confidential.ClientCredentials", set, err)
	set, err = portal.DependentTokens(ctx, leakToken, flows.DependentOptions{})
	l.look("Confidential.DependentTokens", set, err)
	set, err = portal.DependentTokens(ctx, "", flows.DependentOptions{})
	l.look("Confidential.DependentTokens", set, err)
	_, err = portal.Introspect(ctx, leakToken, flows.IntrospectOptions{})
	l.look("Confidential.Introspect", err)
	colon := portal
	colon.ClientID += ":" + leakClientSecret
	_, err = colon.Introspect(ctx, leakToken, flows.IntrospectOptions{})
	l.look("Confidential.Introspect", err)

	l.driveSources(client, native, portal, token)
}

func (l *leaky) driveSources(client *globusauth.Client, native flows.Config, portal flows.Config, token tokens.Token) {
	l.t.Helper()
	type source = func(config tokens.RefreshingConfig) (*tokens.Refreshing, error)
	for name, from := range map[string]source{
		"Native.Source": native.Source, "Confidential.Source": portal.Source, "Confidential.ClientCredentialsSource": portal.ClientCredentialsSource,
	} {
		_, err := from(tokens.RefreshingConfig{})
		l.look(name, err)
		kept, err := from(tokens.RefreshingConfig{Store: stored(l.t, client.Address(), token), ResourceServer: token.ResourceServer})
		if err != nil {
			l.t.Fatal(err)
		}
		got, err := kept.Token(l.t.Context())
		l.look(name, got, err)
		got, err = kept.Renew(l.t.Context(), token)
		l.look(name, got, err)
		hc, err := flows.HTTPClient(client, tokens.TransportConfig{Source: kept, ResourceServer: scopes.AuthResourceServer})
		if err != nil {
			l.t.Fatal(err)
		}
		l.look("HTTPClient", hc, get(l.t, hc, "https://elsewhere.example/"), get(l.t, hc, client.BaseURL()+"jwk.json"))
	}
	_, err := flows.HTTPClient(client, tokens.TransportConfig{Source: tokens.Static(token)})
	l.look("HTTPClient", err)
}
