package authtest_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"go.uber.org/goleak"

	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/internal/emulator"
)

func TestMain(m *testing.M) {
	if kind := os.Getenv(benchServer); kind != "" {
		if err := serveBenchmark(kind); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	openapi3.DefineStringFormatValidator("uuid", openapi3.NewRegexpFormatValidator(
		`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`))
	openapi3filter.RegisterBodyDecoder("text/html", openapi3filter.FileBodyDecoder)
	goleak.VerifyTestMain(m)
}

// description is the API's description with a router over it.
var description = sync.OnceValues(func() (routers.Router, error) {
	return loadDescription("../spec/auth.openapi.yaml")
})

func loadDescription(path string) (routers.Router, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, err
	}
	doc.Servers = nil
	return legacy.NewRouter(doc)
}

// conforming checks every request and response against the API's description.
type conforming struct {
	tb     testing.TB
	base   http.RoundTripper
	router routers.Router // nil: of the API's description
}

func (c conforming) RoundTrip(r *http.Request) (*http.Response, error) {
	var sent []byte
	if r.Body != nil {
		sent, _ = io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(sent))
	}
	response, err := c.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	router := c.router
	if router == nil {
		if router, err = description(); err != nil {
			c.tb.Errorf("description: %v", err)
			return response, nil
		}
	}
	asked := r.Clone(r.Context())
	asked.URL.Host, asked.URL.Scheme, asked.Host = "", "", ""
	route, params, err := router.FindRoute(asked)
	if err != nil {
		return response, nil //nolint:nilerr // Not an operation of the description.
	}
	asked.Body = io.NopCloser(bytes.NewReader(sent))
	input := &openapi3filter.RequestValidationInput{
		Request: asked, PathParams: params, Route: route,
		Options: &openapi3filter.Options{
			AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, MultiError: true, IncludeResponseStatus: true,
		},
	}
	if response.StatusCode < 400 && !strings.Contains(response.Header.Get("Location"), "error=") {
		if err := openapi3filter.ValidateRequest(r.Context(), input); err != nil {
			c.tb.Errorf("%s %s is invalid and was accepted: %v", r.Method, r.URL, err)
		}
	}
	output := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: response.StatusCode, Header: response.Header,
		Body: io.NopCloser(bytes.NewReader(body)), Options: input.Options,
	}
	if err := openapi3filter.ValidateResponse(r.Context(), output); err != nil {
		c.tb.Errorf("%s %s: response %d is invalid: %v\n%s", r.Method, r.URL, response.StatusCode, err, body)
	}
	return response, nil
}

// peer talks to a server the way a program does, with every message checked.
type peer struct {
	tb     testing.TB
	server *authtest.Server
	ready  authtest.Ready
	http   *http.Client
}

func newPeer(tb testing.TB, config authtest.Config) *peer {
	tb.Helper()
	s, client := emulate(tb, config)
	client.Transport = conforming{tb: tb, base: client.Transport}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &peer{tb: tb, server: s, ready: s.Ready(), http: client}
}

// emulate starts a server with the control API and the dashboard.
func emulate(tb testing.TB, config authtest.Config) (*authtest.Server, *http.Client) {
	tb.Helper()
	listener := httptest.NewUnstartedServer(nil)
	if config.BaseURL == "" {
		config.BaseURL = "http://" + listener.Listener.Addr().String()
	}
	s := authtest.NewWith(tb, config)
	listener.Config.Handler = emulator.Handler(s)
	listener.Start()
	tb.Cleanup(listener.Close)
	return s, listener.Client()
}

// result is a response.
type result struct {
	status int
	header http.Header
	body   []byte
}

// json decodes the body.
func (a result) json(tb testing.TB) map[string]any {
	tb.Helper()
	var document map[string]any
	if err := json.Unmarshal(a.body, &document); err != nil {
		tb.Fatalf("response %d is not a JSON object: %v: %s", a.status, err, a.body)
	}
	return document
}

// basic and bearer are values of the Authorization header.
func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
}

func bearer(token string) string { return "Bearer " + token }

