package idtoken_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/idtoken"
)

// TestVerifierVerify_FetchesOnceOverHTTP has everything fetched from a real server.
func TestVerifierVerify_FetchesOnceOverHTTP(t *testing.T) {
	t.Parallel()
	p := newProvider(t, publicJWK(keyOne()))
	config := p.serve(t)
	raw := sign(t, keyOne(), globusHeader(), with(globusClaims(), object{"iss": config.Issuer}))
	verifier := newVerifier(t, config)
	for range 3 {
		if _, err := verifier.Verify(t.Context(), raw, full()); err != nil {
			t.Fatal(err)
		}
	}
	if keys, configurations := p.count(keysPath), p.count(configurationPath); keys != 1 || configurations != 1 {
		t.Errorf("%d and %d requests, want one each", keys, configurations)
	}
}

// TestVerifierVerify_HostileConfiguration is the attack table of the discovery document.
func TestVerifierVerify_HostileConfiguration(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		edit object
		want string // in the error; empty if there is none
	}{
		{"as it should be", nil, ""},
		{"issuer with a slash", object{"issuer": issuer + "/"}, ""},
		{"explicit port", object{"jwks_uri": "https://auth.globus.org:443/jwk.json"}, ""},
		{"further algorithms", object{"id_token_signing_alg_values_supported": []string{"none", "HS256", "XS512", "RS512"}}, ""},
		{"another issuer", object{"issuer": "https://evil.example"}, `its issuer is "https://evil.example"`},
		{"no issuer", object{"issuer": nil}, `its issuer is ""`},
		{"issuer of wrong JSON type", object{"issuer": 1}, "not an OpenID discovery document"},
		{"keys on another host", object{"jwks_uri": "https://evil.example/jwk.json"}, `"https://evil.example/jwk.json" is on another host than the issuer`},
		{"keys on another port", object{"jwks_uri": "https://auth.globus.org:8443/jwk.json"}, "on another host than the issuer"},
		{"keys on a host that only begins alike", object{"jwks_uri": "https://auth.globus.org.evil.example/jwk.json"}, "on another host than the issuer"},
		{"keys without https", object{"jwks_uri": "http://auth.globus.org/jwk.json"}, "is not on https"},
		{"keys in a file", object{"jwks_uri": "file:///etc/passwd"}, "not an absolute URL"},
		{"keys at a relative place", object{"jwks_uri": "/jwk.json"}, "not an absolute URL"},
		{"keys behind a user name", object{"jwks_uri": "https://auth.globus.org@evil.example/jwk.json"}, "user information"},
		{"no place of keys", object{"jwks_uri": nil}, "not an absolute URL"},
		{"no algorithms", object{"id_token_signing_alg_values_supported": nil}, "none of which is allowed"},
		{"unsafe algorithms only", object{"id_token_signing_alg_values_supported": []string{"none", "HS256", "HS512"}}, "none of which is allowed"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t, publicJWK(keyOne()))
			p.edit = test.edit
			inVirtualTime(t, p, func(t *testing.T, config idtoken.Config) {
				t.Helper()
				_, err := newVerifier(t, config).Verify(t.Context(), globusToken(t, keyOne()), full())
				if test.want == "" {
					if err != nil {
						t.Error(err)
					}
					return
				}
				if !errors.Is(err, idtoken.ErrUnavailable) || !strings.Contains(err.Error(), test.want) {
					t.Errorf("got %v, want %q", err, test.want)
				}
				if got := p.count(keysPath); got != 0 {
					t.Errorf("%d requests for keys", got)
				}
			})
		})
	}
}

// TestVerifierVerify_HostileResponses is the attack table of HTTP responses.
func TestVerifierVerify_HostileResponses(t *testing.T) {
	t.Parallel()
	endless := func(writer http.ResponseWriter, _ *http.Request) {
		chunk := []byte(strings.Repeat(" ", 64<<10))
		for range 1000 {
			if _, err := writer.Write(chunk); err != nil {
				return
			}
		}
	}
	elsewhere := httptest.NewServer(newProvider(t, publicJWK(keyOne())))
	t.Cleanup(elsewhere.Close)
	tests := []struct {
		name    string
		respond http.HandlerFunc
		want    string
		class   error
	}{
		{"endless", endless, "longer than 524288 bytes", nil},
		{"not found", http.NotFound, "404", apierror.ErrNotFound},
		{"empty", func(http.ResponseWriter, *http.Request) {}, "not an OpenID discovery document", nil},
		{"cut off", func(writer http.ResponseWriter, _ *http.Request) {
			writer.Header().Set("Content-Length", "100")
			_, _ = writer.Write([]byte("{"))
		}, "unexpected EOF", nil},
		{"redirect to another host", func(writer http.ResponseWriter, request *http.Request) {
			http.Redirect(writer, request, elsewhere.URL+request.URL.Path, http.StatusFound)
		}, "which is not followed", nil},
		{"redirect on the same host", func(writer http.ResponseWriter, request *http.Request) {
			http.Redirect(writer, request, request.URL.Path+"?again", http.StatusFound)
		}, "which is not followed", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
				asked.Add(1)
				test.respond(writer, request)
			}))
			t.Cleanup(server.Close)
			verifier := newVerifier(t, idtoken.Config{Issuer: server.URL, ClientID: clientID, HTTPClient: server.Client()})
			_, err := verifier.Verify(t.Context(), globusToken(t, keyOne()), full())
			if !errors.Is(err, idtoken.ErrUnavailable) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if got := asked.Load(); got > 1 {
				t.Errorf("%d requests", got)
			}
			if test.class != nil && !errors.Is(err, test.class) {
				t.Errorf("%v is not %v", err, test.class)
			}
		})
	}
}

