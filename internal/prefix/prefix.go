// Package prefix says, once, which exported function an error comes from.
package prefix

import (
	"slices"
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

func (e *Error) Error() string { return e.prefix + ": " + Trim(e.cause) }

// Unwrap returns the error without the text.
func (e *Error) Unwrap() error { return e.cause }

// Trim returns the text of an error without the name of a package of this module at its start.
func Trim(err error) string {
	text := err.Error()
	name, rest, found := strings.Cut(text, ": ")
	if !found {
		return text
	}
	switch name {
	case "globusauth", "app", "consents", "flows", "identitymap", "idtoken", "login", "resourceserver", "scopes", "tokens":
		return rest
	}
	return text
}

// Join makes one error of those that are not nil, on one line; nil if all are.
func Join(list ...error) error {
	list = slices.DeleteFunc(slices.Clone(list), func(err error) bool { return err == nil })
	if len(list) == 0 {
		return nil
	}
	return &joined{list}
}

type joined struct{ list []error }

func (j *joined) Error() string {
	texts := make([]string, len(j.list))
	for i, err := range j.list {
		texts[i] = Trim(err)
	}
	return strings.Join(texts, "; ")
}

// Unwrap returns the errors.
func (j *joined) Unwrap() []error { return j.list }
