package login

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// maxLine is the longest line that is read, in bytes: an address with a code of
// the greatest length has room.
const maxLine = 16 << 10

// readLine reads one line, and nothing after it, for as long as ctx allows.
func readLine(ctx context.Context, in io.Reader) (string, error) {
	if ctx.Err() != nil {
		return "", waited(ctx)
	}
	var line string
	var err error
	done := make(chan struct{})
	go func() {
		line, err = scanLine(in)
		close(done)
	}()
	select {
	case <-done:
		if err != nil {
			return "", fmt.Errorf("login: read the code: %w", err)
		}
		return line, nil
	case <-ctx.Done():
	}
	if file, ok := in.(interface{ SetReadDeadline(time.Time) error }); ok && file.SetReadDeadline(time.Unix(1, 0)) == nil {
		<-done
		_ = file.SetReadDeadline(time.Time{})
	}
	return "", waited(ctx)
}

// scanLine reads byte by byte, since what follows the line belongs to the program.
func scanLine(in io.Reader) (string, error) {
	var line strings.Builder
	for one := make([]byte, 1); line.Len() <= maxLine; line.WriteByte(one[0]) {
		_, err := io.ReadFull(in, one)
		end := errors.Is(err, io.EOF)
		switch {
		case end && strings.TrimSpace(line.String()) == "":
			return "", ErrNoInput
		case end || (err == nil && one[0] == '\n'):
			return line.String(), nil
		case err != nil:
			return "", err
		}
	}
	return "", fmt.Errorf("the line is longer than %d bytes", maxLine)
}

// terminal returns the terminal and how to close it, nil if standard input is not a
// terminal.
func terminal() (in io.Reader, release func()) {
	release = func() {}
	info, err := os.Stdin.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil, release
	}
	if null, err := os.Stat(os.DevNull); err == nil && os.SameFile(info, null) {
		return nil, release
	}
	// Reading a file of our own can be interrupted, so that no later line is lost.
	if tty, err := os.Open("/dev/tty"); err == nil {
		return tty, func() { _ = tty.Close() }
	}
	return os.Stdin, release
}
