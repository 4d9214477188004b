//go:build interop

package pgstore_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/flows/login"
	"github.com/globusauth/globusauth/scopes"
)

// A login that is started on one replica ends on a second, and a third knows the session.
func TestSessions_Replicas(t *testing.T) {
	t.Parallel()
	server := authtest.New(t)
	server.AddUser(authtest.User{Username: "alice@lab.example.org"})
	const id, redirect = "7fb58e00-839d-44e3-8047-10a502612dca", "https://portal.example.org/callback"
	server.AddClient(authtest.Client{ID: id, Name: "portal", Secret: "secret", RedirectURIs: []string{redirect}})
	auth, err := globusauth.New(globusauth.Config{BaseURL: server.BaseURL(), HTTPClient: server.Client(), Now: server.Now})
	if err != nil {
		t.Fatal(err)
	}
	_, config := shared.tables(t)
	replica := func() *login.Web {
		web, err := login.NewWeb(login.WebConfig{
			Flow:     flows.Config{Auth: auth, ClientID: id, ClientSecret: "secret", RedirectURI: redirect, Scopes: scopes.List{scopes.AuthOpenID}},
			Sessions: newSessions(t, shared.pool(t, "postgres"), config),
		})
		if err != nil {
			t.Fatal(err)
		}
		return web
	}
	var cookies []*http.Cookie
	serve := func(handler http.HandlerFunc, target string) (status int, location string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
		r.Host = "portal.example.org"
		for _, cookie := range cookies {
			r.AddCookie(cookie)
		}
		w := httptest.NewRecorder()
		handler(w, r)
		response := w.Result()
		_ = response.Body.Close()
		cookies = append(cookies, response.Cookies()...)
		return response.StatusCode, response.Header.Get("Location")
	}
	_, address := serve(replica().Start, "/login?next=/jobs")
	callback, err := server.Login(t.Context(), "alice@lab.example.org", address)
	if err != nil {
		t.Fatal(err)
	}
	if status, location := serve(replica().Callback, callback.RequestURI()); status != http.StatusSeeOther || location != "/jobs" {
		t.Fatalf("the callback on another replica: %d to %q", status, location)
	}
	third := replica()
	serve(func(_ http.ResponseWriter, r *http.Request) {
		session, err := third.Session(r)
		if err != nil || session == nil {
			t.Errorf("the session on a third replica: %v, %v", session, err)
		}
	}, "/jobs")
}
