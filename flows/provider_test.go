package flows_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/scopes"
)

const (
	clientID     = "7fb58e00-839d-44e3-8047-10a502612dca"
	clientSecret = "confidential-SECRET-6d1b"
	redirectURI  = "https://portal.example.org/callback"
	alice        = "11111111-1111-4111-8111-111111111111"
)

type object = map[string]any

// The signing keys are made once, since making them is slow.
var (
	signingKey = sync.OnceValue(newKey)
	otherKey   = sync.OnceValue(newKey)
)

func newKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

// clock is a clock that only moves when told to.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// logBuffer holds what was logged.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// received is one request to the token, introspection or revocation endpoint.
type received struct {
	path   string
	query  url.Values
	form   url.Values
	header http.Header
}

// provider is a scripted authorization server. Its authorization code grant
// checks what a server has to check; the rest each test scripts.
type provider struct {
	*httptest.Server
	clock *clock

	log logBuffer // warnings of the client

	mu       sync.Mutex
	codes    map[string]url.Values // the authorize parameters of each unspent code
	requests []received
	fetches  map[string]int // of discovery and keys

	// respond, if set, replaces the response of the token endpoint.
	respond func(r received) (status int, body any)
	// alter, if set, changes the response of the code grant.
	alter func(p *provider, response object)
	nonce string // for alter
	// keysDown makes the key endpoint fail.
	keysDown bool
	// onFetch, if set, is called before the discovery document is returned.
	onFetch func()
	// idToken, if set, makes the ID token of the code grant.
	idToken func(p *provider, claims object) string
}

func newProvider(tb testing.TB) *provider {
	tb.Helper()
	p := &provider{
		clock: &clock{now: time.Unix(1_800_000_000, 0)},
		codes: map[string]url.Values{}, fetches: map[string]int{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		p.fetched(r)
		reply(w, http.StatusOK, object{
			"issuer": p.URL, "jwks_uri": p.URL + "/jwk.json", "id_token_signing_alg_values_supported": []string{"RS512"},
		})
	})
	mux.HandleFunc("GET /jwk.json", func(w http.ResponseWriter, r *http.Request) {
		p.fetched(r)
		if p.keysDown {
			reply(w, http.StatusServiceUnavailable, object{})
			return
		}
		key := signingKey()
		reply(w, http.StatusOK, object{"keys": []object{{
			"kty": "RSA", "alg": "RS512", "use": "sig",
			"n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()),
			"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes()),
		}}})
	})
	mux.HandleFunc("POST /v2/oauth2/", p.serve)
	p.Server = httptest.NewServer(mux)
	tb.Cleanup(p.Close)
	return p
}

