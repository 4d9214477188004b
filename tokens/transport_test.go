package tokens_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/globusauth/globusauth/tokens"
)

// fixed gives one token; Renew, if allowed, gives the next.
type fixed struct {
	mu      sync.Mutex
	token   tokens.Token
	next    tokens.Token
	err     error
	renewed int
}

func (f *fixed) Token(context.Context) (tokens.Token, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.token, nil
}

func (f *fixed) Renew(_ context.Context, rejected tokens.Token) (tokens.Token, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.renewed++
	if f.err != nil {
		return tokens.Token{}, f.err
	}
	f.token = f.next
	return f.token, nil
}

// plainSource hides Renew.
type plainSource struct{ tokens.Source }

func bearer(access string) tokens.Token {
	return tokens.Token{AccessToken: access, ResourceServer: "rs"}
}

// recorder is a service that notes the Authorization headers it gets.
type recorder struct {
	*httptest.Server

	mu      sync.Mutex
	headers []string
	bodies  []string
	accept  string // the header it accepts; any, if empty
	target  string // where it redirects to, if anywhere
	status  int
}

func newRecorder(t *testing.T) *recorder {
	t.Helper()
	r := &recorder{status: http.StatusTemporaryRedirect}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	header := req.Header.Get("Authorization")
	r.headers = append(r.headers, header)
	r.bodies = append(r.bodies, string(body))
	switch {
	case r.target != "":
		http.Redirect(w, req, r.target, r.status)
	case r.accept != "" && header != r.accept:
		http.Error(w, "who are you?", http.StatusUnauthorized)
	default:
		_, _ = io.WriteString(w, "ok")
	}
}

func (r *recorder) host() string { return strings.TrimPrefix(r.URL, "http://") }

func (r *recorder) seen() (headers, bodies []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.headers, r.bodies
}

func client(t *testing.T, source tokens.Source, hosts ...string) *http.Client {
	t.Helper()
	transport, err := tokens.NewTransport(tokens.TransportConfig{Source: source, Hosts: hosts, Base: &http.Transport{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func send(t *testing.T, c *http.Client, method, target string, body io.Reader) (int, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, target, body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, strings.TrimSpace(string(text)), err
}

func expect(t *testing.T, what string, got, want []string) {
	t.Helper()
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestTransportRoundTrip_AddsTheToken(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ kind, want string }{
		"none":       {"", "Bearer A"},
		"Bearer":     {"Bearer", "Bearer A"},
		"lower case": {"bearer", "Bearer A"},
		"other":      {"DPoP", "DPoP A"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := newRecorder(t)
			token := bearer("A")
			token.TokenType = row.kind
			status, text, err := send(t, client(t, &fixed{token: token}, service.host()), http.MethodGet, service.URL, nil)
			if err != nil || status != 200 || text != "ok" {
				t.Fatalf("%d %q %v", status, text, err)
			}
			headers, _ := service.seen()
			expect(t, "headers", headers, []string{row.want})
		})
	}
}

func TestTransportRoundTrip_DoesNotChangeTheRequest(t *testing.T) {
	t.Parallel()
	service := newRecorder(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, service.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "mine")
	resp, err := client(t, &fixed{token: bearer("A")}, service.host()).Transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if got := req.Header.Get("Authorization"); got != "mine" || len(req.Header) != 1 {
		t.Errorf("the caller's headers are now %v", req.Header)
	}
	headers, _ := service.seen()
	expect(t, "headers", headers, []string{"Bearer A"})
}

func TestTransportRoundTrip_RedirectElsewhere(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			service, elsewhere := newRecorder(t), newRecorder(t)
			service.target, service.status = elsewhere.URL, status
			code, text, err := send(t, client(t, &fixed{token: bearer("A")}, service.host()), http.MethodPost, service.URL, strings.NewReader("body"))
			if err != nil || code != 200 || text != "ok" {
				t.Fatalf("%d %q %v", code, text, err)
			}
			headers, _ := service.seen()
			expect(t, "service", headers, []string{"Bearer A"})
			headers, _ = elsewhere.seen()
			expect(t, "elsewhere", headers, []string{""})
		})
	}
}

func TestTransportRoundTrip_RedirectAmongItsHosts(t *testing.T) {
	t.Parallel()
	service, other := newRecorder(t), newRecorder(t)
	service.target = other.URL
	if _, _, err := send(t, client(t, &fixed{token: bearer("A")}, service.host(), other.host()), http.MethodGet, service.URL, nil); err != nil {
		t.Fatal(err)
	}
	headers, _ := other.seen()
	expect(t, "other", headers, []string{"Bearer A"})
}

