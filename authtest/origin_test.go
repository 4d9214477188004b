package authtest_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/internal/emulator"
)

// respond sends a request over a connection, with any Host header, and returns the
// status and the header.
func respond(t *testing.T, client *http.Client, request *http.Request) (int, http.Header) {
	t.Helper()
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode, response.Header
}

func newRequest(t *testing.T, method, url string) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return request
}

// A page whose name resolves to this machine must not read or change anything.
func TestServer_RequestOfAnotherHostIsMisdirected(t *testing.T) {
	t.Parallel()
	s, err := authtest.NewServer(authtest.Config{BaseURL: "http://auth.test:9999"})
	if err != nil {
		t.Fatal(err)
	}
	// The address that listens is not the base URL here.
	listener := httptest.NewServer(emulator.Handler(s))
	t.Cleanup(listener.Close)
	_, port, err := net.SplitHostPort(listener.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		host    string
		allowed bool
	}{
		{"127.0.0.1:" + port, true},
		{"127.8.9.10", true},
		{"[::1]:" + port, true},
		{"[::1]", true},
		{"localhost:3000", true},
		{"LOCALHOST", true},
		{"auth.test:9999", true},
		{"Auth.Test", true},
		{"evil.example:" + port, false},
		{"localhost.evil.example", false},
		{"127.0.0.1.evil.example", false},
		{"auth.test.evil.example", false},
		{"192.0.2.1", false},
		{"0.0.0.0", false},
		{"[::]", false},
	} {
		for _, path := range []string{"/_authtest/snapshot", "/_authtest/ready", "/", "/v2/api/identities", "/nowhere"} {
			request := newRequest(t, http.MethodGet, listener.URL+path)
			request.Host = test.host
			status, _ := respond(t, listener.Client(), request)
			if misdirected := status == http.StatusMisdirectedRequest; misdirected == test.allowed {
				t.Errorf("Host %s, %s: status %d, allowed should be %v", test.host, path, status, test.allowed)
			}
		}
	}
}

// A test that calls the handler itself, behind a transport of its own, may use any URL.
func TestServerHandler_CalledWithoutAConnectionTakesAnyHost(t *testing.T) {
	t.Parallel()
	s, err := authtest.NewServer(authtest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	recorder := httptest.NewRecorder()
	s.Handler().ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://auth.globus.org/jwk.json", nil))
	if recorder.Code != http.StatusOK {
		t.Errorf("status %d, want 200", recorder.Code)
	}
}

func TestServer_NoContentTypeIsGuessed(t *testing.T) {
	t.Parallel()
	s, client := emulate(t, authtest.Config{})
	for _, path := range []string{
		"jwk.json", "_authtest/snapshot", "_authtest/ready", "_authtest/openapi.yaml", "_authtest/auth.openapi.yaml", "nowhere", "",
	} {
		_, header := respond(t, client, newRequest(t, http.MethodGet, s.BaseURL()+path))
		if got := header.Get("X-Content-Type-Options"); got != "nosniff" {
			t.Errorf("/%s: X-Content-Type-Options is %q, want nosniff", path, got)
		}
	}
}

// A preflight succeeds only if the browser may read the following response.
func TestServer_PreflightOfAnotherOrigin(t *testing.T) {
	t.Parallel()
	s, client := emulate(t, authtest.Config{})
	for _, test := range []struct {
		method, path string
		allowed      bool
	}{
		{http.MethodPost, "v2/oauth2/token", true},
		{http.MethodPost, "v2/oauth2/token/revoke", true},
		{http.MethodGet, "v2/api/identities", true},
		{http.MethodPut, "v2/api/clients/x", true},
		{http.MethodGet, "jwk.json", true},
		{http.MethodGet, ".well-known/openid-configuration", true},
		{http.MethodPost, "v2/oauth2/authorize", false},
		{http.MethodPost, "_authtest/world", false},
		{http.MethodDelete, "_authtest/faults", false},
		{http.MethodGet, "_authtest/snapshot", false},
		{http.MethodPost, "", false},
		{http.MethodPost, "v2/nowhere", false},
		{http.MethodDelete, "v2/oauth2/token", false},
	} {
		t.Run(fmt.Sprintf("%s /%s", test.method, test.path), func(t *testing.T) {
			t.Parallel()
			request := newRequest(t, http.MethodOptions, s.BaseURL()+test.path)
			request.Header.Set("Origin", "http://localhost:3000")
			request.Header.Set("Access-Control-Request-Method", test.method)
			request.Header.Set("Access-Control-Request-Headers", "x-globus-client-info")
			status, header := respond(t, client, request)
			origin, headers := header.Get("Access-Control-Allow-Origin"), header.Get("Access-Control-Allow-Headers")
			if test.allowed && (status != http.StatusNoContent || origin != "*" || headers != "x-globus-client-info") {
				t.Errorf("status %d, %v, want a success", status, header)
			}
			if !test.allowed && (status < 400 || origin != "" || headers != "") {
				t.Errorf("status %d, %v, want a refusal", status, header)
			}
		})
	}
}
