package flows_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// responder responds to every request, without a network.
type responder func(req *http.Request) (status int, body []byte)

func (a responder) RoundTrip(req *http.Request) (*http.Response, error) {
	status, body := a(req)
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: req,
	}, nil
}

// offline is a client of a service with the given responses.
func offline(tb testing.TB, respond responder) *globusauth.Client {
	tb.Helper()
	client, err := globusauth.New(globusauth.Config{
		HTTPClient: &http.Client{Transport: respond}, MaxRetries: -1,
		Now: func() time.Time { return time.Unix(1_800_000_000, 0) },
	})
	if err != nil {
		tb.Fatal(err)
	}
	return client
}

// hanging is a client of a service that returns one body and never responds at one path,
// and how many requests waited there at once.
func hanging(tb testing.TB, path string, body any) (client *globusauth.Client, waiting *atomic.Int64) {
	tb.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		tb.Fatal(err)
	}
	waiting = new(atomic.Int64)
	return offline(tb, func(req *http.Request) (int, []byte) {
		if req.URL.Path == path && req.Context().Err() == nil {
			waiting.Add(1)
			<-req.Context().Done()
		}
		return http.StatusOK, data
	}), waiting
}

// recordedBodies adds the bodies of the recorded responses to the seeds.
func recordedBodies(f *testing.F) {
	f.Helper()
	files, err := filepath.Glob("testdata/oauth2_*.json")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		var all []recording
		if err := json.Unmarshal(data, &all); err != nil {
			f.Fatal(err)
		}
		for _, r := range all {
			f.Add(r.Response.Status, []byte(r.Response.JSON))
		}
	}
}

// Whatever the token endpoint returns, there are either usable tokens or an error
// of one line.
func FuzzTokenResponse(f *testing.F) {
	recordedBodies(f)
	for _, body := range []string{
		"", "null", "[]", "{}", `{"access_token":1}`, `[{"access_token":"a","resource_server":"a"}]`,
		`{"access_token":"a","resource_server":"a","expires_in":1e9,"scope":"s"}`,
		`{"access_token":"a","resource_server":"a","expires_in":9223372036854775807}`,
		`{"access_token":"a","resource_server":"a","token_type":"mac"}`,
		`{"access_token":"a","resource_server":"a","other_tokens":[{"access_token":"a","resource_server":"a"}]}`,
		`{"access_token":"a","resource_server":"a","other_tokens":null,"id_token":"e30.e30.e30"}`,
		`{"access_token":"a","resource_server":"a","expires_in":172800.0}`, `{"access_token":"a","resource_server":"a","expires_in":"1728e2","scope":"a\tb"}`,
		`{"access_token":"a","other_tokens":[{"access_token":7,"resource_server":"b"},{"access_token":"b","resource_server":"b","token_type":"mac"},"c",{"resource_server":["d"]}]}`,
		`{"access_token":"a","resource_server":"a","expires_in":-0.5,"id_token":7,"refresh_token":{},"other_tokens":{}}`,
		`{"access_token":7,"resource_server":"a","refresh_token":"new","other_tokens":[{"access_token":"b","resource_server":"b","expires_in":60}]}`,
		`{"access_token":"a\n","resource_server":"a","access_token":"b"}`, "{\"access_token\":\"a\xff\"",
	} {
		f.Add(http.StatusOK, []byte(body))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 200 || status > 599 {
			status = http.StatusOK
		}
		client := offline(t, func(*http.Request) (int, []byte) { return status, body })
		portal := flows.Config{
			Auth: client, ClientID: clientID, ClientSecret: clientSecret, RedirectURI: redirectURI, Scopes: scopes.List{scopes.TransferAll},
		}
		login := start(t, portal)
		callback := url.Values{"state": query(t, login)["state"], "code": {"code"}}
		current := tokens.Token{RefreshToken: "r"}
		if len(body)%2 == 0 {
			current.AccessToken = "current"
		}
		for name, call := range map[string]func() (tokens.Set, error){
			"finish": func() (tokens.Set, error) {
				set, _, err := login.Finish(t.Context(), callback)
				return set, err
			},
			"refresh": func() (tokens.Set, error) { return portal.Refresh(t.Context(), current) },
			"dependent": func() (tokens.Set, error) {
				return portal.DependentTokens(t.Context(), "t", flows.DependentOptions{})
			},
			"service": func() (tokens.Set, error) { return portal.ClientCredentials(t.Context()) },
		} {
			set, err := call()
			if err != nil {
				// A refresh keeps a new refresh token that came without an access token.
				if name == "refresh" && errors.Is(err, flows.ErrToken) && len(set.All()) != 0 {
					if !slices.ContainsFunc(set.All(), func(token tokens.Token) bool { return token.RefreshToken != "" }) {
						t.Errorf("refresh: tokens without a refresh token beside the error %q", err)
					}
					continue
				}
				if len(set.All()) != 0 || strings.ContainsAny(err.Error(), "\r\n\x00") {
					t.Errorf("%s: %d tokens with the error %q", name, len(set.All()), err)
				}
				continue
			}
			if len(set.All()) == 0 && name != "dependent" {
				t.Errorf("%s: neither tokens nor an error", name)
			}
			for _, token := range set.All() {
				if token.AccessToken == "" || token.ResourceServer == "" || (token.TokenType != "" && !strings.EqualFold(token.TokenType, "bearer")) ||
					token.Lifetime < 0 || (token.Lifetime > 0) == token.Expiry.IsZero() {
					t.Errorf("%s: %v", name, token)
				}
			}
			if raw, has := set.IDToken(); has && raw != "" {
				t.Errorf("%s: an ID token that cannot have been verified", name)
			}
		}
		introspection, err := portal.Introspect(t.Context(), "t", flows.IntrospectOptions{})
		if err == nil && !introspection.Active && (introspection.Sub != "" || introspection.Scope != "") {
			t.Errorf("inactive: %+v", introspection)
		}
	})
}

