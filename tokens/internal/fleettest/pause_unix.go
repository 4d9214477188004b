//go:build unix

package fleettest

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/globusauth/globusauth/tokens"
)

// Pause pauses a process in the middle of an update for longer than its lease, and
// wakes it up. What another process has stored meanwhile stays; if the other
// stored nothing, the result of the paused process is stored.
func (f Fleet) Pause(t *testing.T, lease time.Duration) {
	t.Helper()
	for _, newer := range []bool{true, false} {
		c, _, store := f.begin(t, false)
		c.Job = "hold"
		p := start(t, c)
		if err := p.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		wait(lease + lease/2)
		failed := errors.New("nothing to store")
		before := time.Now()
		_, err := store.Update(t.Context(), Key(), func(tokens.Set) (tokens.Set, error) {
			if newer {
				return login("newer", "newer")
			}
			return tokens.Set{}, failed
		})
		if newer && err != nil || !newer && !errors.Is(err, failed) || time.Since(before) > lease+5*time.Second {
			t.Fatalf("the update after the lease: %v after %v", err, time.Since(before))
		}
		if err := p.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Fprintln(p.stdin, "go on")
		said, err := p.stdout.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Wait(); err != nil {
			t.Fatalf("%v: %s", err, p.stderr.String())
		}
		set, err := store.Load(t.Context(), Key())
		if err != nil {
			t.Fatal(err)
		}
		token, _ := set.ByResourceServer(server)
		if newer && (token.AccessToken != "newer" || !strings.Contains(said, "is not stored")) {
			t.Errorf("the woken process said %q, and stored is %q", said, token.AccessToken)
		}
		if !newer && (token.AccessToken != "paused" || said != "<nil>\n") {
			t.Errorf("the woken process said %q, and stored is %q", said, token.AccessToken)
		}
	}
}
