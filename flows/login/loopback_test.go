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
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/flows/login"
	"github.com/globusauth/globusauth/tokens"
)

// browser is what a test does when the browser is opened.
type browser func(redirect *url.URL, callback url.Values) error

// page is an answer as a browser got it.
type page struct {
	status int
	header http.Header
	body   string
}

// get asks as a browser does, without keeping the connection.
func get(target, host string) (page, error) { return ask(http.MethodGet, target, host) }

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
	set, err := l.Login(t.Context(), login.Native(p.native(t)))
	playing.Wait()
	return outcome{set, err}, out.String()
}

// noFallback ends a test that falls back.
type noFallback struct{ t *testing.T }

func (f noFallback) Login(context.Context, login.Start) (tokens.Set, error) {
	f.t.Error("fell back")
	return tokens.Set{}, errTest
}

// marked is a fallback that says that it was asked.
type marked struct{ redirectURI *string }

func (m marked) Login(_ context.Context, start login.Start) (tokens.Set, error) {
	begun, err := start("")
	if err != nil {
		return tokens.Set{}, err
	}
	target, err := url.Parse(begun.URL())
	*m.redirectURI = target.Query().Get("redirect_uri")
	return tokens.Set{}, errors.Join(errTest, err)
}

func TestLoopback(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]login.Loopback{
		"default":     {Name: "my-tool"},
		"localhost":   {Host: "localhost", Name: "my-tool"},
		"random path": {RandomPath: true, Name: "my-tool"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t)
			var redirectURI string
			got, shown := browse(t, p, l, func(redirect *url.URL, callback url.Values) error {
				redirectURI = redirect.String()
				redirect.RawQuery = callback.Encode()
				answer, err := get(redirect.String(), "")
				if err != nil {
					return err
				}
				if answer.status != http.StatusOK || !strings.Contains(answer.body, "<h1>Login complete</h1>") ||
					!strings.Contains(answer.body, "You can close this window and go back to my-tool.") {
					return fmt.Errorf("answer %v", answer)
				}
				csp := answer.header.Get("Content-Security-Policy")
				if !strings.HasPrefix(csp, "default-src 'none'; style-src 'sha256-") || answer.header.Get("Cache-Control") != "no-store" ||
					answer.header.Get("Referrer-Policy") != "no-referrer" || answer.header.Get("X-Content-Type-Options") != "nosniff" {
					return fmt.Errorf("header %v", answer.header)
				}
				noSecrets(t, "the page", answer.body, callback.Get("state"))
				return nil
			})
			mustLogin(t, got)
			if !strings.Contains(shown, p.URL+"/v2/oauth2/authorize?") {
				t.Errorf("shown: %s", shown)
			}
			parsed, err := url.Parse(redirectURI)
			if err != nil || parsed.Scheme != "http" || (l.RandomPath != (len(parsed.Path) == 27)) {
				t.Errorf("redirect URI %q, %v", redirectURI, err)
			}
			if _, err := get(redirectURI, ""); err == nil {
				t.Error("something still listens")
			}
		})
	}
}

func TestLoopbackIPv6(t *testing.T) {
	t.Parallel()
	probe, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "[::1]:0")
	if err != nil {
		// Without IPv6 it must say so instead.
		_, err := login.Loopback{Host: "::1", Out: io.Discard}.Login(t.Context(), login.Native((&provider{}).offline(t)))
		if err == nil || !strings.HasPrefix(err.Error(), "login: listen for the callback: ") {
			t.Errorf("error %v", err)
		}
		return
	}
	_ = probe.Close()
	p := newProvider(t)
	got, _ := browse(t, p, login.Loopback{Host: "::1"}, func(redirect *url.URL, callback url.Values) error {
		if redirect.Hostname() != "::1" {
			return fmt.Errorf("redirect %v", redirect)
		}
		redirect.RawQuery = callback.Encode()
		_, err := get(redirect.String(), "")
		return err
	})
	mustLogin(t, got)
	got, _ = browse(t, p, login.Loopback{Host: "localhost"}, func(redirect *url.URL, callback url.Values) error {
		_, err := get("http://[::1]:"+redirect.Port()+"/?"+callback.Encode(), redirect.Host)
		return err
	})
	mustLogin(t, got)
}

