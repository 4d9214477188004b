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

// Error describes the fault in one line. Of an element it shows what is around the
// fault.
func (e *ParseError) Error() string {
	where := "parse"
	if e.Element >= 0 {
		const around = 40
		where = fmt.Sprintf("list element %d (%q)", e.Element, e.text[max(0, e.Offset-around):min(len(e.text), e.Offset+around)])
	}
	return fmt.Sprintf("scopes: %s: %v: byte %d: %s", where, e.Kind, e.Offset, e.Reason)
}

// Unwrap returns Kind, for errors.Is.
func (e *ParseError) Unwrap() error { return e.Kind }
