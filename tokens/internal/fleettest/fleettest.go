// Package fleettest tests that real processes share a login through a store: while
// their tokens expire all the time, while they are killed, and while they are paused.
//
// The processes are children of the test binary, whose TestMain calls [Main] first.
package fleettest

import (
	"bufio"
	"bytes"
	"cmp"
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
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/tokens"
)

const (
	childVariable = "FLEETTEST_CHILD"

	clientID = "7fb58e00-839d-44e3-8047-10a502612dca"
	server   = "transfer.api.globus.org"
	// lifetime of tokens, by a clock that goes Fleet.Speed times as fast.
	lifetime = 20 * time.Second
)

// Key is where the processes keep their login.
func Key() tokens.Key { return tokens.Key{ClientID: clientID} }

// Open opens the store of a kind at a place, such as a directory or a URL.
type Open func(kind, place string) (tokens.Store, error)

// Fleet is a store that processes share.
type Fleet struct {
	Open        Open
	Kind, Place string
	// Speed of the clock. Tokens expire after 20 seconds of it.
	Speed int
}

// child is what a child process is told.
type child struct {
	Job         string // "refresh", "share" or "hold"
	Kind, Place string
	URL         string
	Start       time.Time
	Speed       int
	Goroutines  int
	Outages     bool // errors are reported only if a login is lost
}

// Main returns in the test process. In a child process it does the child's job and ends the process.
func Main(open Open) {
	text := os.Getenv(childVariable)
	if text == "" {
		return
	}
	var c child
	err := json.Unmarshal([]byte(text), &c)
	if err == nil {
		err = c.run(open)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func (c child) run(open Open) error {
	store, err := open(c.Kind, c.Place)
	if err != nil {
		return err
	}
	if c.Job == "hold" {
		return hold(store)
	}
	source, err := c.source(store)
	if err != nil {
		return err
	}
	if _, err := store.Load(context.Background(), Key()); err != nil && !c.Outages { // connects
		return err
	}
	fmt.Println("ready")
	if floor, ok := store.(Floor); ok {
		return c.bare(floor)
	}
	if c.Job == "refresh" {
		return refreshForever(source)
	}
	return c.share(source)
}

// now is a clock that goes fast from a given start.
func (c child) now() time.Time {
	return c.Start.Add(time.Duration(c.Speed) * time.Since(c.Start))
}

// source is a source as a program has it.
func (c child) source(store tokens.Store) (*tokens.Refreshing, error) {
	client := &http.Client{Transport: &http.Transport{}}
	return tokens.NewRefreshing(tokens.RefreshingConfig{
		Store: store, Key: Key(), ResourceServer: server, Now: c.now,
		Refresh: func(ctx context.Context, current tokens.Token) (tokens.Set, error) {
			body, err := c.ask(ctx, client, current.RefreshToken)
			if err != nil {
				return tokens.Set{}, err
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
				Expiry: c.now().Add(validFor), Lifetime: validFor,
			})
		},
	})
}

// ask uses a refresh token. It says so as soon as it has the response.
func (c child) ask(ctx context.Context, client *http.Client, refreshToken string) (body []byte, err error) {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshToken}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if body, err = io.ReadAll(resp.Body); err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, apierror.FromResponse("refresh", resp.StatusCode, resp.Header, body)
	}
	if c.Job == "refresh" {
		fmt.Println(received(refreshToken))
	}
	return body, nil
}

// received is what a child prints when it has the response to a refresh token.
func received(refreshToken string) string { return "received for " + refreshToken + ";" }

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

// share asks for the token all the time until standard input ends.
func (c child) share(source *tokens.Refreshing) error {
	var over atomic.Bool
	errs := make(chan error, c.Goroutines)
	for range c.Goroutines {
		go func() {
			for !over.Load() {
				_, err := source.Token(context.Background())
				if err != nil && (!c.Outages || errors.Is(err, tokens.ErrLoginRequired)) {
					errs <- err
					return
				}
				wait(time.Millisecond)
			}
			errs <- nil
		}()
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	over.Store(true)
	for range c.Goroutines {
		err = errors.Join(err, <-errs)
	}
	return err
}

// hold stores a login in an update that lasts until a line is read.
func hold(store tokens.Store) error {
	_, err := store.Update(context.Background(), Key(), func(tokens.Set) (tokens.Set, error) {
		fmt.Println("inside")
		if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
			return tokens.Set{}, err
		}
		return login("paused", "paused")
	})
	fmt.Println(err)
	return nil
}

func wait(d time.Duration) { <-time.After(d) }

// process is a child that runs.
type process struct {
	*exec.Cmd

	stdin  io.WriteCloser
	stdout *bufio.Reader
	stderr strings.Builder
}

// start runs this test binary as a child, and returns when it is ready.
func start(t *testing.T, c child) *process {
	t.Helper()
	told, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{Cmd: exec.CommandContext(t.Context(), os.Args[0])}
	p.Env = append(os.Environ(), childVariable+"="+string(told))
	p.Stderr = &p.stderr
	if p.stdin, err = p.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdout = bufio.NewReader(stdout)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.stdout.ReadString('\n'); err != nil {
		_ = p.Wait()
		t.Fatalf("the child did not start: %v %s", err, p.stderr.String())
	}
	return p
}

// begin logs in and starts the service.
func (f Fleet) begin(t *testing.T, grace bool) (child, *issuer, tokens.Store) {
	t.Helper()
	c := child{Kind: f.Kind, Place: f.Place, Start: time.Now(), Speed: f.Speed}
	service := newIssuer(t, c.now, grace)
	c.URL = service.URL
	store, err := f.Open(f.Kind, f.Place)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Update(t.Context(), Key(), func(tokens.Set) (tokens.Set, error) { return login("A0", "R0") }); err != nil {
		t.Fatal(err)
	}
	return c, service, store
}

