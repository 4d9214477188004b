package login

import (
	"context"
	"io"
	"os"
	"sync"
)

// terminal reads lines beside something else that may come first.
type terminal struct {
	in    io.Reader // nil if there is nothing to read
	lines chan string

	ctx     context.Context //nolint:containedctx // of one login
	stop    context.CancelFunc
	reading sync.WaitGroup
	left    int // lines that may be read
	release func()
}

// listenToTerminal reads nothing yet.
func (l Loopback) listenToTerminal(ctx context.Context) *terminal {
	t := &terminal{lines: make(chan string, 1), left: maxAttempts, release: func() {}}
	t.ctx, t.stop = context.WithCancel(ctx)
	if l.In != nil && l.In != os.Stdin {
		t.in = l.In
		return t
	}
	info, err := os.Stdin.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return t
	}
	if null, err := os.Stat(os.DevNull); err == nil && os.SameFile(info, null) {
		return t
	}
	t.in = os.Stdin
	// Reading a file of our own can be interrupted, so that no later line is lost.
	if tty, err := os.Open("/dev/tty"); err == nil {
		t.in, t.release = tty, func() { _ = tty.Close() }
	}
	return t
}

// read begins to read a line.
func (t *terminal) read() {
	if t.in == nil || t.left == 0 {
		return
	}
	t.left--
	t.reading.Go(func() {
		// After an error the browser remains.
		if line, err := readLine(t.ctx, t.in); err == nil {
			t.lines <- line
		}
	})
}

// close ends the reading.
func (t *terminal) close() {
	t.stop()
	t.reading.Wait()
	t.release()
}
