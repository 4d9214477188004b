package tokens_test

import (
	"testing"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/storetest"
)

func TestMemory_IsAStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) (a, b tokens.Store) {
		memory := tokens.NewMemory()
		return memory, memory
	})
}