// Whatever comes to the redirect URI, the code is exchanged only if state, issuer
// and form are right.
func FuzzCallback(f *testing.F) {
	for _, text := range []string{
		"", "code=c&state=STATE", "state=STATE&error=access_denied&error_description=no", "code=c&state=STATE&iss=https://auth.globus.org",
		"code=c&state=STATE&iss=https://auth.evil.example", "code=c&state=STATE&state=STATE", "code=c&code=d&state=STATE",
		"code=c&error=e&state=STATE", "code=&state=STATE", "code=c&state=", "code=%00&state=STATE", "code=c%0d%0a&state=STATE", "code=c;state=STATE",
		"CODE=c&STATE=STATE", "code=c&state=STATE&x=1&x=2", "code=c&state=STATE&error=", "code=&state=STATE&error=access_denied", "error=access_denied&error_description=%0d%0a", "error=%F0%9F%98%80", "code=c&state=STAT", "code=c&state=STATESTATE",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		exchanged := ""
		client := offline(t, func(req *http.Request) (int, []byte) {
			if err := req.ParseForm(); err == nil {
				exchanged = req.PostForm.Get("code")
			}
			return http.StatusOK, []byte(`{"access_token":"a","resource_server":"r","scope":"s","expires_in":60}`)
		})
		portal := flows.Config{
			Auth: client, ClientID: clientID, ClientSecret: clientSecret, RedirectURI: redirectURI, Scopes: scopes.List{scopes.TransferAll},
		}
		login := start(t, portal)
		state := query(t, login).Get("state")
		callback, err := url.ParseQuery(strings.ReplaceAll(text, "STATE", state))
		if err != nil {
			return
		}
		set, _, err := login.Finish(t.Context(), callback)
		right := len(callback["state"]) == 1 && callback.Get("state") == state && len(callback["code"]) == 1 &&
			len(callback["error"]) <= 1 && callback.Get("error") == "" && (!callback.Has("iss") || strings.TrimSuffix(callback.Get("iss"), "/") == "https://auth.globus.org")
		if (err == nil || exchanged != "") && !right {
			t.Errorf("%q: exchanged %q, error %v", text, exchanged, err)
		}
		if err == nil && (exchanged != callback.Get("code") || len(set.All()) != 1) {
			t.Errorf("%q: exchanged %q", text, exchanged)
		}
		if err != nil && (len(set.All()) != 0 || strings.Contains(err.Error(), state) || strings.ContainsAny(err.Error(), "\r\n\x00")) {
			t.Errorf("%q: %d tokens, error %q", text, len(set.All()), err)
		}
	})
}

// Whatever was in the session, a login that is read is one that Start could have
// made, and is written again as it was.
func FuzzStoredLogin(f *testing.F) {
	client := offline(f, func(*http.Request) (int, []byte) { return http.StatusInternalServerError, nil })
	portal := flows.Config{Auth: client, ClientID: clientID, ClientSecret: clientSecret, RedirectURI: redirectURI, Scopes: wanted}
	good, err := start(f, portal).MarshalStorage()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	for _, cut := range []int{0, 1, len(good) / 2, len(good) - 1} {
		f.Add(good[:cut])
	}
	for _, pair := range [][2]string{
		{`"state":"`, `"state":"x`},
		{`"nonce"`, `"Nonce"`},
		{`"nonce":"`, `"nonce":null,"x":"`},
		{`"expires_at":1`, `"expires_at":-1`},
		{`"expires_at":1`, `"expires_at":1e3`},
		{clientID, "another"},
		{"{", `{"state":"",`},
		{"login 1", "login 0"},
	} {
		f.Add(bytes.Replace(good, []byte(pair[0]), []byte(pair[1]), 1))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		login, err := portal.Resume(data)
		if err != nil {
			if !errors.Is(err, flows.ErrStored) && !errors.Is(err, flows.ErrLoginExpired) {
				t.Errorf("error %v", err)
			}
			return
		}
		again, err := login.MarshalStorage()
		if err != nil {
			t.Fatal(err)
		}
		var form struct {
			ClientID    string `json:"client_id"`
			RedirectURI string `json:"redirect_uri"`
			Verifier    string `json:"code_verifier"`
			State       string `json:"state"`
			Nonce       string `json:"nonce"`
		}
		if err := json.Unmarshal(again, &form); err != nil {
			t.Fatal(err)
		}
		if form.ClientID != clientID || form.RedirectURI != redirectURI || len(form.Verifier) < 43 || len(form.State) != 43 || len(form.Nonce) != 43 {
			t.Errorf("%q was read as %q", data, again)
		}
		if _, err := portal.Resume(again); err != nil {
			t.Errorf("%q cannot be read again: %v", again, err)
		}
		if _, _, err := login.Finish(t.Context(), url.Values{"code": {"c"}, "state": {""}}); !errors.Is(err, flows.ErrState) {
			t.Errorf("%q: %v", data, err)
		}
	})
}
