package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/globusauth/globusauth/cmd/globus-auth/internal/secretfile"
)

const (
	maxInput  = 1 << 20 // bytes of what users write
	maxSecret = 4 << 10
)

// readerFunc is a function as a reader.
type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(into []byte) (int, error) { return f(into) }

// stdin is standard input until ctx ends. A read of a terminal or a pipe cannot be interrupted: its goroutine
// then runs until the process ends.
func (r *runner) stdin(ctx context.Context) io.Reader {
	return readerFunc(func(into []byte) (int, error) {
		text := make([]byte, len(into))
		read := make(chan int, 1)
		var err error
		go func() {
			var n int
			n, err = r.In.Read(text)
			read <- n
		}()
		select {
		case n := <-read:
			return copy(into, text[:n]), err
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	})
}

// readLimited reads at most so many bytes.
func readLimited(in io.Reader, limit int) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(in, int64(limit)+1))
	if err == nil && len(text) > limit {
		err = fmt.Errorf("longer than %d MiB", limit>>20)
	}
	return text, err
}

// readInput reads the file of a flag, or standard input for "-".
func (r *runner) readInput(ctx context.Context, flag, path string, limit int) ([]byte, error) {
	in := r.stdin(ctx)
	if path != "-" {
		file, err := openRegular(flag, path)
		if err != nil {
			return nil, err
		}
		defer func() { _ = file.Close() }()
		in = file
	}
	text, err := readLimited(in, limit)
	if err != nil && ctx.Err() == nil {
		err = &problem{words: flag, err: err}
	}
	return text, err
}

// openRegular opens a file of a flag. Opening a FIFO could wait, and a device may never end.
func openRegular(flag, path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, &problem{words: flag, err: err}
	}
	if !info.Mode().IsRegular() {
		return nil, usagef("%s: %s is not a regular file", flag, path)
	}
	return os.Open(path)
}

// readSecret reads the file of a flag or variable, which others cannot read, or a pipe.
func readSecret(flag, path string) (string, error) {
	text, err := secretfile.Read(path, 16*maxSecret)
	if err != nil {
		return "", &problem{words: flag, err: err}
	}
	return strings.TrimSpace(string(text)), nil
}

// readSecretFlag is readSecret, or reads standard input for "-".
func (r *runner) readSecretFlag(ctx context.Context, flag, path string) (string, error) {
	if path != "-" {
		return readSecret("--"+flag, path)
	}
	text, err := r.readInput(ctx, "--"+flag, path, maxInput)
	return strings.TrimSpace(string(text)), err
}
