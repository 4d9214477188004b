//go:build interop

package redisstore_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/internal/fleettest"
	"github.com/globusauth/globusauth/tokens/redisstore"
)

const (
	testLease = 300 * time.Millisecond
	// outageLease is that of processes whose server fails: it may end with a lease that no process knows of.
	outageLease = 2 * time.Second
)

// shared is the server of all tests that leave it alone.
var shared *server

func TestMain(m *testing.M) {
	logging.Disable() // go-redis writes to the standard error
	fleettest.Main(openPlace)
	_ = flag.Set("test.parallel", "8") // tests that wait for servers, more than there are processors
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "redisstore")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(dir) }()
		if shared, err = newServer(dir, "redis-server"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer shared.kill()
		return m.Run()
	}())
}

// place is where the processes of a fleet find their login.
type place struct {
	Prefix string
	Addrs  []string
	Master string // the name that Sentinels have for the primary
	Nodes  bool   // of a Cluster
}

func (p place) client() redis.UniversalClient {
	options := &redis.UniversalOptions{Addrs: p.Addrs, MasterName: p.Master, ContextTimeoutEnabled: true}
	if !p.Nodes {
		return redis.NewUniversalClient(options)
	}
	cluster := options.Cluster()
	cluster.ClusterStateReloadInterval = time.Hour // no test waits for it
	return redis.NewClusterClient(cluster)
}

// openPlace opens the store of a child process. The kind is the lease, or "floor".
func openPlace(kind, text string) (tokens.Store, error) {
	var p place
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return nil, err
	}
	config := redisstore.Config{Prefix: p.Prefix}
	if kind == "floor" {
		store, err := redisstore.New(p.client(), config)
		if err != nil {
			return nil, err
		}
		conn, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", p.Addrs[0])
		return floor{store, conn, p.Prefix + "{" + fleettest.Key().ClientID + "/production//DEFAULT}"}, err
	}
	lease, err := time.ParseDuration(kind)
	if err != nil {
		return nil, err
	}
	return redisstore.New(p.client(), config.With(lease, 0))
}

// floor is a fleettest.Floor.
type floor struct {
	*redisstore.Store

	conn net.Conn
	name string
}

func (f floor) Write(data []byte) error {
	if _, err := fmt.Fprintf(f.conn, "*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n", len(f.name), f.name, len(data), data); err != nil {
		return err
	}
	_, err := f.conn.Read(make([]byte, 16))
	return err
}

// fleet shares a login at a place. Tokens last two seconds.
func (p place) fleet(tb testing.TB, lease time.Duration) fleettest.Fleet {
	tb.Helper()
	p.Prefix = config().Prefix
	text, err := json.Marshal(p)
	if err != nil {
		tb.Fatal(err)
	}
	return fleettest.Fleet{Open: openPlace, Kind: lease.String(), Place: string(text), Speed: 10}
}

// server is a redis-server on a free loopback port, with its data in a folder.
type server struct {
	Addr string
	dir  string
	args []string
	cmd  *exec.Cmd
}

// newServer starts a program with options; "{port}" and "{bus}" in them become free ports.
func newServer(dir, program string, options ...string) (*server, error) {
	listen := []string{"--port", "{port}"}
	if slices.Contains(options, "--tls-cert-file") {
		listen = []string{"--port", "0", "--tls-port", "{port}"}
	}
	options = append(options, append(listen, "--bind", "127.0.0.1", "--dir", dir, "--logfile", "log", "--appendonly", "yes", "--save", "",
		"--repl-diskless-sync-delay", "0")...)
	var err error
	for range 5 { // another program may take the port
		s := &server{dir: dir, args: append([]string{program}, options...)}
		for _, name := range []string{"{bus}", "{port}"} {
			if s.Addr, err = fleettest.FreeAddress(); err != nil {
				return nil, err
			}
			for i, arg := range s.args {
				if arg == name {
					s.args[i] = s.port()
				}
			}
		}
		if err = s.start(); err == nil {
			return s, nil
		}
	}
	return nil, err
}

func (s *server) port() string {
	_, port, _ := net.SplitHostPort(s.Addr)
	return port
}

// start starts the server, also again after kill, with the data of before.
func (s *server) start() error {
	path, err := exec.LookPath(s.args[0])
	if err != nil {
		return fmt.Errorf("%s is missing; .ci/run installs it: %w", s.args[0], err)
	}
	s.cmd = exec.CommandContext(context.Background(), path, s.args[1:]...)
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
	return fmt.Errorf("%s does not accept connections: %s", s.args[0], s.log())
}

func (s *server) log() string {
	log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	return string(log)
}

// kill ends the server without a chance to write anything.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// startServer starts a server for one test.
func startServer(tb testing.TB, options ...string) *server {
	tb.Helper()
	return startProgram(tb, "redis-server", options...)
}

func startProgram(tb testing.TB, program string, options ...string) *server {
	tb.Helper()
	s, err := newServer(tb.TempDir(), program, options...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.kill)
	return s
}

func (s *server) place() place { return place{Addrs: []string{s.Addr}} }

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

func newSessions(tb testing.TB, client redis.UniversalClient, config redisstore.Config) *redisstore.Sessions {
	tb.Helper()
	sessions, err := redisstore.NewSessions(client, config)
	if err != nil {
		tb.Fatal(err)
	}
	return sessions
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

// eventually waits until something holds.
func eventually(tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("after two minutes still not: %s", what)
		}
	}
}
