package identitymap_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/identitymap"
)

// exampleClient returns a client of a small service that knows two people.
func exampleClient() (client *globusauth.Client, stop func()) {
	people := []string{
		`{"id":"46bd0f56-e24f-11e5-a510-131bef46955c","username":"alice@example.edu","name":"Alice"}`,
		`{"id":"ae341a98-d274-11e5-b888-dbae3a8ba545","username":"bob@example.edu","name":"Bob"}`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var found []string
		for key := range strings.SplitSeq(r.URL.Query().Get("usernames")+r.URL.Query().Get("ids"), ",") {
			for _, p := range people {
				if strings.Contains(p, `"`+key+`"`) {
					found = append(found, p)
				}
			}
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"identities":[%s]}`, strings.Join(found, ","))
	}))
	client, err := globusauth.New(globusauth.Config{BaseURL: server.URL, Credentials: globusauth.Bearer("an-access-token")})
	if err != nil {
		log.Fatal(err)
	}
	return client, server.Close
}

func Example() {
	client, stop := exampleClient()
	defer stop()
	people, err := identitymap.New(identitymap.Config{Client: client})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	alice, err := people.Get(ctx, "Alice@example.edu")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(alice.Name, alice.ID)

	// The record is known by its ID too.
	again, err := people.Get(ctx, alice.ID)
	fmt.Println(again.Username, err)

	_, err = people.Get(ctx, "nobody@example.edu")
	fmt.Println(errors.Is(err, identitymap.ErrNoIdentity), err)
	// Output:
	// Alice 46bd0f56-e24f-11e5-a510-131bef46955c
	// alice@example.edu <nil>
	// true identitymap: "nobody@example.edu": no such identity
}

func ExampleMap_GetMany() {
	client, stop := exampleClient()
	defer stop()
	people, err := identitymap.New(identitymap.Config{Client: client})
	if err != nil {
		log.Fatal(err)
	}
	results, err := people.GetMany(context.Background(), []string{"alice@example.edu", "ae341a98-d274-11e5-b888-dbae3a8ba545", "carol@example.edu"})
	if err != nil {
		fmt.Println("some keys have no response:", err)
	}
	for _, key := range slices.Sorted(maps.Keys(results)) {
		switch r := results[key]; {
		case errors.Is(r.Err, identitymap.ErrNoIdentity):
			fmt.Println(key, "not found")
		case r.Err == nil:
			fmt.Println(key, "is", r.Identity.Name)
		}
	}
	// Output:
	// ae341a98-d274-11e5-b888-dbae3a8ba545 is Bob
	// alice@example.edu is Alice
	// carol@example.edu not found
}

func ExampleMap_All() {
	client, stop := exampleClient()
	defer stop()
	people, err := identitymap.New(identitymap.Config{Client: client})
	if err != nil {
		log.Fatal(err)
	}
	// The keys could be the lines of a file of any size.
	keys := strings.Lines("alice@example.edu\nbob@example.edu\n")
	trimmed := func(yield func(string) bool) {
		for line := range keys {
			if !yield(strings.TrimSpace(line)) {
				return
			}
		}
	}
	for key, result := range people.All(context.Background(), trimmed) {
		if result.Err != nil {
			fmt.Println(result.Err)
			continue
		}
		fmt.Println(key, result.Identity.ID)
	}
	// Output:
	// alice@example.edu 46bd0f56-e24f-11e5-a510-131bef46955c
	// bob@example.edu ae341a98-d274-11e5-b888-dbae3a8ba545
}

func ExampleMap_Add() {
	client, stop := exampleClient()
	defer stop()
	people, err := identitymap.New(identitymap.Config{Client: client})
	if err != nil {
		log.Fatal(err)
	}
	// Keys that will be wanted later travel with the first that is wanted now.
	people.Add("bob@example.edu")
	alice, err := people.Get(context.Background(), "alice@example.edu")
	fmt.Println(alice.Name, err)
	bob, err := people.Get(context.Background(), "bob@example.edu") // makes no request
	fmt.Println(bob.Name, err)
	// Output:
	// Alice <nil>
	// Bob <nil>
}

func ExampleMap_Put() {
	client, stop := exampleClient()
	defer stop()
	people, err := identitymap.New(identitymap.Config{Client: client})
	if err != nil {
		log.Fatal(err)
	}
	// A record that is known from elsewhere, such as a token's identity set.
	err = people.Put(gen.Identity{ID: "c8aad43e-d274-11e5-bf98-8b02896cf782", Username: "shrek@example.org"})
	if err != nil {
		log.Fatal(err)
	}
	who, err := people.Get(context.Background(), "shrek@example.org")
	fmt.Println(who.ID, err)
	// Output:
	// c8aad43e-d274-11e5-bf98-8b02896cf782 <nil>
}
