// Package storetest checks that a [tokens.Store] keeps what its contract
// promises. The stores of this module call [Run], and so can yours:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) (a, b tokens.Store) {
//			dir := t.TempDir()
//			return mystore.New(dir), mystore.New(dir)
//		})
//	}
package storetest
