//go:build linux

package sqlitefile

import (
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

func TestUse_ReadOnlyFile(t *testing.T) {
	t.Parallel()
	file := temporary(t)
	if err := write(t.Context(), file, func(d *database) error {
		_, _, err := d.query(store, "n", "rs", `{"a":1}`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file.Path, 0o400); err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	var none [2]unix.CapUserData
	if err := unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0]); err != nil {
		t.Fatal(err) // without capabilities, the modes of files hold for root too
	}
	if other, err := os.OpenFile(file.Path, os.O_RDWR, 0); err == nil {
		_ = other.Close()
		t.Fatal("the file can be written")
	}
	if raw, err := (Backend{}).Load(t.Context(), file, "n"); err != nil || string(raw) != `{"rs":{"a":1}}` {
		t.Errorf("%s, %v", raw, err)
	}
}
