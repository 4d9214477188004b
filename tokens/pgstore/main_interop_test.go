//go:build interop

package pgstore_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/internal/fleettest"
	"github.com/globusauth/globusauth/tokens/pgstore"
)

const (
	password  = "SECRET-PASSWORD"
	testLease = 300 * time.Millisecond
	// outageLease is that of processes whose server fails: it may end with a lease that no process knows of.
	outageLease = 2 * time.Second
)

// shared is the server of all tests that leave it alone.
var shared *postgres

func TestMain(m *testing.M) {
	fleettest.Main(openPlace)
	_ = flag.Set("test.parallel", "8") // tests that wait for servers, more than there are processors
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "pgstore")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(dir) }()
		if shared, err = newPostgres(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer shared.stop()
		return m.Run()
	}())
}

// openPlace opens the store of a child process. The kind is the lease, or "floor"; the place is a prefix and a URL.
func openPlace(kind, place string) (tokens.Store, error) {
	prefix, url, _ := strings.Cut(place, " ")
	pool, err := pgxpool.New(context.Background(), url)
	if err != nil {
		return nil, err
	}
	config := pgstore.Config{Prefix: prefix}
	if kind == "floor" {
		store, err := pgstore.New(pool, config)
		if err != nil {
			return nil, err
		}
		conn, err := pgx.Connect(context.Background(), url)
		return floor{store, conn, "UPDATE " + prefix + "_tokens SET data = $1"}, err
	}
	lease, err := time.ParseDuration(kind)
	if err != nil {
		return nil, err
	}
	return pgstore.Open(pool, config, lease, 0)
}

// floor is a fleettest.Floor.
type floor struct {
	*pgstore.Store

	conn *pgx.Conn
	save string
}

func (f floor) Write(data []byte) error {
	return f.conn.PgConn().ExecParams(context.Background(), f.save, [][]byte{data}, nil, []int16{1}, nil).Read().Err
}

// program finds a program of PostgreSQL, which Debian keeps out of the PATH.
func program(name string) (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(found) > 0 && err == nil {
		return found[len(found)-1], nil
	}
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	return "", fmt.Errorf("%s is missing: apt-get install postgresql", name)
}

// command runs a program as a user other than root, which PostgreSQL refuses.
func command(ctx context.Context, name string, args ...string) (*exec.Cmd, error) {
	path, err := program(name)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "PGPASSWORD="+password)
	cmd.SysProcAttr, err = unprivileged()
	return cmd, err
}

func unprivileged() (*syscall.SysProcAttr, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	account, err := user.Lookup("nobody")
	if err != nil {
		return nil, err
	}
	uid, _ := strconv.ParseUint(account.Uid, 10, 32)
	gid, _ := strconv.ParseUint(account.Gid, 10, 32)
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
}

// own gives a directory to that user.
func own(dir string) error {
	attr, err := unprivileged()
	if attr == nil || err != nil {
		return err
	}
	for up := filepath.Dir(dir); len(up) > len(os.TempDir()); up = filepath.Dir(up) {
		if err := os.Chmod(up, 0o711); err != nil {
			return err
		}
	}
	return os.Chown(dir, int(attr.Credential.Uid), int(attr.Credential.Gid))
}

// postgres is a server on a free loopback port.
type postgres struct {
	dir     string
	port    int
	options []string
	cmd     *exec.Cmd
	log     strings.Builder
	ended   chan struct{}
}

func freePort() (int, error) {
	address, err := fleettest.FreeAddress()
	if err != nil {
		return 0, err
	}
	_, port, _ := net.SplitHostPort(address)
	return strconv.Atoi(port)
}

func newPostgres(dir string, options ...string) (*postgres, error) {
	secret := filepath.Join(dir, "password")
	data := filepath.Join(dir, "data")
	err := errors.Join(os.WriteFile(secret, []byte(password), 0o644), os.Mkdir(data, 0o700))
	if err == nil {
		err = own(data)
	}
	if err != nil {
		return nil, err
	}
	initdb, err := command(context.Background(), "initdb", "-D", data, "-U", "postgres", "--auth=scram-sha-256", "--pwfile="+secret, "-E", "UTF8", "--no-sync")
	if err != nil {
		return nil, err
	}
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	return startPostgres(data, options...)
}

func startPostgres(data string, options ...string) (*postgres, error) {
	p := &postgres{dir: data, options: options}
	var err error
	for range 5 { // another program may take the port
		if p.port, err = freePort(); err == nil {
			if err = p.start(); err == nil {
				return p, nil
			}
		}
	}
	return nil, err
}

func (p *postgres) start() error {
	args := []string{
		"-D", p.dir, "-p", strconv.Itoa(p.port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=" + p.dir,
		"-c", "max_connections=300", "-c", "shared_buffers=32MB", "-c", "log_min_messages=fatal",
	}
	for _, option := range p.options {
		args = append(args, "-c", option)
	}
	var err error
	if p.cmd, err = command(context.Background(), "postgres", args...); err != nil {
		return err
	}
	p.cmd.Stderr = &p.log
	if err := p.cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	p.ended = ended
	go func(cmd *exec.Cmd) { _ = cmd.Wait(); close(ended) }(p.cmd)
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		select {
		case <-ended:
			return fmt.Errorf("postgres ended: %s", p.log.String())
		case <-time.After(20 * time.Millisecond):
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		conn, err := pgx.Connect(ctx, p.url("postgres"))
		cancel()
		if err == nil {
			_ = conn.Close(context.Background())
			return nil
		}
	}
	p.stop()
	return fmt.Errorf("postgres does not accept connections: %s", p.log.String())
}

func (p *postgres) url(user string) string { return p.urlAt(p.port, user) }

func (p *postgres) urlAt(port int, user string) string {
	return fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/postgres?sslmode=disable", user, password, port)
}

// stop ends the server, by its process ID: at once, with the connections it has.
func (p *postgres) stop() { p.signal(syscall.SIGINT) }

// kill ends it without a chance to write anything.
func (p *postgres) kill() {
	// The processes of the connections end by themselves when the first one is gone.
	p.signal(syscall.SIGKILL)
}

func (p *postgres) signal(signal os.Signal) {
	_ = p.cmd.Process.Signal(signal)
	<-p.ended
}

func (p *postgres) pool(tb testing.TB, user string) *pgxpool.Pool {
	tb.Helper()
	return newPool(tb, p.url(user))
}

func newPool(tb testing.TB, url string) *pgxpool.Pool {
	tb.Helper()
	pool, err := pgxpool.New(tb.Context(), url)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(pool.Close)
	return pool
}

var prefixes atomic.Int64

// tables creates tables of the test's own, and returns their configuration.
func (p *postgres) tables(tb testing.TB) (*pgxpool.Pool, pgstore.Config) {
	tb.Helper()
	pool := p.pool(tb, "postgres")
	config := pgstore.Config{Prefix: fmt.Sprintf("t%d", prefixes.Add(1))}
	if err := pgstore.Migrate(tb.Context(), pool, config); err != nil {
		tb.Fatal(err)
	}
	return pool, config
}

// execute changes the database for a test.
func execute(tb testing.TB, pool *pgxpool.Pool, statement string) {
	tb.Helper()
	if _, err := pool.Exec(tb.Context(), statement); err != nil {
		tb.Fatal(err)
	}
}
