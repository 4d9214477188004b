package files

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A name that stands for another file by now is neither moved nor removed.
func TestTempMove_NameOfAnotherFile(t *testing.T) {
	t.Parallel()
	target := File{Path: filepath.Join(t.TempDir(), "target"), system: System{}.withDefaults()}
	temp, err := target.Temp(10)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Rename(temp.Name(), temp.Name()+".away"), os.WriteFile(temp.Name(), []byte("another"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := temp.Move(); err == nil {
		t.Error("Move moved another file")
	}
	temp.Remove()
	if content, err := os.ReadFile(temp.Name()); err != nil || string(content) != "another" {
		t.Errorf("the other file: %q, %v", content, err)
	}
}
