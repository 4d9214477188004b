package authtest

import "github.com/oapi-codegen/nullable"

// set applies a member of a partial update: absent leaves the value as it is,
// null makes it the zero value.
func set[T any](value *T, member nullable.Nullable[T]) {
	if !member.IsSpecified() {
		return
	}
	var given T
	if !member.IsNull() {
		given = member.MustGet()
	}
	*value = given
}

// given returns the value of a member, or the zero value when it is absent or
// null.
func given[T any](member nullable.Nullable[T]) T {
	var value T
	set(&value, member)
	return value
}
