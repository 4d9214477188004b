// Package storetest checks that a [tokens.Store] keeps what its contract
// promises. The stores of this module run it, and so can yours:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) tokens.Store { return mystore.New(t.TempDir()) })
//	}
//
// [Run] tests one store, [RunShared] two stores that share their tokens, as two processes do.
package storetest
