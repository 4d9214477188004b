package login_test

import (
	"bytes"
	"io"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/globusauth/globusauth/flows/login"
)

// The browser of another machine ends on an address that it cannot open.
func TestLoopbackLogin_PastedAddress(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	in, keyboard := io.Pipe()
	var out bytes.Buffer
	l := login.Loopback{In: in, Out: &out, Hint: "Use --no-browser.", Fallback: noFallback{t}, Open: func(link string) error {
		redirectURI, callback, err := p.authorize(link)
		if err != nil {
			return err
		}
		go func() {
			for _, line := range []string{
				"", callback.Get("code"), "https://evil.example/?" + callback.Encode(),
				redirectURI + "/?code=x&state=another", redirectURI + "/?" + callback.Encode(), "next",
			} {
				_, _ = io.WriteString(keyboard, line+"\n")
			}
		}()
		return nil
	}}
	set, _, err := l.Login(t.Context(), p.native(t))
	mustLogin(t, outcome{set, err})
	if p.count() != 1 {
		t.Errorf("%d exchanges", p.count())
	}
	for _, want := range []string{"paste here the address", "\nUse --no-browser.\n", "use the whole address", "which begins with http://127.0.0.1:"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("shown without %q: %s", want, out.String())
		}
	}
	noSecrets(t, "the screen", out.String())
	left := make([]byte, 8)
	if n, err := in.Read(left); err != nil || !strings.HasPrefix("next\n", string(left[:n])) {
		t.Errorf("left %q, %v", left[:n], err)
	}
	_ = in.Close()
}

// A terminal that can be interrupted loses no line to a login that the browser ended.
func TestLoopbackLogin_CallbackLeavesTerminal(t *testing.T) {
	t.Parallel()
	in, keyboard, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = in.Close(), keyboard.Close() }()
	got, _ := browse(t, newProvider(t), login.Loopback{In: in}, func(redirect *url.URL, callback url.Values) error {
		redirect.RawQuery = callback.Encode()
		_, err := get(redirect.String())
		return err
	})
	mustLogin(t, got)
	if _, err := keyboard.WriteString("next\n"); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 8)
	if n, err := in.Read(line); err != nil || string(line[:n]) != "next\n" {
		t.Errorf("read %q, %v", line[:n], err)
	}
}

func TestLoopbackLogin_NothingToRead(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]io.Reader{"nil": nil, "standard input": os.Stdin, "end of input": strings.NewReader(""), "error": iotest.ErrReader(errTest)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, _ := browse(t, newProvider(t), login.Loopback{In: in}, func(redirect *url.URL, callback url.Values) error {
				redirect.RawQuery = callback.Encode()
				_, err := get(redirect.String())
				return err
			})
			mustLogin(t, got)
		})
	}
}

// The fallback gets the first line: nothing else has begun to read.
func TestLoopbackLogin_FallbackReadsTheSameTerminal(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	in, keyboard := io.Pipe()
	l := login.Loopback{In: in, Open: func(string) error { return errTest }, Out: writerFunc(func(text string) {
		if _, link, found := strings.Cut(text, "authenticate with Globus here:"); found {
			_, callback, err := p.authorize(strings.Fields(link)[1])
			if err != nil {
				t.Error(err)
			}
			go func() { _, _ = io.WriteString(keyboard, callback.Get("code")+"\n") }()
		}
	})}
	set, _, err := l.Login(t.Context(), p.native(t))
	mustLogin(t, outcome{set, err})
	_ = in.Close()
}

// A browser opens connections in advance. One on which nothing came does not make a login wait.
func TestLoopbackLogin_UnusedConnectionCostsNoTime(t *testing.T) {
	t.Parallel()
	var responded time.Time
	got, _ := browse(t, newProvider(t), login.Loopback{}, func(redirect *url.URL, callback url.Values) error {
		idle, err := dial(redirect.Host)
		if err != nil {
			return err
		}
		t.Cleanup(func() { _ = idle.Close() })
		redirect.RawQuery = callback.Encode()
		_, err = get(redirect.String())
		responded = time.Now()
		return err
	})
	mustLogin(t, got)
	if late := time.Since(responded); late > time.Second {
		t.Errorf("the login ended %v after the browser was responded", late)
	}
}

// endless types nonsense for ever, and tells when ten lines were read.
type endless struct {
	lines *int
	ten   chan struct{}
}

func (e endless) Read(text []byte) (int, error) {
	if *e.lines++; *e.lines == 10 {
		close(e.ten)
	}
	text[0] = '\n'
	return 1, nil
}

func TestLoopbackLogin_EndlessInput(t *testing.T) {
	t.Parallel()
	in := endless{new(int), make(chan struct{})}
	got, _ := browse(t, newProvider(t), login.Loopback{In: in}, func(redirect *url.URL, callback url.Values) error {
		<-in.ten
		redirect.RawQuery = callback.Encode()
		_, err := get(redirect.String())
		return err
	})
	mustLogin(t, got)
	if *in.lines != 10 {
		t.Errorf("%d lines were read", *in.lines)
	}
}
