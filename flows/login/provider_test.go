package login_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	clientID     = "7fb58e00-839d-44e3-8047-10a502612dca"
	clientSecret = "confidential-SECRET-6d1b"
)

// provider is an authorization server whose only grant is that of a code with
// PKCE. Its pages are played by the tests.
type provider struct {
	*httptest.Server

	mu        sync.Mutex
	codes     map[string]url.Values // the authorize parameters of each unspent code
	issued    int
	exchanges int
	revoked   []string
	refuse    string // if set, the error of every exchange
	exchanged func() // if set, called before the response to an exchange
}

func newProvider(tb testing.TB) *provider {
	tb.Helper()
	p := &provider{codes: map[string]url.Values{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v2/oauth2/token", p.token)
	mux.HandleFunc("POST /v2/oauth2/token/revoke", p.revoke)
	p.Server = httptest.NewServer(mux)
	tb.Cleanup(p.Close)
	return p
}

func (p *provider) token(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.exchanges++
	if p.exchanged != nil {
		p.exchanged()
	}
	code := r.PostFormValue("code")
	begun, known := p.codes[code]
	delete(p.codes, code)
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	w.Header().Set("Content-Type", "application/json")
	if p.refuse != "" || !known || begun.Get("redirect_uri") != r.PostFormValue("redirect_uri") ||
		begun.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(sum[:]) {
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": "invalid_grant", "error_description": p.refuse})
		return
	}
	_, _ = fmt.Fprintf(w, `{"access_token":"access-SECRET-%d","refresh_token":"refresh-SECRET-%d","expires_in":172800,"token_type":"Bearer",
		"resource_server":"transfer.api.globus.org","scope":%q}`, p.exchanges, p.exchanges, scopes.TransferAll)
}

func (p *provider) revoke(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.revoked = append(p.revoked, r.PostFormValue("token"))
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"active":false}`))
}

// authorize plays the person who logs in at the URL, and returns the callback.
func (p *provider) authorize(loginURL string) (redirectURI string, callback url.Values, err error) {
	target, err := url.Parse(loginURL)
	if err != nil || !strings.HasPrefix(loginURL, p.URL+"/v2/oauth2/authorize?") {
		return "", nil, fmt.Errorf("authorize URL %q: %w", loginURL, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.issued++
	code := fmt.Sprintf("code-SECRET-%d", p.issued)
	p.codes[code] = target.Query()
	return target.Query().Get("redirect_uri"), url.Values{"code": {code}, "state": {target.Query().Get("state")}}, nil
}

func (p *provider) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.exchanges
}

func (p *provider) revocations() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.revoked)
}

func (p *provider) client(tb testing.TB, now func() time.Time) *globusauth.Client {
	tb.Helper()
	client, err := globusauth.New(globusauth.Config{
		BaseURL: p.URL, HTTPClient: &http.Client{Transport: p.transport(tb)}, Now: now, MaxRetries: -1,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return client
}

func (p *provider) native(tb testing.TB) flows.Config {
	tb.Helper()
	return flows.Config{Auth: p.client(tb, nil), ClientID: clientID, Scopes: scopes.List{scopes.TransferAll}, RefreshTokens: true}
}

// outcome is how a login ended.
type outcome struct {
	set tokens.Set
	err error
}

func mustLogin(tb testing.TB, got outcome) {
	tb.Helper()
	if got.err != nil {
		tb.Fatal(got.err)
	}
	if token, found := got.set.ByResourceServer("transfer.api.globus.org"); !found || !strings.HasPrefix(token.AccessToken, "access-SECRET") {
		tb.Fatalf("set %v", got.set)
	}
}

// noSecrets fails if a text shows what only this login may know.
func noSecrets(tb testing.TB, what, text string, more ...string) {
	tb.Helper()
	for _, secret := range append(more, "SECRET") {
		if secret != "" && strings.Contains(text, secret) {
			tb.Errorf("%s shows %q: %s", what, secret, text)
		}
	}
}

var errTest = errors.New("made by the test")

// unreachable is the address of a server that refuses connections at once.
func unreachable() *httptest.Server {
	return &httptest.Server{URL: "http://127.0.0.1:1"}
}

// transport sends nothing if the server is unreachable.
func (p *provider) transport(tb testing.TB) http.RoundTripper {
	tb.Helper()
	if p.Client() != nil {
		return p.Client().Transport
	}
	return refusing{}
}

type refusing struct{}

func (refusing) RoundTrip(*http.Request) (*http.Response, error) { return nil, errTest }

// hanging is a client whose requests end with their contexts.
func hanging() *http.Client {
	return &http.Client{Transport: transportFunc(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	})}
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// writerFunc is told what is written.
type writerFunc func(text string)

func (f writerFunc) Write(text []byte) (int, error) {
	f(string(text))
	return len(text), nil
}