// A header that the caller set survives net/http's redirect to the same
// host name on another port; the transport drops it.
func TestTransportRoundTrip_CopiedHeaderOnRedirect(t *testing.T) {
	t.Parallel()
	service, elsewhere := newRecorder(t), newRecorder(t)
	service.target = elsewhere.URL
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, service.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer copied")
	resp, err := client(t, &fixed{token: bearer("A")}, service.host()).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	headers, _ := elsewhere.seen()
	expect(t, "elsewhere", headers, []string{""})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestTransportRoundTrip_RejectedToken(t *testing.T) {
	t.Parallel()
	service := newRecorder(t)
	service.accept = "Bearer B"
	source := &fixed{token: bearer("A"), next: bearer("B")}
	c := client(t, source, service.host())
	status, text, err := send(t, c, http.MethodPost, service.URL, strings.NewReader("the body"))
	if err != nil || status != 200 || text != "ok" {
		t.Fatalf("%d %q %v", status, text, err)
	}
	headers, bodies := service.seen()
	expect(t, "headers", headers, []string{"Bearer A", "Bearer B"})
	expect(t, "bodies", bodies, []string{"the body", "the body"})

	service.accept = "Bearer C" // and now nothing helps
	status, text, err = send(t, c, http.MethodGet, service.URL, nil)
	if err != nil || status != 401 || text != "who are you?" {
		t.Fatalf("%d %q %v: want the service's own response", status, text, err)
	}
	if source.renewed != 2 {
		t.Errorf("renewed %d times, want once per request", source.renewed)
	}
}

func TestTransportRoundTrip_RejectedWithABodyThatCannotBeReadAgain(t *testing.T) {
	t.Parallel()
	service := newRecorder(t)
	service.accept = "Bearer B"
	c := client(t, &fixed{token: bearer("A"), next: bearer("B")}, service.host())
	stream := struct{ io.Reader }{strings.NewReader("once")}
	if status, text, err := send(t, c, http.MethodPost, service.URL, stream); err != nil || status != 401 || text != "who are you?" {
		t.Fatalf("%d %q %v", status, text, err)
	}
	if status, _, err := send(t, c, http.MethodGet, service.URL, nil); err != nil || status != 200 {
		t.Fatalf("%d %v", status, err)
	}
	headers, _ := service.seen()
	expect(t, "headers", headers, []string{"Bearer A", "Bearer B"})
}

// Not every transport winds a body back by itself, as that of net/http does.
func TestTransportRoundTrip_RetriedBodyStartsAnew(t *testing.T) {
	t.Parallel()
	var bodies []string
	transport, err := tokens.NewTransport(tokens.TransportConfig{
		Source: &fixed{token: bearer("A"), next: bearer("B")}, Hosts: []string{"api.example.org"},
		Base: roundTrip(func(req *http.Request) (*http.Response, error) {
			body, err := io.ReadAll(req.Body)
			bodies = append(bodies, string(body))
			return &http.Response{StatusCode: http.StatusUnauthorized, Body: http.NoBody, Request: req}, err
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := send(t, &http.Client{Transport: transport}, http.MethodPost, "https://api.example.org", strings.NewReader("body")); err != nil {
		t.Fatal(err)
	}
	expect(t, "bodies", bodies, []string{"body", "body"})
}

func TestTransportRoundTrip_RenewalFails(t *testing.T) {
	t.Parallel()
	service := newRecorder(t)
	service.accept = "nothing"
	source := &fixed{token: bearer("A"), err: errors.New("no network")}
	c := client(t, source, service.host())
	if status, text, err := send(t, c, http.MethodGet, service.URL, nil); err != nil || status != 401 || text != "who are you?" {
		t.Fatalf("%d %q %v", status, text, err)
	}
	source.err = tokens.ErrLoginRequired
	if _, _, err := send(t, c, http.MethodGet, service.URL, nil); !errors.Is(err, tokens.ErrLoginRequired) {
		t.Fatalf("error %v, want ErrLoginRequired", err)
	}
	plain := client(t, plainSource{source}, service.host())
	if status, _, err := send(t, plain, http.MethodGet, service.URL, nil); err != nil || status != 401 || source.renewed != 2 {
		t.Fatalf("a source that cannot renew: %d %v, renewed %d", status, err, source.renewed)
	}
}

func TestTransportRoundTrip_SourceFails(t *testing.T) {
	t.Parallel()
	service := newRecorder(t)
	body := &closeNoter{Reader: bytes.NewReader(nil)}
	failing := tokens.SourceFunc(func(context.Context) (tokens.Token, error) { return tokens.Token{}, tokens.ErrLoginRequired })
	_, _, err := send(t, client(t, failing, service.host()), http.MethodPost, service.URL, body)
	if !errors.Is(err, tokens.ErrLoginRequired) || !body.closed {
		t.Fatalf("error %v, body closed %v", err, body.closed)
	}
	if headers, _ := service.seen(); len(headers) != 0 {
		t.Errorf("the request was sent: %q", headers)
	}
}
