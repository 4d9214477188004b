package login_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/flows/login"
)

// browser is what a test does when the browser is opened.
type browser func(redirect *url.URL, callback url.Values) error

// page is the response to a browser.
type page struct {
	status int
	header http.Header
	body   string
}

// get asks as a browser does, without keeping the connection.
func get(target string) (page, error) { return ask(http.MethodGet, target, "") }

func ask(method, target, host string) (page, error) {
	req, err := http.NewRequestWithContext(context.Background(), method, target, http.NoBody)
	if err != nil {
		return page{}, err
	}
	if host != "" {
		req.Host = host
	}
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return page{}, err
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	return page{resp.StatusCode, resp.Header, string(body)}, err
}

// browse logs in with a Loopback whose browser is played by a function.
func browse(t *testing.T, p *provider, l login.Loopback, plays browser) (outcome, string) {
	t.Helper()
	var out bytes.Buffer
	var playing sync.WaitGroup
	l.Out = &out
	l.Open = func(target string) error {
		redirectURI, callback, err := p.authorize(target)
		if err != nil {
			return err
		}
		redirect, err := url.Parse(redirectURI)
		if err != nil {
			return err
		}
		playing.Go(func() {
			if err := plays(redirect, callback); err != nil {
				t.Error(err)
			}
		})
		return nil
	}
	if l.Fallback == nil {
		l.Fallback = noFallback{t}
	}
	set, _, err := l.Login(t.Context(), p.native(t))
	playing.Wait()
	return outcome{set, err}, out.String()
}

func TestLoopbackLogin_Success(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	var redirectURI string
	got, shown := browse(t, p, login.Loopback{Name: "my-tool"}, func(redirect *url.URL, callback url.Values) error {
		redirectURI = redirect.String()
		redirect.RawQuery = callback.Encode()
		response, err := get(redirect.String())
		if err != nil {
			return err
		}
		if response.status != http.StatusOK || !strings.Contains(response.body, "<h1>Login complete</h1>") ||
			!strings.Contains(response.body, "You can close this window and go back to my-tool.") {
			return fmt.Errorf("response %v", response)
		}
		csp := response.header.Get("Content-Security-Policy")
		if !strings.HasPrefix(csp, "default-src 'none'; style-src 'sha256-") || response.header.Get("Cache-Control") != "no-store" ||
			response.header.Get("Referrer-Policy") != "no-referrer" || response.header.Get("X-Content-Type-Options") != "nosniff" {
			return fmt.Errorf("header %v", response.header)
		}
		noSecrets(t, "the page", response.body, callback.Get("state"))
		return nil
	})
	mustLogin(t, got)
	if !strings.Contains(shown, p.URL+"/v2/oauth2/authorize?") {
		t.Errorf("shown: %s", shown)
	}
	parsed, err := url.Parse(redirectURI)
	if err != nil || parsed.Scheme != "http" || parsed.Hostname() != "127.0.0.1" || parsed.Path != "" {
		t.Errorf("redirect URI %q, %v", redirectURI, err)
	}
	if _, err := get(redirectURI); err == nil {
		t.Error("something still listens")
	}
}

