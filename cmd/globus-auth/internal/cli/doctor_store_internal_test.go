//go:build linux

package cli

import (
	"os"
	"path/filepath"
	"testing"
)

func TestDoctorCheckSpace_FullDisk(t *testing.T) {
	t.Parallel()
	for path, failed := range map[string]int{"/dev/full": 1, filepath.Join(t.TempDir(), "file"): 0} {
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		d := &doctor{runner: &runner{}}
		d.checkSpace(file)
		if len(d.Checks) != failed || failed == 1 && (d.Checks[0].Status != "failed" || d.Checks[0].Advice == "") {
			t.Errorf("%s: %+v", path, d.Checks)
		}
	}
}

// In a directory such as /tmp, others cannot change what they do not own.
func TestDoctorChangeable_Modes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for mode, want := range map[os.FileMode]bool{0o700: false, 0o755: false, 0o770: true, 0o702: true, 0o777 | os.ModeSticky: false} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		d := &doctor{runner: &runner{}}
		if got := d.changeable("token store", dir); got != want || len(d.Checks) > 0 != want {
			t.Errorf("%v: %v, %+v", mode, got, d.Checks)
		}
	}
}
