package sealed_test

import (
	"context"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/sealed"
)

// Seal what a store keeps.
func Example() {
	// A program reads its keyset from a file, or has it decrypted by a key management
	// service: see package keyset of Tink.
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		fmt.Println(err)
		return
	}
	key, err := aead.New(handle)
	if err != nil {
		fmt.Println(err)
		return
	}
	store, err := sealed.New(sealed.Config{Store: tokens.NewMemory(), AEAD: key}) // or a store in a database
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, login := context.Background(), tokens.Key{ClientID: "7fb58e00-839d-44e3-8047-10a502612dca"}
	_, err = store.Update(ctx, login, func(tokens.Set) (tokens.Set, error) {
		return tokens.NewSet(tokens.Token{AccessToken: "secret", ResourceServer: "groups.api.globus.org"})
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	set, err := store.Load(ctx, login)
	fmt.Println(set, err)
	// Output:
	// {token for "groups.api.globus.org"} <nil>
}
