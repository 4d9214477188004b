package secretfile

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestSafe_Modes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		mode           fs.FileMode
		root, readOnly bool
		want           bool
	}{
		"own":                                  {0o600, false, false, true},
		"own, read-only":                       {0o400, false, false, true},
		"group can read":                       {0o640, false, false, false},
		"everybody can read":                   {0o644, false, false, false},
		"root and a group":                     {0o640, true, false, true},
		"Kubernetes with fsGroup":              {0o440, true, false, true},
		"root, group can write":                {0o660, true, false, false},
		"root, everybody can read":             {0o644, true, false, false},
		"root, executable":                     {0o750, true, false, false},
		"secret of Kubernetes":                 {0o644, true, true, true},
		"secret of Docker":                     {0o444, true, true, true},
		"read-only mount of another user's":    {0o644, false, true, true},
		"everybody can write, read-only mount": {0o666, true, true, true},
	} {
		if got := safe(test.mode, test.root, test.readOnly); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

func TestRead_Files(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, test := range map[string]struct {
		mode fs.FileMode
		text string
		want string // part of the error
	}{
		"own":       {0o600, "secret", ""},
		"readable":  {0o644, "secret", "chmod 600"},
		"too large": {0o600, "secret and more", "too large"},
	} {
		if runtime.GOOS == "windows" && test.want == "chmod 600" {
			continue
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, test.mode); err != nil {
			t.Fatal(err)
		}
		text, err := Read(path, 10)
		if test.want == "" && (err != nil || string(text) != test.text) || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %q, %v, want %q", name, text, err, test.want)
		}
	}
	if _, err := Read(filepath.Join(dir, "nowhere"), 10); err == nil {
		t.Error("a file that does not exist is read")
	}
	if _, err := Read(dir, 10); err == nil {
		t.Error("a directory is read")
	}
}
