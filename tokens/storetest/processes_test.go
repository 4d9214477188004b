package storetest_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/filestore"
	"github.com/globusauth/globusauth/tokens/sqlitestore"
)

// These tests run real processes in real time. How many is set by the
// environment: STORETEST_KILLS (for each store), STORETEST_FLEET ("processes
// goroutines seconds"); the defaults are for every day.
const (
	defaultKills = 6
	defaultFleet = "4 4 2"

	childJob   = "STORETEST_JOB" // "kill" or "fleet"
	childStore = "STORETEST_STORE"
	childDir   = "STORETEST_DIR"
	childURL   = "STORETEST_URL"
	childStart = "STORETEST_START"
	childCount = "STORETEST_GOROUTINES"

	clientID = "7fb58e00-839d-44e3-8047-10a502612dca"
	server   = "transfer.api.globus.org"

	// speed is how much faster the clock of a fleet goes, and lifetime that of
	// its tokens by that clock: 200 ms of real time.
	speed    = 100
	lifetime = 20 * time.Second
)

func TestMain(m *testing.M) {
	if job := os.Getenv(childJob); job != "" {
		if err := runChild(job); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func openStore(kind, dir string) (tokens.Store, error) {
	if kind == "file" {
		return filestore.New(filestore.Config{AppName: "app", Dir: dir})
	}
	return sqlitestore.New(sqlitestore.Config{AppName: "app", Dir: dir})
}

// newSource is a source as a program has it.
func newSource(kind, dir, endpoint string, now func() time.Time) (*tokens.Refreshing, error) {
	store, err := openStore(kind, dir)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: &http.Transport{}}
	return tokens.NewRefreshing(tokens.RefreshingConfig{
		Store: store, Key: tokens.Key{ClientID: clientID}, ResourceServer: server, Now: now,
		Refresh: func(ctx context.Context, current tokens.Token) (tokens.Set, error) {
			return refresh(ctx, client, endpoint, current, now)
		},
	})
}

func refresh(ctx context.Context, client *http.Client, endpoint string, current tokens.Token, now func() time.Time) (tokens.Set, error) {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {current.RefreshToken}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return tokens.Set{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := client.Do(req)
	if err != nil {
		return tokens.Set{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return tokens.Set{}, err
	}
	if resp.StatusCode != http.StatusOK {
		return tokens.Set{}, apierror.FromResponse("refresh", resp.StatusCode, resp.Header, body)
	}
	var response struct {
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
		ExpiresIn    int    `json:"expires_in"`
	}
	if err := json.Unmarshal(body, &response); err != nil {
		return tokens.Set{}, err
	}
	validFor := time.Duration(response.ExpiresIn) * time.Second
	return tokens.NewSet(tokens.Token{
		AccessToken: response.AccessToken, RefreshToken: response.RefreshToken, ResourceServer: server, Scope: "s",
		Expiry: now().Add(validFor), Lifetime: validFor,
	})
}

func runChild(job string) error {
	start, err := time.Parse(time.RFC3339Nano, os.Getenv(childStart))
	if err != nil {
		return err
	}
	source, err := newSource(os.Getenv(childStore), os.Getenv(childDir), os.Getenv(childURL), clock(start))
	if err != nil {
		return err
	}
	fmt.Println("ready")
	if job == "kill" {
		return refreshForever(source)
	}
	return shareToken(source)
}

// refreshForever ends with the process.
func refreshForever(source *tokens.Refreshing) error {
	for {
		token, err := source.Token(context.Background())
		if err != nil {
			return err
		}
		if _, err := source.Renew(context.Background(), token); err != nil {
			return err
		}
	}
}

// shareToken asks for the token all the time until standard input ends.
func shareToken(source *tokens.Refreshing) error {
	goroutines, err := strconv.Atoi(os.Getenv(childCount))
	if err != nil {
		return err
	}
	var over atomic.Bool
	errs := make(chan error, goroutines)
	for range goroutines {
		go func() {
			for !over.Load() {
				if _, err := source.Token(context.Background()); err != nil {
					errs <- err
					return
				}
				<-time.After(time.Millisecond)
			}
			errs <- nil
		}()
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	over.Store(true)
	for range goroutines {
		err = errors.Join(err, <-errs)
	}
	return err
}

// start runs this test binary as a child, and returns when it is ready.
func start(t *testing.T, env ...string) (*exec.Cmd, io.WriteCloser, *strings.Builder) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), env...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		_ = cmd.Wait()
		t.Fatalf("the child did not start: %v %s", err, stderr.String())
	}
	return cmd, stdin, &stderr
}

func login(t *testing.T, kind, dir string) {
	t.Helper()
	store, err := openStore(kind, dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = store.Update(t.Context(), tokens.Key{ClientID: clientID}, func(tokens.Set) (tokens.Set, error) {
		return tokens.NewSet(tokens.Token{
			AccessToken: "A0", RefreshToken: "R0", ResourceServer: server, Scope: "s", Expiry: time.Unix(1, 0), Lifetime: lifetime,
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestKill kills a process that refreshes all the time, at random instants, and
// looks at what it left: with grace for the previous refresh token the login
// works every time; without, it is lost only where the service had rotated and the response was
// not yet stored.
func TestKill(t *testing.T) {
	t.Parallel()
	kills := defaultKills
	if text := os.Getenv("STORETEST_KILLS"); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	for _, kind := range []string{"file", "sqlite"} {
		for _, grace := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/grace=%v", kind, grace), func(t *testing.T) {
				t.Parallel()
				killRepeatedly(t, kind, grace, kills)
			})
		}
	}
}

func killRepeatedly(t *testing.T, kind string, grace bool, kills int) {
	t.Helper()
	dir, begin := t.TempDir(), time.Now()
	service := newIssuer(t, clock(begin), grace)
	login(t, kind, dir)
	lost := 0
	for i := range kills {
		cmd, _, stderr := start(t, childJob+"=kill", childStore+"="+kind, childDir+"="+dir, childURL+"="+service.URL,
			childStart+"="+begin.Format(time.RFC3339Nano))
		time.Sleep(time.Duration(rand.Int64N(int64(30 * time.Millisecond))))
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		if text := stderr.String(); text != "" {
			t.Fatalf("kill %d: the child said %s", i, text)
		}

		store, err := openStore(kind, dir)
		if err != nil {
			t.Fatal(err)
		}
		set, err := store.Load(t.Context(), tokens.Key{ClientID: clientID})
		token, found := set.ByResourceServer(server)
		if err != nil || !found {
			t.Fatalf("kill %d: the login is gone: %v, %v", i, set, err)
		}
		_, _, _, current, previous := service.state()
		if token.RefreshToken != current && token.RefreshToken != previous {
			t.Fatalf("kill %d: stored %s, although the service is at %s", i, token.RefreshToken, current)
		}
		source, err := newSource(kind, dir, service.URL, clock(begin))
		if err != nil {
			t.Fatal(err)
		}
		_, err = source.Renew(t.Context(), token)
		_, _, _, _, previous = service.state() // a request of the killed process may have come late
		switch {
		case err == nil:
		case !grace && token.RefreshToken == previous && errors.Is(err, tokens.ErrLoginRequired):
			lost++ // the service rotated, and the response was lost with the process
			service.mu.Lock()
			service.current = token.RefreshToken // log in again
			service.mu.Unlock()
		default:
			t.Fatalf("kill %d: the stored login does not work: %v", i, err)
		}
	}
	entries, err := filepath.Glob(filepath.Join(dir, clientID, "app", "*"))
	if err != nil || len(entries) > 3 {
		t.Errorf("killed processes left %v, %v", entries, err)
	}
	count, _, _, _, _ := service.state()
	if count < kills {
		t.Errorf("only %d refreshes for %d kills: nothing was tested", count, kills)
	}
	t.Logf("%d kills, %d refreshes, %d responses lost with a process", kills, count, lost)
}

// TestFleet lets processes share a store whose tokens expire all the time, at a
// service that takes no refresh token twice.
func TestFleet(t *testing.T) {
	t.Parallel()
	setting := os.Getenv("STORETEST_FLEET")
	if setting == "" {
		setting = defaultFleet
	}
	var processes, goroutines, seconds int
	if _, err := fmt.Sscan(setting, &processes, &goroutines, &seconds); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"file", "sqlite"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			dir, begin := t.TempDir(), time.Now()
			service := newIssuer(t, clock(begin), false)
			login(t, kind, dir)
			var ends []func()
			for range processes {
				cmd, stdin, stderr := start(t, childJob+"=fleet", childStore+"="+kind, childDir+"="+dir, childURL+"="+service.URL,
					childStart+"="+begin.Format(time.RFC3339Nano), childCount+"="+strconv.Itoa(goroutines))
				ends = append(ends, func() {
					_ = stdin.Close()
					if err := cmd.Wait(); err != nil {
						t.Errorf("a process failed: %v %s", err, stderr.String())
					}
				})
			}
			time.Sleep(time.Duration(seconds) * time.Second)
			for _, end := range ends {
				end()
			}
			count, refused, premature, _, _ := service.state()
			if refused != 0 || premature != 0 {
				t.Errorf("%d refreshes refused, %d before the token was due; want none", refused, premature)
			}
			if count < 3 {
				t.Errorf("only %d refreshes: nothing was tested", count)
			}
			t.Logf("%d processes, %d goroutines each, %d s: %d refreshes", processes, goroutines, seconds, count)
		})
	}
}
