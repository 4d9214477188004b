package globusauth_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/gen"
)

// script is a network in virtual time that responds to each request with the next
// entry, and repeats the last.
type script struct {
	steps []any // an int status, an *http.Response maker, or an error
	times []time.Time
	// random spreads the retries of the client; 0.5 is the middle.
	random float64
}

func (s *script) RoundTrip(req *http.Request) (*http.Response, error) {
	step := s.steps[min(len(s.times), len(s.steps)-1)]
	s.times = append(s.times, time.Now())
	if req.Body != nil {
		_, _ = io.Copy(io.Discard, req.Body)
		_ = req.Body.Close()
	}
	header := http.Header{"Content-Type": {"application/json"}}
	status := 0
	body := io.Reader(strings.NewReader(`{}`))
	switch step := step.(type) {
	case unconnected:
		httptrace.ContextClientTrace(req.Context()).GetConn("auth.globus.org:443") // as net/http does
		return nil, step
	case error:
		return nil, step
	case int:
		status = step
	case [2]string: // status 429 or 503 with Retry-After
		status = http.StatusServiceUnavailable
		if step[0] == "429" {
			status = http.StatusTooManyRequests
		}
		header.Set("Retry-After", step[1])
	case string: // a body that breaks off
		status = http.StatusOK
		body = io.MultiReader(strings.NewReader(step), errorReader{})
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(body), ContentLength: -1, Request: req}, nil
}

// unconnected is a transport that gets no connection.
type unconnected struct{}

func (unconnected) Error() string { return "connection refused" }

type errorReader struct{}

func (errorReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func (s *script) pauses() []time.Duration {
	var pauses []time.Duration
	for i := 1; i < len(s.times); i++ {
		pauses = append(pauses, s.times[i].Sub(s.times[i-1]))
	}
	return pauses
}

func (s *script) client(t *testing.T, config globusauth.Config) *globusauth.Client {
	t.Helper()
	config.HTTPClient = &http.Client{Transport: s}
	if config.Credentials == nil {
		config.Credentials = globusauth.Basic("id", "secret")
	}
	client, err := globusauth.New(config)
	if err != nil {
		t.Fatal(err)
	}
	globusauth.SetRandom(client, func() float64 { return s.random })
	return client
}

func TestMaxRetries_RetriedRequests(t *testing.T) {
	t.Parallel()
	reset := &net.OpError{Op: "read", Err: errors.New("connection reset by peer")}
	token := func(grant gen.GrantType) func(context.Context, *globusauth.Client) error {
		return func(ctx context.Context, c *globusauth.Client) error {
			_, err := c.Token(ctx, gen.TokenRequest{GrantType: grant, Code: "c", RefreshToken: "r", Token: "t"})
			return err
		}
	}
	calls := map[string]func(context.Context, *globusauth.Client) error{
		"GET": func(ctx context.Context, c *globusauth.Client) error { _, err := c.GetJWKS(ctx); return err },
		"PUT": func(ctx context.Context, c *globusauth.Client) error {
			_, err := c.UpdateClient(ctx, "id", gen.UpdateClientBody{})
			return err
		},
		"DELETE": func(ctx context.Context, c *globusauth.Client) error { _, err := c.DeleteClient(ctx, "id"); return err },
		"POST": func(ctx context.Context, c *globusauth.Client) error {
			_, err := c.CreateScope(ctx, "id", gen.CreateScopeBody{})
			return err
		},
		"introspect": func(ctx context.Context, c *globusauth.Client) error {
			_, err := c.Introspect(ctx, gen.IntrospectRequest{Token: "t"})
			return err
		},
		"revoke": func(ctx context.Context, c *globusauth.Client) error {
			_, err := c.Revoke(ctx, gen.RevokeRequest{Token: "t"})
			return err
		},
		"code":               token("authorization_code"),
		"refresh":            token("refresh_token"),
		"client credentials": token("client_credentials"),
		"dependent":          token("urn:globus:auth:grant_type:dependent_token"),
		"unknown grant":      token("something_new"),
	}
	all := []string{"GET", "PUT", "DELETE", "POST", "introspect", "revoke", "code", "refresh", "client credentials", "dependent", "unknown grant"}
	safe := []string{"GET", "PUT", "DELETE", "introspect", "revoke", "client credentials", "dependent"}
	unsent := append([]string{"POST", "refresh"}, safe...)
	for _, failure := range []struct {
		name    string
		step    any
		retried []string
	}{
		{"429", 429, unsent},
		{"421", 421, unsent},
		{"425", 425, unsent},
		{"408", 408, safe},
		{"500", 500, safe},
		{"502", 502, safe},
		{"503", 503, safe},
		{"504", 504, safe},
		{"501", 501, nil},
		{"400", 400, nil},
		{"403", 403, nil},
		{"no connection", unconnected{}, unsent},
		{"connection lost", reset, safe},
		{"response breaks off", `{"a`, safe},
		{"bad certificate", &tls.CertificateVerificationError{Err: errors.New("unknown authority")}, nil},
	} {
		for _, name := range all {
			t.Run(failure.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					network := &script{random: 0.5, steps: []any{failure.step, http.StatusOK}}
					err := calls[name](t.Context(), network.client(t, globusauth.Config{}))
					retried := len(network.times) == 2
					want := false
					for _, n := range failure.retried {
						want = want || n == name
					}
					if retried != want || (err == nil) != want {
						t.Errorf("%d requests, error %v; retried should be %v", len(network.times), err, want)
					}
				})
			})
		}
	}
}

