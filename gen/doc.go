// Package gen holds what is generated from the description of the API in spec:
// the documents of Globus Auth as Go types, and a raw client that builds requests
// and hands responses back as they came.
//
// Programs use its types with the methods of globusauth.Client, which add
// credentials, limits, repeats and errors. A member that is absent or null in an
// answer is the zero value. In a body, what has its zero value is left out; where
// an update tells absent from null, the field is a nullable.Nullable.
//
// Types with secrets print, log and encode (JSON, XML) without them, also within
// other values; their fields, and the body of a response, have them. Keep such a
// value out of unexported fields of what is printed: package fmt cannot call its
// methods there.
package gen
