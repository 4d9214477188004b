package unixtime_test

import (
	"encoding/json"
	"fmt"
	"log"

	"github.com/globusauth/globusauth/unixtime"
)

func Example() {
	var response struct {
		Expiry    unixtime.Time `json:"exp,omitzero"`
		IssuedAt  unixtime.Time `json:"iat,omitzero"`
		NotBefore unixtime.Time `json:"nbf,omitzero"`
	}
	if err := json.Unmarshal([]byte(`{"exp": 1795629600, "iat": 1795456800.25, "nbf": null}`), &response); err != nil {
		log.Fatal(err)
	}
	fmt.Println(response.Expiry)
	fmt.Println(response.IssuedAt)
	fmt.Println(response.NotBefore.IsZero())

	again, err := json.Marshal(response)
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
