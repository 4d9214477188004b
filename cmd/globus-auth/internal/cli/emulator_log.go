package cli

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// requestLog writes the requests of the emulator for people: one short line each.
type requestLog struct {
	*runner

	mu sync.Mutex
}

// Enabled reports whether a level is written: all are.
func (*requestLog) Enabled(context.Context, slog.Level) bool { return true }

// Handle writes a record.
func (l *requestLog) Handle(_ context.Context, record slog.Record) error {
	values := map[string]slog.Value{}
	record.Attrs(func(attr slog.Attr) bool {
		values[attr.Key] = attr.Value
		return true
	})
	status, result := values["status"].String(), values["outcome"].String()
	if code, _ := values["status"].Any().(int64); code == 0 || code >= 400 {
		status = l.paint(l.Err, "31", status)
	}
	if grant := values["grant"].String(); grant != "" {
		result = grant + " " + result
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err := fmt.Fprintf(l.Err, "%s  %s  %s %s  %s\n", record.Time.Format(time.TimeOnly), status,
		cell(values["method"].String()), cell(values["path"].String()), printable(result, ""))
	return err
}

// WithAttrs returns the same handler: the emulator does not use it.
func (l *requestLog) WithAttrs([]slog.Attr) slog.Handler { return l }

// WithGroup returns the same handler: the emulator does not use it.
func (l *requestLog) WithGroup(string) slog.Handler { return l }
