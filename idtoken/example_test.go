package idtoken_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/globusauth/globusauth/idtoken"
)

// A program keeps one verifier for each of its clients and hands it every ID token
// that a login brings. Here the keys are pinned; with JWKS left out they are
// fetched from the issuer.
func Example() {
	keys, raw := exampleKeysAndToken()
	verifier, err := idtoken.New(idtoken.Config{
		ClientID: "00000000-0000-0000-0000-0000000000aa",
		Now:      func() time.Time { return time.Unix(1_800_000_060, 0) },
		Options:  idtoken.Options{JWKS: keys},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	claims, err := verifier.Verify(context.Background(), raw, idtoken.Expect{Nonce: "the login's nonce"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(claims.PreferredUsername)
	for _, identity := range claims.IdentitySet {
		fmt.Println("linked:", identity.Username)
	}

	_, err = verifier.Verify(context.Background(), raw, idtoken.Expect{Nonce: "another nonce"})
	fmt.Println(errors.Is(err, idtoken.ErrNonce))
	fmt.Println(err)
	// Output:
	// alice@example.edu
	// linked: alice@example.edu
	// linked: alice@globusid.org
	// linked: alice@lab.example.org
	// true
	// idtoken: verify: nonce: the token carries another nonce; it does not belong to this login
}

// Claims that have no field of their own are decoded into whatever type suits.
func ExampleClaims_Decode() {
	keys, raw := exampleKeysAndToken()
	verifier, err := idtoken.New(idtoken.Config{
		ClientID: "00000000-0000-0000-0000-0000000000aa",
		Now:      func() time.Time { return time.Unix(1_800_000_060, 0) },
		Options:  idtoken.Options{JWKS: keys},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	claims, err := verifier.Verify(context.Background(), raw, idtoken.Expect{NoNonce: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	var more struct {
		Locale string `json:"locale"`
	}
	if err := claims.Decode(&more); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(more.Locale)
	// Output: en-GB
}