func TestMaxRetries_Delays(t *testing.T) {
	t.Parallel()
	second := time.Second
	for _, test := range []struct {
		name    string
		steps   []any
		retries int
		pauses  []time.Duration
		err     error
	}{
		{"exponential, five times", []any{500}, 0, []time.Duration{second / 2, second, 2 * second, 4 * second, 8 * second}, apierror.ErrServer},
		{"cap", []any{500}, 7, []time.Duration{second / 2, second, 2 * second, 4 * second, 8 * second, 10 * second, 10 * second}, apierror.ErrServer},
		{"fewer retries", []any{503}, 1, []time.Duration{second / 2}, apierror.ErrServer},
		{"no retries", []any{503}, -1, nil, apierror.ErrServer},
		{"Retry-After of 429", []any{[2]string{"429", "7"}, 200}, 0, []time.Duration{7 * second}, nil},
		{"Retry-After of 503", []any{[2]string{"503", "2"}, 200}, 0, []time.Duration{2 * second}, nil},
		{"Retry-After 0 is ignored", []any{[2]string{"429", "0"}, 200}, 0, []time.Duration{second / 2}, nil},
		{"invalid Retry-After", []any{[2]string{"429", "soon"}, 200}, 0, []time.Duration{second / 2}, nil},
		{"Retry-After beyond 10 s", []any{[2]string{"429", "3600"}, 200}, 0, nil, apierror.ErrRateLimited},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				network := &script{random: 0.5, steps: test.steps}
				_, err := network.client(t, globusauth.Config{MaxRetries: test.retries}).GetJWKS(t.Context())
				if !errors.Is(err, test.err) {
					t.Errorf("got %v, want %v", err, test.err)
				}
				got := network.pauses()
				if len(got) != len(test.pauses) {
					t.Fatalf("pauses %v, want %v", got, test.pauses)
				}
				for i := range got {
					if got[i] != test.pauses[i] {
						t.Fatalf("pauses %v, want %v", got, test.pauses)
					}
				}
			})
		})
	}
}

func TestMaxRetries_RandomDelays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := &script{random: 0, steps: []any{500, 500, 200}}
		if _, err := network.client(t, globusauth.Config{}).GetJWKS(t.Context()); err != nil {
			t.Error(err)
		}
		if want := []time.Duration{time.Second / 4, time.Second / 2}; !slices.Equal(network.pauses(), want) {
			t.Errorf("pauses %v, want %v", network.pauses(), want)
		}
	})
}

