package scopes

import (
	"errors"
	"fmt"
)

var (
	// ErrEmpty says that a list that is to be requested holds no scope.
	ErrEmpty = errors.New("scopes: the list is empty; name at least one scope")
	// ErrSyntax says that text is not a scope string.
	ErrSyntax = errors.New("not a scope string")
	// ErrCycle says that a scope depends on itself, directly or through others.
	ErrCycle = errors.New("a scope depends on itself")
	// ErrTooLarge says that a scope string exceeds a limit of this package.
	ErrTooLarge = errors.New("scope string too large")
)

// ParseError says what is wrong with a scope string, and where.
type ParseError struct {
	// Kind is ErrSyntax, ErrCycle or ErrTooLarge.
	Kind error
	// Element is the index in the list, or -1 for a text given to Parse.
	Element int
	// Offset is the position in bytes in the text or element, from 0.
	Offset int
	// Reason says what was found there and what to do.
	Reason string

	text string
}

// Error describes the fault in one line. Of a long element it shows what is
// around the fault.
func (e *ParseError) Error() string {
	if e.Element < 0 {
		return fmt.Sprintf("scopes: parse: %v: byte %d: %s", e.Kind, e.Offset, e.Reason)
	}
	return fmt.Sprintf("scopes: list element %d (%q): %v: byte %d: %s",
		e.Element, excerpt(e.text, e.Offset), e.Kind, e.Offset, e.Reason)
}

// Unwrap returns Kind, for errors.Is.
func (e *ParseError) Unwrap() error { return e.Kind }

// shorten keeps hostile input from filling a log.
func shorten(text string) string {
	const most = 80
	if len(text) <= most {
		return text
	}
	return text[:most] + "..."
}

// excerpt returns what is around a byte of a text.
func excerpt(text string, at int) string {
	const around = 40
	from, to := max(0, at-around), min(len(text), at+around)
	cut := text[from:to]
	if from > 0 {
		cut = "..." + cut
	}
	if to < len(text) {
		cut += "..."
	}
	return cut
}
