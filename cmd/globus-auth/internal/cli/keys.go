package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
)

// maxLine is more than any key has. The rest of a longer line is passed over:
// the map says what is wrong with such a key.
const maxLine = 8 << 10

// keys are the arguments, or else the lines of standard input.
type keys struct {
	args  []string
	in    io.Reader
	ended bool  // all were read
	err   error // what kept the rest from being read
}

// all yields the keys. It ends when ctx does, although nothing may have come:
// reading a terminal or a pipe cannot be interrupted, so the goroutine that
// does it is left to the end of the process then.
func (k *keys) all(ctx context.Context) iter.Seq[string] {
	return func(yield func(string) bool) {
		if len(k.args) > 0 {
			for _, key := range k.args {
				if !yield(key) {
					return
				}
			}
			k.ended = true
			return
		}
		lines, stop := make(chan string, 1000), make(chan struct{})
		defer close(stop)
		failed := make(chan error, 1)
		go func() {
			defer close(lines)
			failed <- readLines(k.in, func(line string) bool {
				select {
				case lines <- line:
					return true
				case <-stop:
					return false
				}
			})
		}()
		for {
			select {
			case line, ok := <-lines:
				if !ok {
					k.err = <-failed
					k.ended = k.err == nil
					return
				}
				if !yield(line) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}

// readLines calls yield with every line that is not blank, less the blanks
// around it.
func readLines(in io.Reader, yield func(string) bool) error {
	reader := bufio.NewReaderSize(in, maxLine)
	for first := true; ; first = false {
		line, more, err := reader.ReadLine()
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if first {
			line = bytes.TrimPrefix(line, []byte("\ufeff")) // what some editors begin a file with
		}
		if line = bytes.TrimSpace(line); len(line) > 0 && !yield(string(line)) {
			return nil
		}
		for more && err == nil {
			_, more, err = reader.ReadLine()
		}
	}
}
