// Package gen holds what is generated from the description of the API in spec:
// the documents of Globus Auth as Go types, and a raw client that builds requests
// and hands responses back as they came.
//
// Programs use its types with the methods of globusauth.Client, which add
// credentials, limits, repeats and errors. A member that is absent or null in an
// answer is the zero value. In a body, what has its zero value is left out; where
// an update tells absent from null, the field is a nullable.Nullable.
//
// Types with secrets print and log without them. Those of answers encode as JSON
// and XML in full, since JSON is what they are on the wire.
package gen
