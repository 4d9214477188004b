//go:build unix

package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What is not a regular file may never end, or never begin.
func TestSeed_OnlyRegularFilesAndStandardInput(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	fifo := filepath.Join(folder, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	r := &runner{Streams: Streams{In: strings.NewReader("users: [{username: dora@example.edu}]")}}
	for _, path := range []string{fifo, "/dev/zero", folder} {
		if _, err := r.readSeed(t.Context(), path); err == nil || !strings.Contains(err.Error(), "is not a regular file") {
			t.Errorf("%s: %v", path, err)
		}
		if _, err := readState(path); err == nil || !strings.Contains(err.Error(), "is not a regular file") {
			t.Errorf("--save %s: %v", path, err)
		}
	}
	if world, err := r.readSeed(t.Context(), "-"); err != nil || len(world.Users) != 1 {
		t.Errorf("standard input: %v, %v", world, err)
	}
	r.In = endless{}
	if _, err := r.readSeed(t.Context(), "-"); err == nil || !strings.Contains(err.Error(), "longer than 64 MiB") {
		t.Errorf("endless standard input: %v", err)
	}
}

// Opening a FIFO waits for its writer, and no signal ends that.
func TestReadSecret_FIFO(t *testing.T) {
	t.Parallel()
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if secret, err := readSecret("--client-secret-file", fifo); err != nil || secret != "" {
		t.Errorf("got %q and %v from a FIFO without a writer", secret, err)
	}
	// As a shell passes <(pass show secret).
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	_, _ = writer.WriteString("a-secret\n")
	_ = writer.Close()
	if got, err := readSecret("--client-secret-file", fmt.Sprintf("/dev/fd/%d", reader.Fd())); err != nil || got != "a-secret" {
		t.Errorf("got %q and %v from a pipe", got, err)
	}
}

func TestSeed_InterruptedWhileStandardInputIsSilent(t *testing.T) {
	t.Parallel()
	in, end := io.Pipe()
	defer func() { _ = end.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := &runner{Streams: Streams{In: in}}
	if _, err := r.readSeed(ctx, "-"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want an error that ends the command", err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return copy(p, bytes.Repeat([]byte("#"), len(p))), nil }
