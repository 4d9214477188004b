// Package scopes builds, parses, merges and prints Globus Auth scope strings,
// and holds the well-known scopes of the Globus services.
//
// # Building
//
// A [Scope] is the text of one scope as a request carries it. The well-known
// ones are constants, those that name a collection, an endpoint or a flow are
// functions, and [Scope.With] and [Scope.Optional] put them together:
//
//	want := scopes.List{
//		scopes.AuthOpenID,
//		scopes.TransferAll.With(scopes.CollectionDataAccess(id).Optional()),
//	}
//	if err := want.Validate(); err != nil { ... }
//	text := want.String() // for the scope parameter of a request
//
// Building needs no error in every expression: what cannot be one scope is put
// in quotes, and [List.Validate] checks everything at once and says where the
// fault is. The flows call it before a login starts.
//
// # The grammar
//
//	scopes := scope (space+ scope)*
//	scope  := "*"? name ("[" scopes "]")?
//
// A leading * marks a dependency as optional; Globus also calls it atomically
// revocable. Spaces are free inside brackets and at both ends, but not allowed
// after * or before [. A name consists of the characters RFC 6749
// section 3.3 allows in a scope (printable ASCII without " and \), less the
// four of the grammar.
//
// # Parsing and meaning
//
// [Parse] turns text into a [Graph]. All occurrences of one name are one scope:
// its dependencies are the union of those at every occurrence, and a
// dependency that is required anywhere is required. At the top level foo and
// *foo are different and both stay. A scope that depends on itself, directly or
// through others, is an error.
//
// The official Python SDK accepts two things that are errors here: an optional
// mark in the middle of a word (it reads foo*bar as foo and *bar), and tabs,
// newlines and other characters outside RFC 6749, which become part of the
// name. Both are typos, which the service would otherwise report as an
// unknown scope.
//
// # Limits
//
// Parsing takes the time of sorting the names. Dependencies may be nested, and may follow one
// another after merging, 64 levels deep, the scope at the top included. Text may
// be 1 MiB long, as read and as written out in full: shared dependencies are
// written again at every place, so a short text could otherwise stand for one of
// astronomical length. What exceeds a limit is an error that matches
// [ErrTooLarge].
//
// # Scopes in the developer API
//
// The API that manages scopes names dependencies by scope ID, with its own
// type generated from the specification; see gen.DependentScope. Scope strings
// do not occur there.
//
// All values of this package are immutable and safe for concurrent use.
package scopes
