package login

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// maxLine is the longest line that is read, in bytes: an address with a code of
// the greatest length has room.
const maxLine = 16 << 10

// readLine reads one line, and nothing after it, for as long as ctx allows.
func readLine(ctx context.Context, in io.Reader) (string, error) {
	if ctx.Err() != nil {
		return "", ended(ctx, "the code")
	}
	type result struct {
		line string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		line, err := scanLine(in)
		done <- result{line, err}
	}()
	select {
	case r := <-done:
		return r.line, r.err
	case <-ctx.Done():
	}
	if interruptible, ok := in.(interface {
		SetReadDeadline(deadline time.Time) error
	}); ok {
		if interruptible.SetReadDeadline(time.Unix(1, 0)) == nil {
			<-done
			_ = interruptible.SetReadDeadline(time.Time{})
		}
	}
	return "", ended(ctx, "the code")
}

// scanLine reads byte by byte, since what follows the line belongs to the program.
func scanLine(in io.Reader) (string, error) {
	var line strings.Builder
	one := make([]byte, 1)
	for empty := 0; empty < 100; {
		n, err := in.Read(one)
		switch {
		case n == 0 && err == nil:
			empty++ // allowed by io.Reader, but not for ever
			continue
		case n > 0 && one[0] == '\n':
			return line.String(), nil
		case n > 0:
			line.WriteByte(one[0])
		}
		empty = 0
		switch {
		case line.Len() > maxLine:
			return "", fmt.Errorf("login: read the code: the line is longer than %d bytes", maxLine)
		case errors.Is(err, io.EOF) && strings.TrimSpace(line.String()) != "":
			return line.String(), nil
		case errors.Is(err, io.EOF):
			return "", fmt.Errorf("login: read the code: %w", ErrNoInput)
		case err != nil:
			return "", fmt.Errorf("login: read the code: %w", err)
		}
	}
	return "", fmt.Errorf("login: read the code: %w", io.ErrNoProgress)
}