// do sends a request. The body is nil, url.Values for a form, a string as it is,
// or anything else as JSON.
func (p *peer) do(method, path, authorization string, body any) result {
	p.tb.Helper()
	var reader io.Reader
	contentType := ""
	switch b := body.(type) {
	case nil:
	case url.Values:
		reader, contentType = strings.NewReader(b.Encode()), "application/x-www-form-urlencoded; charset=UTF-8"
	case string:
		reader, contentType = strings.NewReader(b), "application/json"
	default:
		text, err := json.Marshal(b)
		if err != nil {
			p.tb.Fatal(err)
		}
		reader, contentType = bytes.NewReader(text), "application/json"
	}
	request, err := http.NewRequestWithContext(p.tb.Context(), method, strings.TrimSuffix(p.server.BaseURL(), "/")+path, reader)
	if err != nil {
		p.tb.Fatal(err)
	}
	request.Header.Set("Accept", "application/json")
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	response, err := p.http.Do(request)
	if err != nil {
		p.tb.Fatalf("%s %s: %v", method, path, err)
	}
	defer response.Body.Close() //nolint:errcheck // Read to its end.
	text, err := io.ReadAll(response.Body)
	if err != nil {
		p.tb.Fatalf("%s %s: %v", method, path, err)
	}
	return result{status: response.StatusCode, header: response.Header, body: text}
}

// want ends the test unless the response has the status.
func (p *peer) want(a result, status int) result {
	p.tb.Helper()
	if a.status != status {
		p.tb.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

const (
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	loopback  = "http://127.0.0.1:45678/somewhere"

	transferAll = "urn:globus:auth:scope:transfer.api.globus.org:all"
	manage      = "urn:globus:auth:scope:auth.globus.org:manage_projects"
)

// authorizeQuery is a native client's authorization request.
func (p *peer) authorizeQuery(scope string, more ...string) url.Values {
	query := url.Values{
		"client_id": {p.ready.NativeClientID}, "redirect_uri": {loopback}, "scope": {scope}, "state": {"some state"},
		"response_type": {"code"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"},
	}
	for i := 0; i < len(more); i += 2 {
		if more[i+1] == "" {
			query.Del(more[i])
		} else {
			query.Set(more[i], more[i+1])
		}
	}
	return query
}

// callback returns the parameters of the redirect.
func (p *peer) callback(query url.Values) url.Values {
	p.tb.Helper()
	a := p.want(p.do("GET", "/v2/oauth2/authorize?"+query.Encode(), "", nil), http.StatusFound)
	location, err := url.Parse(a.header.Get("Location"))
	if err != nil {
		p.tb.Fatal(err)
	}
	if got := location.Scheme + "://" + location.Host + location.Path; got != query.Get("redirect_uri") {
		p.tb.Fatalf("redirected to %s, want %s", got, query.Get("redirect_uri"))
	}
	return location.Query()
}

// login signs a user in with the native client.
func (p *peer) login(scope string, more ...string) map[string]any {
	p.tb.Helper()
	return p.want(p.exchange(p.callback(p.authorizeQuery(scope, more...)).Get("code")), http.StatusOK).json(p.tb)
}

// exchange redeems a code of the native client.
func (p *peer) exchange(code string) result {
	p.tb.Helper()
	return p.do("POST", "/v2/oauth2/token", "", url.Values{
		"grant_type": {"authorization_code"}, "client_id": {p.ready.NativeClientID}, "code": {code},
		"code_verifier": {verifier}, "redirect_uri": {loopback},
	})
}

// confidential is the Authorization of the confidential client.
func (p *peer) confidential() string {
	return basic(p.ready.ConfidentialClientID, p.ready.ConfidentialClientSecret)
}

// token returns the access token of a resource server in a token response.
func token(tb testing.TB, response map[string]any, resourceServer string) map[string]any {
	tb.Helper()
	if response["resource_server"] == resourceServer {
		return response
	}
	others, _ := response["other_tokens"].([]any)
	for _, other := range others {
		if document, _ := other.(map[string]any); document["resource_server"] == resourceServer {
			return document
		}
	}
	tb.Fatalf("no token for %s in %v", resourceServer, response)
	return nil
}

func text(document map[string]any, name string) string {
	return fmt.Sprint(document[name])
}
