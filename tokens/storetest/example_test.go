package storetest_test

import (
	"flag"
	"fmt"
	"testing"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/storetest"
)

// pass runs a test as go test does, and reports whether it passes.
func pass(test func(t *testing.T)) bool {
	verbose := flag.Lookup("test.v").Value
	before := verbose.String()
	defer func() { _ = verbose.Set(before) }()
	_ = verbose.Set("false") // the names of the parts are not output of the example
	return testing.RunTests(func(_, _ string) (bool, error) { return true, nil }, []testing.InternalTest{{Name: "TestStore", F: test}})
}

// Test a store, here the one in memory.
func Example() {
	testStore := func(t *testing.T) {
		t.Helper()
		storetest.Run(t, func(*testing.T) (a, b tokens.Store) {
			memory := tokens.NewMemory()
			return memory, memory
		})
	}
	fmt.Println(pass(testStore))
	// Output: true
}