// Requests other than the callback are refused and do not end the login.
func TestLoopbackLogin_Refuses(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	got, _ := browse(t, p, login.Loopback{}, func(redirect *url.URL, callback url.Values) error {
		base, good := redirect.String(), callback.Encode()
		_, port, _ := net.SplitHostPort(redirect.Host)
		for _, test := range []struct {
			name, method, target, host string
			want                       int
		}{
			{"favicon", http.MethodGet, base + "/favicon.ico", "", http.StatusNotFound},
			{"another path", http.MethodGet, base + "/callback?" + good, "", http.StatusNotFound},
			{"no parameters", http.MethodGet, base, "", http.StatusBadRequest},
			{"no state", http.MethodGet, base + "/?code=" + callback.Get("code"), "", http.StatusBadRequest},
			{"an error without state", http.MethodGet, base + "/?error=access_denied", "", http.StatusBadRequest},
			{"no code", http.MethodGet, base + "/?state=" + callback.Get("state"), "", http.StatusBadRequest},
			{"two codes", http.MethodGet, base + "/?code=x&" + good, "", http.StatusBadRequest},
			{"another state", http.MethodGet, base + "/?code=x&state=another", "", http.StatusBadRequest},
			{"two states", http.MethodGet, base + "/?state=x&" + good, "", http.StatusBadRequest},
			{"not a query", http.MethodGet, base + "/?" + good + "&x=%zz", "", http.StatusBadRequest},
			{"POST", http.MethodPost, base + "/?" + good, "", http.StatusNotFound},
			{"HEAD", http.MethodHead, base + "/?" + good, "", http.StatusNotFound},
			{"OPTIONS", http.MethodOptions, base + "/?" + good, "", http.StatusNotFound},
			{"DNS rebinding", http.MethodGet, base + "/?" + good, "evil.example:" + port, http.StatusNotFound},
			{"another name of this machine", http.MethodGet, base + "/?" + good, "localhost:" + port, http.StatusNotFound},
			{"no port", http.MethodGet, base + "/?" + good, "127.0.0.1", http.StatusNotFound},
		} {
			response, err := ask(test.method, test.target, test.host)
			if err != nil {
				return fmt.Errorf("%s: %w", test.name, err)
			}
			if response.status != test.want {
				t.Errorf("%s: status %d, want %d", test.name, response.status, test.want)
			}
			noSecrets(t, test.name, response.body, callback.Get("state"))
		}
		if p.count() != 0 {
			t.Errorf("%d exchanges before the callback", p.count())
		}
		_, err := get(base + "/?" + good)
		return err
	})
	mustLogin(t, got)
}

// A browser may send the callback twice at once. Both requests get the same page, and the code is exchanged once.
func TestLoopbackLogin_Twice(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	got, _ := browse(t, p, login.Loopback{}, func(redirect *url.URL, callback url.Values) error {
		redirect.RawQuery = callback.Encode()
		var both sync.WaitGroup
		errs := make([]error, 2)
		served := 0
		var mu sync.Mutex
		for i := range errs {
			both.Go(func() {
				response, err := get(redirect.String())
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					return // the second may come when nothing listens any more
				}
				served++
				if response.status != http.StatusOK {
					errs[i] = fmt.Errorf("response %v", response)
				}
			})
		}
		both.Wait()
		if served == 0 {
			return errors.New("neither was served")
		}
		return errors.Join(errs...)
	})
	mustLogin(t, got)
	if p.count() != 1 {
		t.Errorf("%d exchanges", p.count())
	}
}

func TestLoopbackLogin_Failures(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		callback func(url.Values) url.Values
		refuse   string
		want     error
		shown    string
	}{
		"access denied": {
			func(c url.Values) url.Values {
				return url.Values{"error": {"access_denied"}, "error_description": {"<script>alert(1)</script>"}, "state": c["state"]}
			}, "", apierror.ErrAccessDenied, "canceled, or Globus denied it",
		},
		"refused exchange": {func(c url.Values) url.Values { return c }, "<b>no</b>", apierror.ErrInvalidGrant, "could not be verified"},
		"another issuer": {
			func(c url.Values) url.Values { c.Set("iss", "https://evil.example"); return c }, "", flows.ErrIssuer, "could not be verified",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t)
			p.refuse = test.refuse
			got, _ := browse(t, p, login.Loopback{Name: "my<tool"}, func(redirect *url.URL, callback url.Values) error {
				redirect.RawQuery = test.callback(callback).Encode()
				response, err := get(redirect.String())
				if err != nil {
					return err
				}
				if response.status != http.StatusForbidden || !strings.Contains(response.body, test.shown) ||
					!strings.Contains(response.body, "close this window and start again from my&lt;tool.") {
					return fmt.Errorf("response %v", response)
				}
				noSecrets(t, "the page", response.body, callback.Get("state"))
				return nil
			})
			if !errors.Is(got.err, test.want) {
				t.Errorf("error %v, want %v", got.err, test.want)
			}
		})
	}
}