func login(access, refresh string) (tokens.Set, error) {
	return tokens.NewSet(tokens.Token{
		AccessToken: access, RefreshToken: refresh, ResourceServer: server, Scope: "s", Expiry: time.Unix(1, 0), Lifetime: lifetime,
	})
}

// Kill kills a process that refreshes all the time, at random instants, and
// inspects what it left: with grace for the previous refresh token the login
// works every time; without, it is lost only where the service had rotated and the response was
// not yet stored. It counts how many of these responses had reached the process.
func (f Fleet) Kill(t *testing.T, grace bool, kills int) {
	t.Helper()
	c, service, store := f.begin(t, grace)
	c.Job = "refresh"
	_, floor := store.(Floor)
	lost, arrived := 0, 0
	var ran time.Duration
	for i := range kills {
		p := start(t, c)
		begin := time.Now()
		wait(rand.N(30 * time.Millisecond))
		ran += time.Since(begin)
		if err := p.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		said, err := io.ReadAll(p.stdout)
		if err != nil {
			t.Fatal(err)
		}
		_ = p.Wait()
		if floor { // no lease holds up what was sent before the kill
			wait(50 * time.Millisecond)
		}
		if text := p.stderr.String(); text != "" {
			t.Fatalf("kill %d: the child said %s", i, text)
		}
		if sent, gone := c.lostLogin(t, service, store, i); gone {
			lost++
			if bytes.Contains(said, []byte(received(sent))) {
				arrived++
			}
		}
	}
	count := service.seen().refreshes
	if count < kills {
		t.Errorf("only %d refreshes for %d kills: nothing was tested", count, kills)
	}
	if arrived > 5+kills/20 {
		t.Errorf("of %d processes killed, %d had a response that was not stored", kills, arrived)
	}
	moment := ran / time.Duration(max(1, count-kills+lost)) * time.Duration(arrived) / time.Duration(kills)
	t.Logf("%d kills, %d refreshes, %d logins lost; %d of the responses had reached the process, in a moment of %v of each refresh",
		kills, count, lost, arrived, moment.Round(100*time.Nanosecond))
}

// lostLogin uses the stored login as the next process would. It returns the stored refresh token.
func (c child) lostLogin(t *testing.T, service *issuer, store tokens.Store, i int) (refreshToken string, lost bool) {
	t.Helper()
	set, err := store.Load(t.Context(), Key())
	token, found := set.ByResourceServer(server)
	if err != nil || !found {
		t.Fatalf("kill %d: the login is gone: %v, %v", i, set, err)
	}
	if seen := service.seen(); token.RefreshToken != seen.current && token.RefreshToken != seen.previous {
		t.Fatalf("kill %d: stored %s, although the service is at %s", i, token.RefreshToken, seen.current)
	}
	c.Job = "" // not the child
	source, err := c.source(store)
	if err != nil {
		t.Fatal(err)
	}
	_, err = source.Renew(t.Context(), token)
	service.mu.Lock()
	defer service.mu.Unlock()
	switch { // a request of the killed process may have come late
	case err == nil:
		return token.RefreshToken, false
	case !service.grace && token.RefreshToken == service.state.previous && errors.Is(err, tokens.ErrLoginRequired):
		service.state.current = token.RefreshToken // log in again
		return token.RefreshToken, true
	}
	t.Fatalf("kill %d: the stored login does not work: %v", i, err)
	return "", false
}

// Share lets processes share a login whose tokens expire all the time, at a
// service that takes no refresh token twice. With disturb, which runs meanwhile,
// calls may fail, but no login may be lost.
func (f Fleet) Share(t *testing.T, processes, goroutines int, duration time.Duration, disturb func()) {
	t.Helper()
	c, service, _ := f.begin(t, false)
	c.Job, c.Goroutines, c.Outages = "share", goroutines, disturb != nil
	children := make([]*process, processes)
	for i := range children {
		children[i] = start(t, c)
	}
	end := time.Now().Add(duration)
	if disturb != nil {
		disturb()
	}
	wait(time.Until(end))
	for _, p := range children {
		_ = p.stdin.Close()
	}
	for _, p := range children {
		if err := p.Wait(); err != nil {
			t.Errorf("a process failed: %v %s", err, p.stderr.String())
		}
	}
	seen := service.seen()
	if seen.refused != 0 || seen.premature != 0 {
		t.Errorf("%d refreshes refused, %d before the token was due; want none", seen.refused, seen.premature)
	}
	if seen.refreshes < 3 {
		t.Errorf("only %d refreshes: nothing was tested", seen.refreshes)
	}
	t.Logf("%d processes, %d goroutines each, %v: %d refreshes", processes, goroutines, duration, seen.refreshes)
}

// Processes reads the size of a fleet, "processes goroutines seconds", from a variable.
func Processes(t *testing.T, variable, otherwise string) (processes, goroutines int, duration time.Duration) {
	t.Helper()
	var seconds int
	read(t, variable, otherwise, &processes, &goroutines, &seconds)
	return processes, goroutines, time.Duration(seconds) * time.Second
}

// Kills reads the number of kills from a variable.
func Kills(t *testing.T, variable string, otherwise int) (kills int) {
	t.Helper()
	read(t, variable, strconv.Itoa(otherwise), &kills)
	return kills
}

func read(t *testing.T, variable, otherwise string, numbers ...any) {
	t.Helper()
	if _, err := fmt.Sscan(cmp.Or(os.Getenv(variable), otherwise), numbers...); err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
}
