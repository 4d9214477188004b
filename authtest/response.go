package authtest

import (
	"net/http"
	"slices"
	"time"

	"github.com/oapi-codegen/nullable"

	"github.com/globusauth/globusauth/internal/pages"
	"github.com/globusauth/globusauth/internal/server"
	"github.com/globusauth/globusauth/unixtime"
)

// errorPage is a page about an error.
func errorPage(status int, code, detail string) server.Response {
	return pages.Error(status, code, detail).Write
}

// redirect is a redirect of a browser.
func redirect(location string, cookies ...*http.Cookie) server.Response {
	return redirectWith(http.StatusFound, location, cookies...)
}

// seeOther is a redirect after a form, to GET.
func seeOther(location string, cookies ...*http.Cookie) server.Response {
	return redirectWith(http.StatusSeeOther, location, cookies...)
}

func redirectWith(status int, location string, cookies ...*http.Cookie) server.Response {
	return func(w http.ResponseWriter) error {
		for _, cookie := range cookies {
			http.SetCookie(w, cookie)
		}
		w.Header().Set("Location", location)
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		return nil
	}
}

// orNull returns a field that is null for the zero value.
func orNull[T comparable](value T) nullable.Nullable[T] {
	if value == *new(T) {
		return nullable.NewNullNullable[T]()
	}
	return nullable.NewNullableWithValue(value)
}

// orAbsent returns a field that is left out for the zero value.
func orAbsent[T comparable](value T) nullable.Nullable[T] {
	if value == *new(T) {
		return nil
	}
	return nullable.NewNullableWithValue(value)
}

// listOrNull returns a field that is null for nil, and has a copy of any other list.
func listOrNull(list []string) nullable.Nullable[[]string] {
	if list == nil {
		return nullable.NewNullNullable[[]string]()
	}
	return nullable.NewNullableWithValue(slices.Clone(list))
}

// unixSeconds writes a time in whole seconds.
func unixSeconds(t time.Time) unixtime.Time { return unixtime.Time{Time: t.Truncate(time.Second)} }

// orEmpty returns an empty list for nil, and a copy of any other.
func orEmpty(list []string) []string { return append([]string{}, list...) }
