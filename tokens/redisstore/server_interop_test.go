//go:build interop

package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/internal/fleettest"
	"github.com/globusauth/globusauth/tokens/redisstore"
)

const testLease = 300 * time.Millisecond

// shared is the server of all tests that leave it alone.
var shared *server

func TestMain(m *testing.M) {
	logging.Disable() // go-redis writes to the standard error
	fleettest.Main(openPlace)
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "redisstore")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(dir) }()
		if shared, err = newServer(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer shared.kill()
		return m.Run()
	}())
}

// openPlace opens the store of a child process. The place is a prefix and an address.
func openPlace(_, place string) (tokens.Store, error) {
	prefix, address, _ := strings.Cut(place, " ")
	client := redis.NewClient(&redis.Options{Addr: address, ContextTimeoutEnabled: true})
	return redisstore.New(client, redisstore.Config{Prefix: prefix}.With(testLease, 0))
}

// server is a redis-server on a free loopback port, with its data in a folder.
type server struct {
	Addr    string
	dir     string
	options []string
	cmd     *exec.Cmd
}

// newServer starts a server. Options are added to the command line; an empty "port" is replaced by a free one.
func newServer(dir string, options ...string) (*server, error) {
	var err error
	for range 5 { // another program may take the port
		s := &server{dir: dir, options: options}
		if s.Addr, err = freeAddress(); err == nil {
			if err = s.start(); err == nil {
				return s, nil
			}
		}
	}
	return nil, err
}

func freeAddress() (string, error) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String(), nil
}

// start starts the server, also again after kill, with the data of before.
func (s *server) start() error {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return fmt.Errorf("redis-server is missing: apt-get install redis-server: %w", err)
	}
	_, port, _ := net.SplitHostPort(s.Addr)
	listen := "--port"
	for _, option := range s.options {
		if option == "--tls-cert-file" {
			listen = "--tls-port"
		}
	}
	args := append([]string{"--port", "0", listen, port, "--bind", "127.0.0.1", "--dir", s.dir, "--logfile", "log", "--appendonly", "yes", "--save", ""}, s.options...)
	s.cmd = exec.CommandContext(context.Background(), path, args...)
	if err := s.cmd.Start(); err != nil {
		return err
	}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(context.Background(), "tcp", s.Addr)
		if err == nil {
			_ = conn.Close()
			return nil
		}
		if s.cmd.ProcessState != nil {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	s.kill()
	log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	return fmt.Errorf("redis-server does not accept connections: %s", log)
}

// kill ends the server without a chance to write anything.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// startServer starts a server for one test.
func startServer(tb testing.TB, options ...string) *server {
	tb.Helper()
	s, err := newServer(tb.TempDir(), options...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.kill)
	return s
}

func (s *server) client(tb testing.TB) *redis.Client {
	tb.Helper()
	return newClient(tb, redis.Options{Addr: s.Addr})
}

func newClient(tb testing.TB, options redis.Options) *redis.Client {
	tb.Helper()
	options.ContextTimeoutEnabled = true
	client := redis.NewClient(&options)
	tb.Cleanup(func() { _ = client.Close() })
	return client
}

var prefixes atomic.Int64

// config has a prefix of its own.
func config() redisstore.Config {
	return redisstore.Config{Prefix: "t" + strconv.FormatInt(prefixes.Add(1), 10) + ":"}
}

func newStore(tb testing.TB, client redis.UniversalClient, config redisstore.Config) *redisstore.Store {
	tb.Helper()
	store, err := redisstore.New(client, config)
	if err != nil {
		tb.Fatal(err)
	}
	return store
}

// command sends a command that must succeed.
func command(tb testing.TB, client redis.UniversalClient, args ...any) any {
	tb.Helper()
	result, err := client.Do(tb.Context(), args...).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		tb.Fatalf("%s: %v", fmt.Sprint(args...), err)
	}
	return result
}

func one(tb testing.TB, access string) tokens.Set {
	tb.Helper()
	set, err := tokens.NewSet(tokens.Token{AccessToken: access, ResourceServer: "rs", Scope: "s"})
	if err != nil {
		tb.Fatal(err)
	}
	return set
}

func put(tb testing.TB, store tokens.Store, access string) {
	tb.Helper()
	if err := update(tb.Context(), tb, store, access); err != nil {
		tb.Fatal(err)
	}
}

func update(ctx context.Context, tb testing.TB, store tokens.Store, access string) error {
	tb.Helper()
	_, err := store.Update(ctx, fleettest.Key(), func(tokens.Set) (tokens.Set, error) { return one(tb, access), nil })
	return err
}

func holds(tb testing.TB, store tokens.Store, access string) {
	tb.Helper()
	set, err := store.Load(tb.Context(), fleettest.Key())
	if err != nil || !set.Equal(one(tb, access)) {
		tb.Errorf("stored is %v, %v; want %q", set, err, access)
	}
}
