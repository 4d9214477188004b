//go:build interop

package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "portal" || os.Args[1] == "worker") {
		main() // a process of the fleet
		return
	}
	os.Exit(m.Run())
}

// A login that began on one replica ends on another, all know the session, and the workers act for the user.
func TestLocal(t *testing.T) {
	t.Parallel()
	address, err := freeAddress(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var out output
	ended := make(chan error, 1)
	go func() { ended <- local(ctx, address, &out) }()
	defer func() {
		cancel()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("the fleet ended with %v", err)
		}
	}()

	eventually(t, &out, func() bool { return strings.Contains(out.String(), "Open http://") })
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	get := func(path string) string {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		response, err := browser.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	page := get("/login")
	processes := map[string]bool{}
	for range 2 * replicas {
		found := regexp.MustCompile(`^Process (\d+): signed in as alice@example.edu\n$`).FindStringSubmatch(page)
		if found == nil {
			t.Fatalf("the page is %q", page)
		}
		processes[found[1]] = true
		page = get("/")
	}
	if len(processes) != replicas {
		t.Errorf("%d processes responded, want %d", len(processes), replicas)
	}
	eventually(t, &out, func() bool {
		at := map[string]bool{}
		for _, found := range regexp.MustCompile(`Process (\d+): works for alice@example.edu`).FindAllStringSubmatch(out.String(), -1) {
			at[found[1]] = true
		}
		return len(at) == workers
	})
}

// output is what the processes of the fleet print.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(data []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(data)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func eventually(t *testing.T, out *output, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not happen; the fleet printed %s", out.String())
		}
	}
}
