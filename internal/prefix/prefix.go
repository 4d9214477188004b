// Package prefix says, once, which exported function an error comes from.
package prefix

import (
	"cmp"
	"strings"
)

// Error is an error with the name of a package and what it was called for before it.
type Error struct {
	prefix string
	cause  error
}

// Add puts a text such as "flows: refresh token" before an error that is not nil, in place of the
// name of the package that the error comes from. An exported function defers it.
func Add(err *error, prefix string) {
	if *err != nil {
		*err = &Error{prefix, *err}
	}
}

// Error is one line, also of errors that are joined.
func (e *Error) Error() string {
	lines := strings.Split(e.cause.Error(), "\n")
	for i, line := range lines {
		lines[i] = trim(line)
	}
	return e.prefix + ": " + strings.Join(lines, "; ")
}

// Unwrap returns the error without the text.
func (e *Error) Unwrap() error { return e.cause }

// Trim returns the text of an error without the name of a package of this module at its start.
func Trim(err error) string { return trim(err.Error()) }

func trim(text string) string {
	name, rest, _ := strings.Cut(text, ": ")
	switch name {
	case "globusauth", "app", "consents", "flows", "identitymap", "idtoken", "login", "resourceserver", "scopes", "tokens":
		return cmp.Or(rest, text)
	}
	return text
}
