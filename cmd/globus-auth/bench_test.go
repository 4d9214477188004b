package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/globusauth/globusauth/internal/bench"
	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/filestore"
)

// floorSource is a program that links net/http, as this one does, and ends.
const floorSource = `package main

import (
	"fmt"
	"net/http"
)

func main() { fmt.Println((&http.Client{}).Timeout) }
`

// BenchmarkTokenProcess is "globus-auth token" as a process, with a stored and valid token, compared with a program that
// links net/http and does nothing (floor). A Python process that only creates the client of the official SDK 4.9.0 takes 200
// ms (measured elsewhere, on a machine with two cores).
func BenchmarkTokenProcess(b *testing.B) {
	dir := b.TempDir()
	build := func(name, source string) string {
		binary := filepath.Join(dir, name)
		if runtime.GOOS == "windows" {
			binary += ".exe"
		}
		if out, err := exec.CommandContext(b.Context(), "go", "build", "-o", binary, source).CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		return binary
	}
	source := filepath.Join(dir, "floor.go")
	if err := os.WriteFile(source, []byte(floorSource), 0o600); err != nil {
		b.Fatal(err)
	}
	floor, ours := build("floor", source), build("globus-auth", ".")

	home := b.TempDir()
	const clientID = "7fb58e00-839d-44e3-8047-10a502612dca"
	store, err := filestore.New(filestore.Config{AppName: "globus-auth", Dir: filepath.Join(home, ".globus", "app")})
	if err != nil {
		b.Fatal(err)
	}
	login := func(server, scope string) tokens.Token {
		return tokens.Token{
			AccessToken: "token-of-" + server, RefreshToken: "refresh-of-" + server, ResourceServer: server, Scope: scope,
			Expiry: time.Now().Add(48 * time.Hour), IdentityID: "c8aad43e-d274-11e5-bf98-8b02896cf782",
		}
	}
	set, err := tokens.NewSet(login("auth.globus.org", "openid"), login("transfer.api.globus.org", "urn:globus:auth:scope:transfer.api.globus.org:all"))
	if err != nil {
		b.Fatal(err)
	}
	_, err = store.Update(b.Context(), tokens.Key{ClientID: clientID}, func(tokens.Set) (tokens.Set, error) { return set, nil })
	if err != nil {
		b.Fatal(err)
	}
	run := func(binary, want string, args ...string) {
		command := exec.CommandContext(b.Context(), binary, args...)
		command.Env = append(os.Environ(), "HOME="+home)
		var stderr strings.Builder
		command.Stderr = &stderr
		out, err := command.Output()
		if err != nil || strings.TrimSpace(string(out)) != want {
			b.Fatalf("%s: %q, %v, %s", binary, out, err, &stderr)
		}
	}
	bench.CPU(b, bench.Case{Name: "floor", Clock: bench.ProcessTime, Run: func() { run(floor, "0s") }}, bench.Case{Name: "globus-auth", Limit: 1.6, Clock: bench.ProcessTime, Run: func() {
		run(ours, "token-of-transfer.api.globus.org", "token", "transfer.api.globus.org")
	}})
}
