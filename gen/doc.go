// Package gen is generated from the OpenAPI document in spec: the documents of Globus
// Auth as Go types, and a raw client that builds requests and returns responses
// undecoded.
//
// Programs use its types with the methods of globusauth.Client, which add
// credentials, limits, retries and errors. A field that is absent or null in a
// response has its zero value. Fields with zero values are left out of bodies; where an
// update distinguishes absent and null, the field is a nullable.Nullable.
//
// Types with secrets print, log and encode (JSON, XML) without them, also within
// other values; their fields, and the body of a response, have them. Do not
// print them within unexported fields: package fmt cannot call their methods there.
package gen