// Requests that do not answer the login are refused and end nothing.
func TestLoopbackRefuses(t *testing.T) {
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
			{"another state", http.MethodGet, base + "/?code=x&state=another", "", http.StatusBadRequest},
			{"two states", http.MethodGet, base + "/?state=x&" + good, "", http.StatusBadRequest},
			{"not a query", http.MethodGet, base + "/?" + good + "&x=%zz", "", http.StatusBadRequest},
			{"POST", http.MethodPost, base + "/?" + good, "", http.StatusMethodNotAllowed},
			{"HEAD", http.MethodHead, base + "/?" + good, "", http.StatusMethodNotAllowed},
			{"OPTIONS", http.MethodOptions, base + "/?" + good, "", http.StatusMethodNotAllowed},
			{"DNS rebinding", http.MethodGet, base + "/?" + good, "evil.example:" + port, http.StatusMisdirectedRequest},
			{"another name of this machine", http.MethodGet, base + "/?" + good, "localhost:" + port, http.StatusMisdirectedRequest},
			{"no port", http.MethodGet, base + "/?" + good, "127.0.0.1", http.StatusMisdirectedRequest},
		} {
			answer, err := ask(test.method, test.target, test.host)
			if err != nil {
				return fmt.Errorf("%s: %w", test.name, err)
			}
			if answer.status != test.want {
				t.Errorf("%s: status %d, want %d", test.name, answer.status, test.want)
			}
			noSecrets(t, test.name, answer.body, callback.Get("state"))
		}
		if p.count() != 0 {
			t.Errorf("%d exchanges before the callback", p.count())
		}
		_, err := get(base+"/?"+good, "")
		return err
	})
	mustLogin(t, got)
}

// A browser may ask twice at once. Both are told the same, and the code is spent once.
func TestLoopbackTwice(t *testing.T) {
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
				answer, err := get(redirect.String(), "")
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					return // the second may come when nothing listens any more
				}
				served++
				if answer.status != http.StatusOK {
					errs[i] = fmt.Errorf("answer %v", answer)
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

func TestLoopbackFailures(t *testing.T) {
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
			}, "", apierror.ErrAccessDenied, "&lt;script&gt;alert(1)&lt;/script&gt;",
		},
		"refused exchange": {func(c url.Values) url.Values { return c }, "<b>no</b>", apierror.ErrInvalidGrant, "&lt;b&gt;no&lt;/b&gt;"},
		"no code":          {func(c url.Values) url.Values { return url.Values{"state": c["state"]} }, "", flows.CheckError("code missing"), "neither a code nor an error"},
		"another issuer": {
			func(c url.Values) url.Values { c.Set("iss", "https://evil.example"); return c }, "", flows.CheckError("iss"), "another server",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t)
			p.refuse = test.refuse
			got, _ := browse(t, p, login.Loopback{Name: "my<tool"}, func(redirect *url.URL, callback url.Values) error {
				redirect.RawQuery = test.callback(callback).Encode()
				answer, err := get(redirect.String(), "")
				if err != nil {
					return err
				}
				if answer.status != http.StatusBadRequest || !strings.Contains(answer.body, "<h1>Login failed</h1>") ||
					!strings.Contains(answer.body, test.shown) || !strings.Contains(answer.body, "start again from my&lt;tool.") {
					return fmt.Errorf("answer %v", answer)
				}
				noSecrets(t, "the page", answer.body, callback.Get("state"))
				return nil
			})
			if !errors.Is(got.err, test.want) {
				t.Errorf("error %v, want %v", got.err, test.want)
			}
		})
	}
}

func TestLoopbackTimeoutAndContext(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	var out bytes.Buffer
	stuck := make(chan struct{})
	l := login.Loopback{Out: &out, Timeout: time.Millisecond, Open: func(string) error { <-stuck; return nil }}
	_, err := l.Login(t.Context(), login.Native(p.native(t)))
	if !errors.Is(err, login.ErrTimeout) {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var redirectURI string
	l = login.Loopback{Out: io.Discard, Open: func(target string) error {
		redirectURI, _, _ = p.authorize(target)
		cancel()
		return nil
	}}
	_, err = l.Login(ctx, login.Native(p.native(t)))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if _, err := get(redirectURI, ""); err == nil {
		t.Error("something still listens")
	}
	close(stuck)
}

// A connection on which nothing comes does not keep the login from ending.
func TestLoopbackIdleConnection(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	var idle net.Conn
	got, _ := browse(t, p, login.Loopback{}, func(redirect *url.URL, callback url.Values) error {
		var err error
		if idle, err = new(net.Dialer).DialContext(context.Background(), "tcp", redirect.Host); err != nil {
			return err
		}
		redirect.RawQuery = callback.Encode()
		_, err = get(redirect.String(), "")
		return err
	})
	mustLogin(t, got)
	_ = idle.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := idle.Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the idle connection: %v", err)
	}
	_ = idle.Close()
}

