//go:build interop

package pgstore_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// pgBouncer starts one in transaction mode, with two connections to the server.
func pgBouncer(t *testing.T, server *postgres) (port int) {
	t.Helper()
	dir := t.TempDir()
	if err := own(dir); err != nil {
		t.Fatal(err)
	}
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	users, file := filepath.Join(dir, "users"), filepath.Join(dir, "pgbouncer.ini")
	configuration := fmt.Sprintf(`[databases]
postgres = host=127.0.0.1 port=%d dbname=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = plain
auth_file = %s
pool_mode = transaction
default_pool_size = 2
max_client_conn = 300
`, server.port, port, users)
	for name, content := range map[string]string{users: fmt.Sprintf("%q %q\n", "postgres", password), file: configuration} {
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("/usr/sbin/pgbouncer", file) //nolint:noctx // it is ended below
	cmd.Dir = "/"
	if cmd.SysProcAttr, err = unprivileged(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: apt-get install pgbouncer", err)
	}
	t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
	pool := newPool(t, server.urlAt(port, "postgres"))
	for range 500 {
		if err = pool.Ping(t.Context()); err == nil {
			return port
		}
		<-time.After(10 * time.Millisecond)
	}
	t.Fatal(err)
	return 0
}