func (p *provider) fetched(r *http.Request) {
	if p.onFetch != nil {
		p.onFetch()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fetches[r.URL.Path]++
}

func (p *provider) serve(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	got := received{path: r.URL.Path, query: r.URL.Query(), form: r.PostForm, header: r.Header.Clone()}
	p.mu.Lock()
	p.requests = append(p.requests, got)
	respond := p.respond
	p.mu.Unlock()
	if respond == nil {
		respond = p.exchange
	}
	status, body := respond(got)
	reply(w, status, body)
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if text, ok := body.(string); ok {
		_, _ = w.Write([]byte(text))
		return
	}
	_ = json.NewEncoder(w).Encode(body)
}

// exchange is the authorization code grant with PKCE.
func (p *provider) exchange(r received) (int, any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.path == "/v2/oauth2/token/revoke" {
		return http.StatusOK, object{"active": false}
	}
	code := r.form.Get("code")
	params, known := p.codes[code]
	delete(p.codes, code)
	sum := sha256.Sum256([]byte(r.form.Get("code_verifier")))
	switch {
	case r.form.Get("grant_type") != "authorization_code":
		return http.StatusBadRequest, object{"error": "unsupported_grant_type"}
	case !known, params.Get("redirect_uri") != r.form.Get("redirect_uri"),
		params.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(sum[:]):
		return http.StatusBadRequest, object{"error": "invalid_grant"}
	}
	response := object{
		"access_token": "access-SECRET-auth", "token_type": "Bearer", "expires_in": 172800, "resource_server": "auth.globus.org",
		"scope": "openid profile", "state": params.Get("state"),
		"other_tokens": []object{{
			"access_token": "access-SECRET-transfer", "token_type": "Bearer", "expires_in": 3600,
			"resource_server": "transfer.api.globus.org", "scope": string(scopes.TransferAll),
		}},
	}
	if params.Get("access_type") == "offline" {
		response["refresh_token"] = "refresh-SECRET-auth"
		response["other_tokens"].([]object)[0]["refresh_token"] = "refresh-SECRET-transfer"
	}
	if params.Get("nonce") != "" {
		claims := p.claims(params.Get("nonce"))
		response["id_token"] = sign(signingKey(), object{"typ": "JWT", "alg": "RS512"}, claims)
		if p.idToken != nil {
			response["id_token"] = p.idToken(p, claims)
		}
	}
	if p.alter != nil {
		p.alter(p, response)
	}
	return http.StatusOK, response
}

// claims are those of a good ID token for the access token access-SECRET-auth.
func (p *provider) claims(nonce string) object {
	now := p.clock.Now().Unix()
	claims := object{
		"iss": p.URL, "aud": clientID, "sub": alice, "exp": now + 172800, "iat": now,
		"at_hash": tokenHash("access-SECRET-auth"), "preferred_username": "alice@example.edu",
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	return claims
}

func tokenHash(accessToken string) string {
	sum := sha512.Sum512([]byte(accessToken))
	return base64.RawURLEncoding.EncodeToString(sum[:32])
}

// sign makes a token as Globus Auth does, with the standard library alone.
func sign(key *rsa.PrivateKey, header, claims object) string {
	encode := func(value object) string {
		text, err := json.Marshal(value)
		if err != nil {
			panic(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	return signText(key, header, encode(header)+"."+encode(claims))
}

func signText(key *rsa.PrivateKey, header object, signed string) string {
	hash, sum := crypto.SHA512, sha512.New()
	if header["alg"] == "RS256" {
		hash, sum = crypto.SHA256, sha256.New()
	}
	sum.Write([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, hash, sum.Sum(nil))
	if err != nil {
		panic(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// authorize plays the person who logs in: it remembers what the URL asks for and
// returns the callback.
func (p *provider) authorize(tb testing.TB, login flows.Login) url.Values {
	tb.Helper()
	target, err := url.Parse(login.URL())
	if err != nil || !strings.HasPrefix(login.URL(), p.URL+"/v2/oauth2/authorize?") {
		tb.Fatalf("authorize URL %q, %v", login.URL(), err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	code := fmt.Sprintf("code-SECRET-%d", len(p.codes)+len(p.requests)+1)
	p.codes[code] = target.Query()
	return url.Values{"code": {code}, "state": {target.Query().Get("state")}}
}

func (p *provider) received() []received {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}

// revoked are the tokens that were revoked, sorted.
func (p *provider) revoked() []string {
	var revoked []string
	for _, r := range p.received() {
		if r.path == "/v2/oauth2/token/revoke" {
			revoked = append(revoked, r.form.Get("token"))
		}
	}
	slices.Sort(revoked)
	return revoked
}

func (p *provider) last(tb testing.TB) received {
	tb.Helper()
	all := p.received()
	if len(all) == 0 {
		tb.Fatal("no request came")
	}
	return all[len(all)-1]
}

func (p *provider) client(tb testing.TB) *globusauth.Client {
	tb.Helper()
	client, err := globusauth.New(globusauth.Config{
		BaseURL: p.URL, HTTPClient: p.Client(), Now: p.clock.Now, MaxRetries: -1, Logger: slog.New(slog.NewJSONHandler(&p.log, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		tb.Fatal(err)
	}
	return client
}

var wanted = scopes.List{scopes.AuthOpenID, scopes.AuthProfile, scopes.TransferAll}

func (p *provider) native(tb testing.TB) flows.Config {
	tb.Helper()
	return flows.Config{Auth: p.client(tb), ClientID: clientID, Scopes: wanted}
}

func (p *provider) confidential(tb testing.TB) flows.Config {
	tb.Helper()
	return flows.Config{
		Auth: p.client(tb), ClientID: clientID, ClientSecret: clientSecret, Scopes: wanted, RedirectURI: redirectURI,
	}
}

// start begins a login or ends the test.
func start(tb testing.TB, from interface {
	Start(options ...flows.StartOption) (flows.Login, error)
}, options ...flows.StartOption,
) flows.Login {
	tb.Helper()
	login, err := from.Start(options...)
	if err != nil {
		tb.Fatal(err)
	}
	return login
}

// query returns the parameters of a login's URL.
func query(tb testing.TB, login flows.Login) url.Values {
	tb.Helper()
	target, err := url.Parse(login.URL())
	if err != nil {
		tb.Fatal(err)
	}
	return target.Query()
}

// with gives a copy of parameters with some changed; no value removes one.
func with(base url.Values, changes url.Values) url.Values {
	changed := maps.Clone(base)
	for name, values := range changes {
		if values == nil {
			delete(changed, name)
		} else {
			changed[name] = values
		}
	}
	return changed
}

// raw is a number in the spelling that is given.
func raw(number string) json.RawMessage { return json.RawMessage(number) }
