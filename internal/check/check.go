// Package check is the one error type of the checks that refuse a login, a response or a
// token.
package check

import "fmt"

// Error is a check that failed. Compare it with errors.Is. It is comparable, and only the
// packages of this module make values other than the zero one.
type Error struct{ name string }

// New returns the check with a name.
func New(name string) Error { return Error{name} }

// Error returns the name of the check.
func (e Error) Error() string { return e.name }

// Failed makes the error of a check that failed, with the reason.
func (e Error) Failed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", e, fmt.Sprintf(format, args...))
}