// TestVerifierVerify_SendsNoCredentialsAndKeepsTheClient checks that no cookies are sent and the caller's client is unchanged.
func TestVerifierVerify_SendsNoCredentialsAndKeepsTheClient(t *testing.T) {
	t.Parallel()
	p := newProvider(t, publicJWK(keyOne()))
	server := httptest.NewServer(http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		if len(request.Cookies()) != 0 || request.Header.Get("Authorization") != "" {
			t.Errorf("credentials were sent: %v", request.Header)
		}
		if got := request.Header.Get("Accept"); got != "application/json" {
			t.Errorf("Accept is %q", got)
		}
		p.ServeHTTP(writer, request)
	}))
	t.Cleanup(server.Close)
	p.set(func(p *provider) { p.issuer = server.URL })

	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	location, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	jar.SetCookies(location, []*http.Cookie{{Name: "session", Value: "cookie-SECRET"}})
	client := &http.Client{Transport: server.Client().Transport, Jar: jar}
	config := idtoken.Config{
		Issuer: server.URL, ClientID: clientID, HTTPClient: client,
		Now: func() time.Time { return issued },
	}
	verifier := newVerifier(t, config)
	claims := with(globusClaims(), object{"iss": server.URL})
	if _, err := verifier.Verify(t.Context(), sign(t, keyOne(), globusHeader(), claims), idtoken.Expect{Nonce: nonce}); err != nil {
		t.Fatal(err)
	}
	if client.Jar != jar || client.CheckRedirect != nil {
		t.Error("the caller's client was changed")
	}
}

// TestVerifierVerify_PinnedKeys checks that nothing is fetched when keys are pinned.
func TestVerifierVerify_PinnedKeys(t *testing.T) {
	t.Parallel()
	var recorded struct{ Response struct{ JSON object } }
	readFixture(t, "jwk.json", &recorded)
	tests := []struct {
		name    string
		jwks    []byte
		header  object
		want    string
		fetched string // if it is not nothing
	}{
		{name: "nothing", fetched: "1 configuration, 1 keys"},
		{name: "nothing, and RS256 is not announced", header: object{"alg": "RS256"}, want: "alg", fetched: "1 configuration, 1 keys"},
		{name: "keys", jwks: keySet(t, publicJWK(keyOne()))},
		{name: "one key", jwks: encode(t, publicJWK(keyOne()))},
		{name: "one key in PEM", jwks: publicPEM(t, keyOne())},
		{name: "a certificate in PEM", jwks: certificatePEM(t, keyOne())},
		{name: "several keys in PEM", jwks: append(publicPEM(t, keyTwo()), publicPEM(t, keyOne())...)},
		{name: "the wrong key", jwks: publicPEM(t, keyTwo()), want: "signature"},
		{name: "a real key of Globus Auth", jwks: encode(t, recorded.Response.JSON), want: "signature"},
		{name: "RS256 by a key that states RS512", jwks: keySet(t, publicJWK(keyOne())), header: object{"alg": "RS256"}, want: "signature"},
		{name: "RS256 by a key that states nothing", jwks: publicPEM(t, keyOne()), header: object{"alg": "RS256"}},
		{name: "ES256 where all keys are RSA", jwks: publicPEM(t, keyOne()), header: object{"alg": "ES256"}, want: "signature"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t, publicJWK(keyOne()))
			inVirtualTime(t, p, func(t *testing.T, config idtoken.Config) {
				t.Helper()
				config.Options = idtoken.Options{JWKS: test.jwks}
				raw := sign(t, keyOne(), with(globusHeader(), test.header), globusClaims())
				_, err := newVerifier(t, config).Verify(t.Context(), raw, idtoken.Expect{Nonce: nonce})
				if test.want != "" {
					wantCheck(t, err, test.want)
				} else if err != nil {
					t.Error(err)
				}
				if test.fetched == "" {
					test.fetched = "0 configuration, 0 keys"
				}
				if got := fmt.Sprintf("%d configuration, %d keys", p.count(configurationPath), p.count(keysPath)); got != test.fetched {
					t.Errorf("fetched %s, want %s", got, test.fetched)
				}
			})
		})
	}
}
