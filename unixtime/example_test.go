package unixtime_test

import (
	"encoding/json"
	"fmt"
	"log"

	"github.com/globusauth/globusauth/unixtime"
)

func Example() {
	var answer struct {
		Expiry    unixtime.Time `json:"exp,omitzero"`
		IssuedAt  unixtime.Time `json:"iat,omitzero"`
		NotBefore unixtime.Time `json:"nbf,omitzero"`
	}
	if err := json.Unmarshal([]byte(`{"exp": 1795629600, "iat": 1795456800.25, "nbf": null}`), &answer); err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.Expiry)
	fmt.Println(answer.IssuedAt)
	fmt.Println(answer.NotBefore.IsZero())

	again, err := json.Marshal(answer)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(again))
	// Output:
	// 2026-11-25 18:00:00 +0000 UTC
	// 2026-11-23 18:00:00.25 +0000 UTC
	// true
	// {"exp":1795629600,"iat":1795456800.25}
}
