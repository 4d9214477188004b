package resourceserver_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/flows/login"
	"github.com/globusauth/globusauth/resourceserver"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// TestAPIProtect_AppMeetsEveryDemandInOneLogin has an app call an API whose rules its login does not meet: the
// response says what one new login must do, the app logs in so and retries.
func TestAPIProtect_AppMeetsEveryDemandInOneLogin(t *testing.T) {
	t.Parallel()
	minute := 600
	tests := []struct {
		name  string
		rules func(policy string) []resourceserver.Rule
		age   time.Duration
	}{
		{name: "session too old", age: time.Hour, rules: func(string) []resourceserver.Rule { return rules(resourceserver.Fresh(15 * time.Minute)) }},
		{name: "scope missing", rules: func(string) []resourceserver.Rule { return rules(resourceserver.AllScopes(jobs, admin)) }},
		{name: "consent to groups missing", rules: func(string) []resourceserver.Rule { return rules(resourceserver.AnyGroup(operators)) }},
		{name: "consent to groups and age", age: time.Hour, rules: func(string) []resourceserver.Rule {
			return rules(resourceserver.AnyGroup(operators), resourceserver.Fresh(15*time.Minute))
		}},
		{name: "policy and age", age: time.Hour, rules: func(policy string) []resourceserver.Rule {
			return rules(resourceserver.Policies(policy), resourceserver.Fresh(15*time.Minute))
		}},
		{name: "age, scope and MFA", age: time.Hour, rules: func(string) []resourceserver.Rule {
			return rules(resourceserver.Fresh(15*time.Minute), resourceserver.AllScopes(admin), resourceserver.MFA())
		}},
		{name: "linked identity of a domain", rules: func(string) []resourceserver.Rule { return rules(resourceserver.SessionDomains("lab.example.org")) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := groupWorld(t)
			policy := w.AddPolicy(authtest.Policy{Project: w.Ready().ProjectID, Name: "strict", HighAssurance: true, Timeout: &minute})
			denied := 0
			protected := w.api(t, resourceserver.Config{}).Protect(http.HandlerFunc(hello), test.rules(policy.ID)...)
			auth := w.clientOver(t, func(next http.RoundTripper) http.RoundTripper {
				return roundTripper(func(r *http.Request) (*http.Response, error) {
					if r.URL.Host != "api.example.edu" {
						return next.RoundTrip(r)
					}
					recorder := httptest.NewRecorder()
					protected.ServeHTTP(recorder, r)
					if recorder.Code != http.StatusOK {
						denied++
					}
					return recorder.Result(), nil
				})
			})
			user, err := app.NewUser(app.Config{
				Client: auth, ClientID: w.Ready().NativeClientID, Name: "test", Scopes: scopes.List{jobs},
				Store: tokens.NewMemory(), RedriveGAREs: true, Login: login.Func(w.Browser(w.Alice.Username)),
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := user.Login(t.Context(), app.LoginOptions{}); err != nil {
				t.Fatal(err)
			}
			w.Advance(test.age)
			client, err := user.HTTPClient(t.Context(), apiID, "api.example.edu")
			if err != nil {
				t.Fatal(err)
			}
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.example.edu/", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			response, err := client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = response.Body.Close() }()
			var body bytes.Buffer
			if _, err := body.ReadFrom(response.Body); err != nil {
				t.Fatal(err)
			}
			if response.StatusCode != http.StatusOK || denied != 1 {
				t.Errorf("status %d after %d denials, want 200 after 1: %s", response.StatusCode, denied, body.String())
			}
		})
	}
}
