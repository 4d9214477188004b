package login_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/flows/login"
)

// typist is told the redirect URI and callback of a login, and says what is typed.
type typist func(redirectURI string, callback url.Values) string

// screen calls a function with the link that is shown.
type screen struct {
	bytes.Buffer
	shown func(link string)
}

func (s *screen) Write(text []byte) (int, error) {
	for word := range strings.FieldsSeq(string(text)) {
		if strings.Contains(word, "/v2/oauth2/authorize?") {
			s.shown(word)
		}
	}
	return s.Buffer.Write(text)
}

// typed runs a command line login with what the typist types.
func typed(t *testing.T, p *provider, flow flows.Config, types typist) (outcome, string) {
	t.Helper()
	in, keyboard := io.Pipe()
	defer func() { _ = in.Close() }()
	out := &screen{shown: func(link string) {
		redirect, callback, err := p.authorize(link)
		if err != nil {
			t.Error(err)
		}
		go func() {
			_, _ = io.WriteString(keyboard, types(redirect, callback))
			_ = keyboard.Close()
		}()
	}}
	set, _, err := login.CommandLine{In: in, Out: out}.Login(t.Context(), flow)
	return outcome{set, err}, out.String()
}

func TestCommandLineLogin_Prompts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		types typist
		asked int // how often
	}{
		"code":                  {func(_ string, c url.Values) string { return c.Get("code") + "\n" }, 1},
		"spaces around it":      {func(_ string, c url.Values) string { return " \t\u00a0" + c.Get("code") + "\u200b \r\n" }, 1},
		"no newline at the end": {func(_ string, c url.Values) string { return c.Get("code") }, 1},
		"whole address":         {func(r string, c url.Values) string { return r + "?" + c.Encode() + "\n" }, 1},
		"address without state": {func(r string, c url.Values) string { return r + "?code=" + c.Get("code") + "\n" }, 1},
		"empty lines first":     {func(_ string, c url.Values) string { return "\n  \n" + c.Get("code") + "\n" }, 3},
		"another page first": {func(r string, c url.Values) string {
			return "https://evil.example/?code=x\n" + r + "\n" + r + "?code=%zz\nhttp://[::1\nthe code is\n" + c.Get("code") + "\n"
		}, 6},
		"another login first": {func(r string, c url.Values) string {
			return r + "?code=x&state=another\n" + r + "?code=x&code=y&state=" + c.Get("state") + "\n" + c.Get("code") + "\n"
		}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t)
			got, shown := typed(t, p, p.native(t), test.types)
			mustLogin(t, got)
			if asked := strings.Count(shown, "Enter the resulting Authorization Code here: "); asked != test.asked {
				t.Errorf("asked %d times, want %d:\n%s", asked, test.asked, shown)
			}
			if !strings.HasPrefix(shown, "Please authenticate with Globus here:\n-------------------------------------\n"+p.URL+"/v2/oauth2/authorize?") {
				t.Errorf("shown:\n%s", shown)
			}
			noSecrets(t, "the screen", shown)
			if p.count() != 1 {
				t.Errorf("%d exchanges", p.count())
			}
		})
	}
}

// With a custom redirect URI a code alone is not sufficient: state is checked.
func TestCommandLineLogin_OwnRedirectURI(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	flow := p.native(t)
	flow.RedirectURI = "https://tool.example.edu"
	got, shown := typed(t, p, flow, func(r string, c url.Values) string {
		return c.Get("code") + "\n" + r + "/?code=" + c.Get("code") + "\n" + r + "/?" + c.Encode() + "\n"
	})
	mustLogin(t, got)
	if asked := strings.Count(shown, "Enter the resulting"); asked != 3 {
		t.Errorf("asked %d times:\n%s", asked, shown)
	}
}

func TestCommandLineLogin_Errors(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		types     typist
		want      error
		exchanges int
	}{
		"end of input":       {func(string, url.Values) string { return "" }, login.ErrNoInput, 0},
		"only spaces":        {func(string, url.Values) string { return "  " }, login.ErrNoInput, 0},
		"nothing usable":     {func(string, url.Values) string { return strings.Repeat("no\u00a0code\n", 50) }, login.ErrNoInput, 0},
		"an unknown code":    {func(string, url.Values) string { return "guessed\n" }, apierror.ErrInvalidGrant, 1},
		"the person said no": {func(r string, c url.Values) string { return r + "?error=access_denied&state=" + c.Get("state") + "\n" }, apierror.ErrAccessDenied, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t)
			got, shown := typed(t, p, p.native(t), test.types)
			if !errors.Is(got.err, test.want) {
				t.Errorf("error %v, want %v", got.err, test.want)
			}
			if p.count() != test.exchanges {
				t.Errorf("%d exchanges, want %d", p.count(), test.exchanges)
			}
			noSecrets(t, "the screen", shown)
		})
	}
}

