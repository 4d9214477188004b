package identitymap

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrNotFound means that a key names nobody, as far as the map's credentials
// may see.
var ErrNotFound = errors.New("no such identity")

// keyError is what went wrong with one key. Its text is made when it is read:
// a failed request makes a hundred of them.
type keyError struct {
	key string
	err error
}

func (e *keyError) Error() string { return "identitymap: " + quote(e.key) + ": " + e.err.Error() }
func (e *keyError) Unwrap() error { return e.err }

// reasonError is ErrNotFound for a key that cannot name anybody.
type reasonError struct{ reason string }

func (e *reasonError) Error() string { return ErrNotFound.Error() + ": " + e.reason }
func (e *reasonError) Unwrap() error { return ErrNotFound }

// lossError is what GetMany returns when requests failed.
type lossError struct {
	keys   []string
	asked  int
	causes []error // one of each failed request
}

func (e *lossError) Error() string {
	const shown = 3
	var b strings.Builder
	fmt.Fprintf(&b, "identitymap: no answer for %d of %d keys (", len(e.keys), e.asked)
	for i, key := range e.keys[:min(shown, len(e.keys))] {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quote(key))
	}
	if more := len(e.keys) - shown; more > 0 {
		fmt.Fprintf(&b, " and %d more", more)
	}
	fmt.Fprintf(&b, "): %v", e.causes[0])
	if more := len(e.causes) - 1; more > 0 {
		fmt.Fprintf(&b, " (and %d more failed requests)", more)
	}
	return b.String()
}

func (e *lossError) Unwrap() []error { return e.causes }

// add notes a key without an answer.
func (e *lossError) add(key string, err error) {
	e.keys = append(e.keys, key)
	if failed, ok := errors.AsType[*keyError](err); ok {
		err = failed.err
	}
	// The keys of one request come one after the other and carry one error.
	for i := len(e.causes) - 1; i >= max(0, len(e.causes)-64); i-- {
		if e.causes[i] == err { //nolint:errorlint // the same value, not the same class
			return
		}
	}
	e.causes = append(e.causes, err)
}

// quote quotes a key for a text, cut to what a person can read.
func quote(key string) string {
	const most = 80
	if len(key) > most {
		key = key[:most] + "..."
	}
	return strconv.Quote(key)
}
