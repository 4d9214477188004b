package idtoken_test

import (
	"bytes"
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/globusauth/globusauth/idtoken"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	configurationPath = "/.well-known/openid-configuration"
	keysPath          = "/jwk.json"
)

// provider is an issuer's discovery and key documents. As an http.RoundTripper it is
// one without a network, so that it works in virtual time.
type provider struct {
	mu      sync.Mutex
	issuer  string
	keys    []byte
	header  http.Header   // of both responses
	status  int           // of both responses; 200 when zero
	failure error         // instead of a response
	failing string        // the path that fails; both when empty
	hang    chan struct{} // responses, made when they are asked for, wait for it to be closed
	asked   map[string]int
	edit    object // changes to the discovery document
}

func newProvider(tb testing.TB, keys ...object) *provider {
	tb.Helper()
	return &provider{issuer: issuer, keys: keySet(tb, keys...), header: http.Header{}, asked: map[string]int{}}
}

// set changes the provider under its lock.
func (p *provider) set(change func(*provider)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

// count says how often a document was asked for.
func (p *provider) count(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked[path]
}

func (p *provider) respond(ctx context.Context, path string) (int, http.Header, []byte, error) {
	p.mu.Lock()
	p.asked[path]++
	hang, keys := p.hang, p.keys
	p.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-ctx.Done():
			return 0, nil, nil, ctx.Err()
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failure != nil && (p.failing == "" || p.failing == path) {
		return 0, nil, nil, p.failure
	}
	status := p.status
	if status == 0 {
		status = http.StatusOK
	}
	switch path {
	case configurationPath:
		document := with(object{
			"issuer": p.issuer, "jwks_uri": p.issuer + keysPath,
			"id_token_signing_alg_values_supported": []string{"RS512"},
		}, p.edit)
		body, err := json.Marshal(document)
		return status, p.header.Clone(), body, err
	case keysPath:
		return status, p.header.Clone(), keys, nil
	}
	return http.StatusNotFound, http.Header{}, nil, nil
}

func (p *provider) RoundTrip(request *http.Request) (*http.Response, error) {
	status, header, body, err := p.respond(request.Context(), request.URL.Path)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: status, Header: header, Body: io.NopCloser(bytes.NewReader(body)), Request: request,
	}, nil
}

func (p *provider) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	status, header, body, err := p.respond(request.Context(), request.URL.Path)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	maps.Copy(writer.Header(), header)
	writer.WriteHeader(status)
	_, _ = writer.Write(body) // A client that left shows in the client.
}

// serve puts the provider behind a real server and gives a configuration for it.
func (p *provider) serve(tb testing.TB) idtoken.Config {
	tb.Helper()
	server := httptest.NewServer(p)
	tb.Cleanup(server.Close)
	p.set(func(p *provider) { p.issuer = server.URL })
	return idtoken.Config{
		Issuer: server.URL, ClientID: clientID, HTTPClient: server.Client(),
		Now: func() time.Time { return issued },
	}
}

// inVirtualTime runs a test in a bubble whose time stands still while anything runs
// and goes on at once when everything waits. The provider there has no network.
func inVirtualTime(t *testing.T, p *provider, test func(t *testing.T, config idtoken.Config)) {
	t.Helper()
	keyOne() // Keys are shared with tests outside the bubble.
	keyTwo()
	keyThree()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		test(t, idtoken.Config{
			ClientID:   clientID,
			HTTPClient: &http.Client{Transport: p},
			Now:        func() time.Time { return issued.Add(time.Since(begin)) },
		})
	})
}

var errDown = errors.New("connection refused")

// longLived is a token that does not expire while a test moves the clock.
func longLived(tb testing.TB, key *rsa.PrivateKey, header object) string {
	tb.Helper()
	claims := with(globusClaims(), object{"exp": issued.AddDate(1, 0, 0).Unix()})
	return sign(tb, key, with(globusHeader(), header), claims)
}

// someNonce expects what longLived gives.
func someNonce() idtoken.Expect { return idtoken.Expect{Nonce: nonce} }

func wantCheck(tb testing.TB, err error, want string) {
	tb.Helper()
	if check, ok := errors.AsType[idtoken.CheckError](err); !ok || check.Error() != want {
		tb.Errorf("got %v, want the check %q", err, want)
	}
}

// clientOf returns one document for the discovery document and another for everything
// else, and notes the hosts asked.
func clientOf(configuration, other []byte, hosts *[]string) *http.Client {
	return &http.Client{Transport: roundTripper(func(request *http.Request) (*http.Response, error) {
		*hosts = append(*hosts, request.URL.Host)
		body := other
		if len(*hosts) == 1 {
			body = configuration
		}
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(body)), Request: request}, nil
	})}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }
