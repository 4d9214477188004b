//go:build unix

package files_test

import (
	"os/exec"
	"syscall"
	"testing"
)

func mkfifo(name string) error { return syscall.Mkfifo(name, 0o600) }

// dead returns the ID of a process that has ended.
func dead(t *testing.T) int {
	t.Helper()
	command := exec.CommandContext(t.Context(), "true")
	if err := command.Run(); err != nil {
		t.Fatal(err)
	}
	return command.Process.Pid
}