func TestLoopbackFallsBack(t *testing.T) {
	t.Parallel()
	environment := func(values map[string]string) func(string) string {
		return func(name string) string { return values[name] }
	}
	cases := map[string]struct {
		l      login.Loopback
		reason string
	}{
		"no browser opens": {login.Loopback{Open: func(string) error { return errTest }}, "no browser opens"},
		"SSH terminal":     {login.Loopback{Getenv: environment(map[string]string{"SSH_TTY": "/dev/pts/0", "DISPLAY": ":0"})}, "SSH session"},
		"SSH command":      {login.Loopback{Getenv: environment(map[string]string{"SSH_CONNECTION": "a b c d", "DISPLAY": ":0"})}, "SSH session"},
		"text browser":     {login.Loopback{Getenv: environment(map[string]string{"BROWSER": "/usr/bin/lynx -x:firefox", "DISPLAY": ":0"})}, "text browser"},
	}
	if runtime.GOOS == "linux" {
		cases["no display"] = struct {
			l      login.Loopback
			reason string
		}{login.Loopback{Getenv: environment(nil)}, "no graphical display"}
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			var redirectURI string
			l := test.l
			l.Out, l.Fallback = &out, marked{&redirectURI}
			if l.Open == nil {
				l.Open = func(string) error { t.Error("opened a browser"); return nil }
			}
			_, err := l.Login(t.Context(), login.Native((&provider{}).offline(t)))
			if !errors.Is(err, errTest) || redirectURI != "http://127.0.0.1:1/v2/web/auth-code" {
				t.Errorf("error %v, redirect URI %q", err, redirectURI)
			}
			if !strings.Contains(out.String(), "without opening a browser: "+test.reason) && !strings.Contains(out.String(), test.reason) {
				t.Errorf("shown: %s", out.String())
			}
		})
	}
	for name, values := range map[string]map[string]string{"a desktop": {"DISPLAY": ":0"}, "a named browser": {"BROWSER": "firefox:lynx"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, _ := browse(t, newProvider(t), login.Loopback{Getenv: environment(values)}, func(redirect *url.URL, callback url.Values) error {
				redirect.RawQuery = callback.Encode()
				_, err := get(redirect.String(), "")
				return err
			})
			mustLogin(t, got)
		})
	}
	t.Run("to the command line", func(t *testing.T) {
		t.Parallel()
		var out bytes.Buffer
		l := login.Loopback{Open: func(string) error { return errTest }, Out: &out, Timeout: time.Second}
		_, err := l.Login(t.Context(), login.Native((&provider{}).offline(t)))
		// The standard input of a test is empty, or nobody types.
		if (!errors.Is(err, login.ErrNoInput) && !errors.Is(err, login.ErrTimeout)) || !strings.Contains(out.String(), "Please authenticate with Globus here:") {
			t.Errorf("error %v, shown %s", err, out.String())
		}
	})
}

func TestLoopbackCannotListen(t *testing.T) {
	t.Parallel()
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	port := taken.Addr().(*net.TCPAddr).Port
	for name, test := range map[string]struct {
		l    login.Loopback
		want string
	}{
		"port taken":       {login.Loopback{Port: port}, "address already in use"},
		"every address":    {login.Loopback{Host: "0.0.0.0"}, `the Host is "0.0.0.0"`},
		"another machine":  {login.Loopback{Host: "example.edu"}, `the Host is "example.edu"`},
		"negative port":    {login.Loopback{Port: -1}, "the Port -1"},
		"impossible port":  {login.Loopback{Port: 70000}, "the Port 70000"},
		"flow is no flow":  {login.Loopback{}, "ClientID is empty"},
		"nothing can show": {login.Loopback{Out: failingWriter{}}, "made by the test"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := test.l
			if l.Out == nil {
				l.Out = io.Discard
			}
			l.Fallback = noFallback{t}
			flow := (&provider{}).offline(t)
			if name == "flow is no flow" {
				flow.ClientID = ""
			}
			_, err := l.Login(t.Context(), login.Native(flow))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

// A fixed port can be used again by the next login.
func TestLoopbackFixedPort(t *testing.T) {
	t.Parallel()
	free, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := free.Addr().(*net.TCPAddr).Port
	_ = free.Close()
	p := newProvider(t)
	for range 2 {
		got, _ := browse(t, p, login.Loopback{Port: port}, func(redirect *url.URL, callback url.Values) error {
			if redirect.Port() != fmt.Sprint(port) {
				return fmt.Errorf("redirect %v", redirect)
			}
			redirect.RawQuery = callback.Encode()
			_, err := get(redirect.String(), "")
			return err
		})
		mustLogin(t, got)
	}
}
