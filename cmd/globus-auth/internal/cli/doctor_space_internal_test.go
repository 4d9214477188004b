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
