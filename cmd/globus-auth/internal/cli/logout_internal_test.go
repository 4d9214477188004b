package cli

import (
	"bytes"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/filestore"
)

// The time of a logout does not depend on the number of tokens, and what it could not revoke is kept.
func TestRunnerLogout_ServiceIsDown(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	down := "http://" + listener.Addr().String() + "/"
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	const client = "7fb58e00-839d-44e3-8047-10a502612dca"
	dir := t.TempDir()
	store, err := filestore.New(filestore.Config{AppName: appName, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	key := tokens.Key{ClientID: client, Address: down}
	set, err := tokens.NewSet(
		tokens.Token{ResourceServer: "auth.globus.org", AccessToken: "a", RefreshToken: "b", Scope: "openid"},
		tokens.Token{ResourceServer: "transfer.api.globus.org", AccessToken: "c", RefreshToken: "d", Scope: "transfer"},
	)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Update(t.Context(), key, func(tokens.Set) (tokens.Set, error) { return set, nil }); err != nil {
		t.Fatal(err)
	}
	logout := func(args ...string) string {
		var errs bytes.Buffer
		r := &runner{Streams: Streams{In: strings.NewReader(""), Out: &bytes.Buffer{}, Err: &errs}, getenv: func(string) string { return "" }, logoutTimeout: 100 * time.Millisecond}
		begun := time.Now()
		code := r.run(t.Context(), append([]string{"--base-url", down, "--client-id", client, "--store-dir", dir, "logout"}, args...))
		if elapsed := time.Since(begun); code != ExitUnavailable || elapsed > 5*time.Second {
			t.Errorf("exit %d after %v", code, elapsed)
		}
		return errs.String()
	}
	if text := logout(); !strings.Contains(text, "tokens that are not revoked are kept") || !strings.Contains(text, "cannot reach "+down+" (--base-url)") {
		t.Errorf("logout: %s", text)
	}
	if kept, err := store.Load(t.Context(), key); err != nil || len(kept.All()) != 2 {
		t.Errorf("kept %v, %v", kept, err)
	}
	if text := logout("--forget"); !strings.Contains(text, "the login is deleted") || !strings.Contains(text, "remain valid until they expire") {
		t.Errorf("logout --forget: %s", text)
	}
	if kept, err := store.Load(t.Context(), key); err != nil || len(kept.All()) != 0 {
		t.Errorf("kept %v, %v", kept, err)
	}
}