func TestMaxRetries_ContextEndsDelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := &script{random: 0.5, steps: []any{[2]string{"429", "9"}}}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, cancel)
		start := time.Now()
		_, err := network.client(t, globusauth.Config{}).GetJWKS(ctx)
		if !errors.Is(err, context.Canceled) || time.Since(start) != 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		network := &script{random: 0.5, steps: []any{[2]string{"429", "9"}}}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		start := time.Now()
		_, err := network.client(t, globusauth.Config{}).GetJWKS(ctx)
		if !errors.Is(err, apierror.ErrRateLimited) || time.Since(start) != 0 {
			t.Errorf("a pause longer than the deadline should be an error at once: %v after %v", err, time.Since(start))
		}
	})
}

// A received response is returned even if the context ended meanwhile: it may contain
// a refresh token that no later response has.
func TestClientToken_ResponseOutlivesItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	transport := roundTrip(func(req *http.Request) (*http.Response, error) {
		cancel()
		body := io.NopCloser(strings.NewReader(`{"access_token":"a","resource_server":"r"}`))
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: body, Request: req}, nil
	})
	client, err := globusauth.New(globusauth.Config{HTTPClient: &http.Client{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := client.Token(ctx, gen.TokenRequest{GrantType: "refresh_token", RefreshToken: "r", ClientID: "c"})
	if err != nil || got.AccessToken != "a" {
		t.Errorf("got %v, %v", got, err)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestMaxRetries_LogsRetries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var logged bytes.Buffer
		network := &script{random: 0.5, steps: []any{503, 200}}
		client := network.client(t, globusauth.Config{Logger: slog.New(slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))})
		if _, err := client.GetJWKS(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{`"level":"WARN","msg":"globusauth: retrying request","operation":"GetJWKS","address":"https://auth.globus.org/ (environment production)","retry":1`, `"level":"DEBUG"`, `"status":503`, `"path":"/jwk.json"`} {
			if !strings.Contains(logged.String(), want) {
				t.Errorf("%s is missing in\n%s", want, logged.String())
			}
		}
	})
}

func TestWithoutRetryOn_ReturnsThatStatusAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := &script{random: 0.5, steps: []any{http.StatusBadGateway, [2]string{"429", "7"}, http.StatusOK}}
		client, err := globusauth.New(globusauth.Config{
			Credentials: globusauth.Bearer("token"),
			HTTPClient:  &http.Client{Transport: network},
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.GetIdentities(t.Context(), nil, globusauth.WithoutRetryOn(http.StatusTooManyRequests))
		if !errors.Is(err, apierror.ErrRateLimited) || len(network.times) != 2 {
			t.Errorf("%d requests, error %v", len(network.times), err)
		}
	})
}

// A request that was redirected has reached the service, whatever becomes of the redirect.
func TestMaxRetries_AfterRedirect(t *testing.T) {
	t.Parallel()
	requests := 0
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		if requests > 0 {
			requests++
			return nil, errors.New("connection refused")
		}
		requests++
		service, conn := net.Pipe()
		go func() {
			defer func() { _ = service.Close() }()
			if req, err := http.ReadRequest(bufio.NewReader(service)); err == nil {
				_ = req.Body.Close()
				_, _ = service.Write([]byte("HTTP/1.1 303 See Other\r\nLocation: /done\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"))
			}
		}()
		return conn, nil
	}}
	client, err := globusauth.New(globusauth.Config{BaseURL: "http://127.0.0.1:1/", HTTPClient: &http.Client{Transport: transport}, Wait: noWait})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Token(t.Context(), gen.TokenRequest{GrantType: gen.GrantTypeRefreshToken, RefreshToken: "r", ClientID: "c"})
	if err == nil || requests != 2 {
		t.Errorf("%v after %d connections, want 2", err, requests)
	}
}
