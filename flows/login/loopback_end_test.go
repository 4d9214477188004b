package login_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/flows/login"
	"github.com/globusauth/globusauth/idtoken"
	"github.com/globusauth/globusauth/tokens"
)

// noFallback ends a test that falls back.
type noFallback struct{ t *testing.T }

func (f noFallback) Login(context.Context, flows.Config, ...flows.StartOption) (tokens.Set, *idtoken.Claims, error) {
	f.t.Error("fell back")
	return tokens.Set{}, nil, errTest
}

// marked is a fallback that says that it was asked.
type marked struct{ redirectURI *string }

func (m marked) Login(_ context.Context, config flows.Config, options ...flows.StartOption) (tokens.Set, *idtoken.Claims, error) {
	begun, err := config.Start(options...)
	if err != nil {
		return tokens.Set{}, nil, err
	}
	target, err := url.Parse(begun.URL())
	*m.redirectURI = target.Query().Get("redirect_uri")
	return tokens.Set{}, nil, errors.Join(errTest, err)
}

func TestLoopbackLogin_TimeoutAndContext(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	var out bytes.Buffer
	stuck := make(chan struct{})
	l := login.Loopback{Out: &out, Open: func(string) error { <-stuck; return nil }}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, _, err := l.Login(ctx, p.native(t))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	var redirectURI string
	l = login.Loopback{Out: io.Discard, Open: func(target string) error {
		redirectURI, _, _ = p.authorize(target)
		cancel()
		return nil
	}}
	_, _, err = l.Login(ctx, p.native(t))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if _, err := get(redirectURI); err == nil {
		t.Error("something still listens")
	}
	close(stuck)
}

// A connection on which nothing comes does not keep the login from ending.
func TestLoopbackLogin_IdleConnection(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	var idle net.Conn
	got, _ := browse(t, p, login.Loopback{}, func(redirect *url.URL, callback url.Values) error {
		var err error
		if idle, err = dial(redirect.Host); err != nil {
			return err
		}
		redirect.RawQuery = callback.Encode()
		_, err = get(redirect.String())
		return err
	})
	mustLogin(t, got)
	_ = idle.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := idle.Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the idle connection: %v", err)
	}
	_ = idle.Close()
}

func TestLoopbackLogin_FallsBack(t *testing.T) {
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
			_, _, err := l.Login(t.Context(), (&provider{}).offline(t))
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
				_, err := get(redirect.String())
				return err
			})
			mustLogin(t, got)
		})
	}
	t.Run("to the command line", func(t *testing.T) {
		t.Parallel()
		var out bytes.Buffer
		l := login.Loopback{Open: func(string) error { return errTest }, Out: &out}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _, err := l.Login(ctx, (&provider{}).offline(t))
		// The standard input of a test is empty, or no one types.
		if (!errors.Is(err, login.ErrNoInput) && !errors.Is(err, context.DeadlineExceeded)) || !strings.Contains(out.String(), "Please authenticate with Globus here:") {
			t.Errorf("error %v, shown %s", err, out.String())
		}
	})
}

func TestLoopbackLogin_CannotBegin(t *testing.T) {
	t.Parallel()
	l := login.Loopback{Out: io.Discard, Fallback: noFallback{t}}
	flow := (&provider{}).offline(t)
	flow.ClientID = ""
	if _, _, err := l.Login(t.Context(), flow); err == nil || !strings.Contains(err.Error(), "ClientID is empty") {
		t.Errorf("error %v", err)
	}
}

// An opener that fails while the callback is exchanged starts no second login.
func TestLoopbackLogin_OpenFailsDuringExchange(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	exchanging, failed := make(chan struct{}), make(chan struct{})
	p.exchanged = func() {
		close(exchanging)
		<-failed
	}
	l := login.Loopback{Out: io.Discard, Fallback: noFallback{t}, Open: func(link string) error {
		defer close(failed)
		callback, err := p.visit(t.Context(), link)
		if err != nil {
			return err
		}
		go func() { _, _ = get(callback.String()) }()
		<-exchanging
		return errTest
	}}
	set, _, err := l.Login(t.Context(), p.native(t))
	mustLogin(t, outcome{set, err})
}

// Another user of the machine cannot hold up a login with requests whose responses stay unread.
func TestLoopbackLogin_ResponsesNotRead(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	got, _ := browse(t, p, login.Loopback{}, func(redirect *url.URL, callback url.Values) error {
		conn, err := dial(redirect.Host)
		if err != nil {
			return err
		}
		t.Cleanup(func() { _ = conn.Close() })
		for range 100_000 { // more than all buffers hold, until the server closes or stops reading
			_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
			if _, err := io.WriteString(conn, "GET /x HTTP/1.1\r\nHost: "+redirect.Host+"\r\n\r\n"); err != nil {
				break
			}
		}
		redirect.RawQuery = callback.Encode()
		_, err = get(redirect.String())
		return err
	})
	mustLogin(t, got)
}

func dial(host string) (net.Conn, error) {
	return new(net.Dialer).DialContext(context.Background(), "tcp", host)
}