func TestCommandLineLogin_LongLine(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	got, _ := typed(t, p, p.native(t), func(string, url.Values) string { return strings.Repeat("a", 1<<20) })
	if got.err == nil || !strings.Contains(got.err.Error(), "longer than 16384 bytes") {
		t.Errorf("error %v", got.err)
	}
}

func TestCommandLineLogin_ReaderFails(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	start := p.native(t)
	_, _, err := login.CommandLine{In: iotest.ErrReader(errTest), Out: io.Discard}.Login(t.Context(), start)
	if !errors.Is(err, errTest) {
		t.Errorf("error %v", err)
	}
	_, _, err = login.CommandLine{In: strings.NewReader("x\n"), Out: failingWriter{}}.Login(t.Context(), start)
	if !errors.Is(err, errTest) {
		t.Errorf("error %v", err)
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errTest }

// Later lines of the input are left for the program.
func TestCommandLineLogin_ReadsOneLine(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	in := &bytes.Buffer{}
	out := &screen{shown: func(link string) {
		_, callback, _ := p.authorize(link)
		in.WriteString(callback.Get("code") + "\nnext question\n")
	}}
	set, _, err := login.CommandLine{In: in, Out: out}.Login(t.Context(), p.native(t))
	mustLogin(t, outcome{set, err})
	if in.String() != "next question\n" {
		t.Errorf("left: %q", in.String())
	}
}

func TestCommandLineLogin_TimeoutAndContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := (&provider{Server: nil}).offline(t)
		in, keyboard := io.Pipe()
		begun := time.Now()
		_, _, err := login.CommandLine{In: in, Out: io.Discard}.Login(t.Context(), start)
		if !errors.Is(err, login.ErrTimeout) || time.Since(begun) != time.Hour {
			t.Errorf("error %v after %v", err, time.Since(begun))
		}
		_ = keyboard.Close()

		ctx, cancel := context.WithCancel(t.Context())
		in, keyboard = io.Pipe()
		time.AfterFunc(time.Second, cancel)
		begun = time.Now()
		_, _, err = login.CommandLine{In: in, Out: io.Discard}.Login(ctx, start)
		if !errors.Is(err, context.Canceled) || errors.Is(err, login.ErrTimeout) || time.Since(begun) != time.Second {
			t.Errorf("error %v after %v", err, time.Since(begun))
		}
		_ = keyboard.Close()
	})
}

// offline is a native client of a server that is never asked.
func (p *provider) offline(tb testing.TB) flows.Config {
	tb.Helper()
	p.Server = unreachable()
	return p.native(tb)
}

// Reading a pipe ends with the context and consumes no later line.
func TestCommandLineLogin_LeavesPipe(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	in, keyboard, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = in.Close(), keyboard.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, _, err = login.CommandLine{In: in, Out: io.Discard}.Login(ctx, p.native(t))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error %v", err)
	}
	if _, err := keyboard.WriteString("next\n"); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 8)
	n, err := in.Read(line)
	if err != nil || string(line[:n]) != "next\n" {
		t.Errorf("read %q, %v", line[:n], err)
	}
}

func TestCommandLineLogin_StartFails(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	_, _, err := login.CommandLine{In: strings.NewReader(""), Out: io.Discard}.Login(t.Context(), flows.Config{Auth: p.client(t, nil)})
	if err == nil || !strings.Contains(err.Error(), "ClientID is empty") {
		t.Errorf("error %v", err)
	}
}

func TestCommandLineLogin_ConfidentialClient(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	flow := flows.Config{
		Auth: p.client(t, nil), ClientID: clientID, ClientSecret: clientSecret, Scopes: p.native(t).Scopes,
		RedirectURI: "https://tool.example.edu/cb",
	}
	in := &bytes.Buffer{}
	out := &screen{shown: func(link string) {
		redirect, callback, _ := p.authorize(link)
		in.WriteString(redirect + "?" + callback.Encode())
	}}
	set, _, err := login.CommandLine{In: in, Out: out}.Login(t.Context(), flow)
	mustLogin(t, outcome{set, err})
}

func FuzzCommandLine(f *testing.F) {
	for _, seed := range []string{
		"code", "", "?code=a&state=b", "code=a", "https://auth.globus.org/v2/web/auth-code?code=a", "http://[::1", "%zz", "\x00", "://",
		"HTTPS://AUTH.GLOBUS.ORG/v2/web/auth-code?error=access_denied&state=x", "a=b&code=c;d", strings.Repeat("\n", 20),
	} {
		f.Add(seed)
	}
	p := &provider{}
	start := p.offline(f)
	f.Fuzz(func(t *testing.T, line string) {
		_, _, err := login.CommandLine{In: strings.NewReader(line), Out: io.Discard}.Login(t.Context(), start)
		if err == nil {
			t.Error("logged in without a server")
		}
	})
}
