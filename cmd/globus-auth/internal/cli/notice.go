package cli

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// notices prints the warnings of the library, one line per record. Of retries, of
// which a lookup of many keys may have thousands, it prints one a second.
type notices struct {
	*runner

	mu      sync.Mutex
	retried time.Time
}

// Enabled reports whether a level is printed.
func (n *notices) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// Handle prints a record.
func (n *notices) Handle(_ context.Context, record slog.Record) error {
	_, message, _ := strings.Cut(record.Message, ": ")
	values := map[string]slog.Value{}
	record.Attrs(func(attr slog.Attr) bool {
		values[attr.Key] = attr.Value
		if err, ok := attr.Value.Any().(error); ok {
			values[attr.Key] = slog.StringValue(n.text(err))
		}
		message += "; " + attr.Key + ": " + cell(values[attr.Key].String())
		return true
	})
	delay, retry := values["delay"]
	if !retry {
		n.tell("warning: %s", message)
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if record.Time.Sub(n.retried) < time.Second {
		return nil
	}
	n.retried = record.Time
	reason := cell(values["error"].String())
	if status := values["status"].String(); status != "0" {
		reason = "status " + status
	}
	n.tell("%s: retrying in %s (retry %s)", reason, delay.Duration().Round(100*time.Millisecond), values["retry"])
	return nil
}

// WithAttrs returns the same handler: the library does not use it.
func (n *notices) WithAttrs([]slog.Attr) slog.Handler { return n }

// WithGroup returns the same handler: the library does not use it.
func (n *notices) WithGroup(string) slog.Handler { return n }
