package authtest

import "github.com/oapi-codegen/nullable"

// set applies a field of a partial update: absent leaves the value as it is,
// null makes it the zero value.
func set[T any](value *T, field nullable.Nullable[T]) {
	if !field.IsSpecified() {
		return
	}
	var given T
	if !field.IsNull() {
		given = field.MustGet()
	}
	*value = given
}

// given returns the value of a field, or the zero value when it is absent or
// null.
func given[T any](field nullable.Nullable[T]) T {
	var value T
	set(&value, field)
	return value
}
