package app_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/scopes"
)

// A login made at one address is not loaded, sent or deleted by a client of the
// same ID at another address, although both use one directory.
func TestAppSource_ServiceAtAnotherAddress(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"file", "sqlite"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			server := authtest.New(t)
			told := child{BaseURL: server.BaseURL(), ClientID: server.Ready().NativeClientID, Store: kind, Dir: t.TempDir()}
			here, err := told.user(app.Config{Login: &person{server: server}})
			if err != nil {
				t.Fatal(err)
			}
			if err := here.Login(t.Context(), app.LoginOptions{}); err != nil {
				t.Fatal(err)
			}
			var mu sync.Mutex
			var got []string
			elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				got = append(got, r.Method+" "+r.URL.Path)
				w.WriteHeader(http.StatusBadRequest)
			}))
			defer elsewhere.Close()
			told.BaseURL = elsewhere.URL
			there, err := told.user(app.Config{NoLogin: true, Login: &person{server: server}})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := there.Source(scopes.AuthResourceServer).Token(t.Context()); !errors.Is(err, app.ErrMissingToken) {
				t.Errorf("Token at the other address: %v, want ErrMissingToken", err)
			}
			_ = there.Logout(t.Context(), app.LogoutOptions{})
			if mu.Lock(); len(got) > 0 {
				t.Errorf("the other address was sent %s", strings.Join(got, ", "))
			}
			mu.Unlock()
			if _, err := here.Source(scopes.AuthResourceServer).Token(t.Context()); err != nil {
				t.Errorf("the login is gone: %v", err)
			}
		})
	}
}
