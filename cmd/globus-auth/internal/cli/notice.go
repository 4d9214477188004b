package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// notices prints the warnings of the library, one sentence per record. Of retries, of
// which a lookup of many keys may have thousands, it prints one a second.
type notices struct {
	out   io.Writer
	text  func(error) string // of an error
	clear func()             // makes room where a bar is

	mu      sync.Mutex
	retried time.Time
}

var _ slog.Handler = (*notices)(nil)

// Enabled reports whether a level is printed.
func (n *notices) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// Handle prints a record.
func (n *notices) Handle(_ context.Context, record slog.Record) error {
	values := map[string]slog.Value{}
	var all []string
	record.Attrs(func(attr slog.Attr) bool {
		values[attr.Key] = attr.Value
		text := attr.Value.String()
		if err, ok := attr.Value.Any().(error); ok {
			text = n.text(err)
		}
		all = append(all, attr.Key+": "+cell(text))
		return true
	})
	n.mu.Lock()
	defer n.mu.Unlock()
	delay, retry := values["delay"]
	if !retry {
		n.clear()
		_, message, _ := strings.Cut(record.Message, ": ")
		_, err := fmt.Fprintf(n.out, "globus-auth: warning: %s\n", strings.Join(append([]string{message}, all...), "; "))
		return err
	}
	if record.Time.Sub(n.retried) < time.Second {
		return nil
	}
	n.retried = record.Time
	n.clear()
	reason := "the connection failed"
	if status := values["status"].String(); status != "0" {
		reason = "status " + status
	} else if err, ok := values["error"].Any().(error); ok {
		reason = cell(n.text(err))
	}
	_, err := fmt.Fprintf(n.out, "globus-auth: %s: retrying in %s (retry %s)\n", reason, delay.Duration().Round(100*time.Millisecond), values["retry"])
	return err
}

// WithAttrs and WithGroup are not used by the library.
func (n *notices) WithAttrs([]slog.Attr) slog.Handler { return n }

// WithGroup returns the same handler.
func (n *notices) WithGroup(string) slog.Handler { return n }
