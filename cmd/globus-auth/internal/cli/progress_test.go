//go:build !windows

package cli_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/creack/pty"

	"github.com/globusauth/globusauth/cmd/globus-auth/internal/cli"
)

// TestProgress has somebody look at a terminal while a lookup takes longer than
// a second: the service does not answer before the bar was seen.
func TestProgress(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args     []string
		terminal bool // standard output is the terminal as well
		want     string
	}{
		"table":      {args: []string{"--format", "table"}, terminal: true, want: `looked up 0 keys`},
		"json lines": {args: []string{"--format", "jsonl"}, want: `looked up 0 keys`},
		"arguments":  {args: []string{"a@example.edu", "nobody@example.edu"}, terminal: true, want: `looked up.*\(0/2`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			master, terminal, err := pty.Open()
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = master.Close() }()
			seen := make(chan struct{})
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				select {
				case <-seen:
				case <-r.Context().Done():
				}
				_, _ = io.WriteString(w, `{"identities":[{"id":"f0000000-0000-4000-8000-000000000001","username":"a@example.edu"}]}`)
			}))
			defer server.Close()
			screen := make(chan string)
			go func() { screen <- watch(master, regexp.MustCompile(test.want), seen) }()
			var out io.Writer = terminal
			if !test.terminal {
				out = &bytes.Buffer{}
			}
			code := cli.Run(t.Context(), append([]string{"--base-url", server.URL, "identities"}, test.args...),
				cli.Streams{In: strings.NewReader("a@example.edu\nnobody@example.edu\n"), Out: out, Err: terminal},
				environment{"GLOBUS_AUTH_ACCESS_TOKEN": "t"}.get)
			_ = terminal.Close()
			text := <-screen
			if code != cli.ExitFailed {
				t.Errorf("exit %d", code)
			}
			// The bar has gone before anything else is written.
			lines := screenOf(text)
			if lines[0] != `globus-auth: "nobody@example.edu": no such identity` {
				t.Errorf("%q shows %q", text, lines)
			}
			if test.terminal != (len(lines) > 1 && strings.HasPrefix(lines[len(lines)-1], "a@example.edu ")) {
				t.Errorf("%q shows %q", text, lines)
			}
			if !test.terminal && !strings.Contains(fmt.Sprint(out), `"key":"a@example.edu"`) {
				t.Errorf("printed %v", out)
			}
		})
	}
}

// A retry is told on a line of its own, not behind the bar.
func TestProgress_MakesRoomForNotices(t *testing.T) {
	t.Parallel()
	master, terminal, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = master.Close() }()
	seen := make(chan struct{})
	var refused atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		<-seen
		if refused.CompareAndSwap(false, true) {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_, _ = io.WriteString(w, `{"identities":[{"id":"f0000000-0000-4000-8000-000000000001","username":"a@example.edu"}]}`)
	}))
	defer server.Close()
	screen := make(chan string)
	go func() { screen <- watch(master, regexp.MustCompile(`looked up`), seen) }()
	cli.Run(t.Context(), []string{"--base-url", server.URL, "identities", "a@example.edu"},
		cli.Streams{In: strings.NewReader(""), Out: terminal, Err: terminal}, environment{"GLOBUS_AUTH_ACCESS_TOKEN": "t"}.get)
	_ = terminal.Close()
	text := <-screen
	if lines := screenOf(text); !strings.HasPrefix(lines[0], "globus-auth: status 502: retrying") {
		t.Errorf("%q shows %q", text, lines)
	}
}

// watch reads a terminal to its end, and closes seen when it shows something.
func watch(terminal *os.File, something *regexp.Regexp, seen chan struct{}) string {
	var text []byte
	piece := make([]byte, 4096)
	for {
		n, err := terminal.Read(piece)
		text = append(text, piece[:n]...)
		if seen != nil && something.Match(text) {
			close(seen)
			seen = nil
		}
		if err != nil { // on Linux EIO when the other side is closed
			if seen != nil {
				close(seen)
			}
			return string(text)
		}
	}
}

// screenOf returns the lines that stay on a screen: what stands after a carriage
// return covers what stood before.
func screenOf(text string) []string {
	var lines []string
	for line := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
		shown := ""
		for piece := range strings.SplitSeq(line, "\r") {
			if len(piece) < len(shown) {
				piece += shown[len(piece):]
			}
			shown = piece
		}
		if shown = strings.TrimRight(shown, " "); shown != "" {
			lines = append(lines, shown)
		}
	}
	return lines
}
