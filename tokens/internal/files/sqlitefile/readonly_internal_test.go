//go:build linux

package sqlitefile

import (
	"os"
	"runtime"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/sys/unix"
)

func TestBackendLoad_ReadOnlyFile(t *testing.T) {
	t.Parallel()
	file := temporary(t)
	edit := func(jsontext.Value) (jsontext.Value, error) { return jsontext.Value(`{"rs":{"a":1}}`), nil }
	if err := new(Backend).Edit(t.Context(), file, "n", edit); err != nil {
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
	var backend Backend
	if raw, err := backend.Load(t.Context(), file, "n"); err != nil || string(raw) != `{"rs":{"a":1}}` {
		t.Errorf("%s, %v", raw, err)
	}
	// The connection cannot write, and the file may be writable for the next call.
	if backend.kept.Load() != nil {
		t.Error("the connection is kept")
	}
}
