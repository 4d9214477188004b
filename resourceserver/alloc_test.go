package resourceserver_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/resourceserver"
)

// TestAPIProtect_Allocations counts what a request with a cached token allocates beside a bare handler: the copy of the
// request and the context with its caller.
func TestAPIProtect_Allocations(t *testing.T) { //nolint:paralleltest // Allocations are counted for the whole process.
	w := newWorld(t)
	api := w.api(t, resourceserver.Config{Rules: rules(resourceserver.AllScopes(jobs))})
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
	request.Header.Set("Authorization", "Bearer "+w.Token(authtest.Grant{User: w.Alice.Username}))
	session := rules(resourceserver.Fresh(time.Hour), resourceserver.SessionDomains("physics.example.edu"))
	listed := rules(resourceserver.Services([]string{robotID}, session...))
	for name, test := range map[string]struct {
		call func()
		want float64
	}{
		"Protect":            {serve(api.Protect(handler), request), 2},
		"Protect, session":   {serve(api.Protect(handler, listed...), request), 2},
		"FromRequest":        {func() { _, _ = api.FromRequest(request) }, 1},
		"FromRequest, rules": {func() { _, _ = api.FromRequest(request, listed...) }, 1},
	} {
		test.call()
		if got := testing.AllocsPerRun(200, test.call); got != test.want {
			t.Errorf("%s: %v allocations, want %v", name, got, test.want)
		}
	}
}

func serve(handler http.Handler, request *http.Request) func() {
	writer := &sink{http.Header{}}
	return func() { handler.ServeHTTP(writer, request) }
}
