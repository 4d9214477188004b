package scopes_test

import (
	"errors"
	"fmt"
	"strings"

	"github.com/globusauth/globusauth/scopes"
)

// A login that may move files, also from a collection that wants its own consent.
func Example() {
	collection := "1f3b9b60-6a55-4c0a-8b3f-0d5a3a1e8f52"
	want := scopes.List{
		scopes.AuthOpenID,
		scopes.TransferAll.With(scopes.CollectionDataAccess(collection).Optional()),
	}
	if err := want.Validate(); err != nil {
		fmt.Println(err)
		return
	}
	for _, scope := range want {
		server, _ := scope.ResourceServer()
		fmt.Println(server, "gives a token for", scope)
	}
	// Output:
	// auth.globus.org gives a token for openid
	// transfer.api.globus.org gives a token for urn:globus:auth:scope:transfer.api.globus.org:all[*https://auth.globus.org/scopes/1f3b9b60-6a55-4c0a-8b3f-0d5a3a1e8f52/data_access]
}

func ExampleParse() {
	graph, err := scopes.Parse("transfer[*data] openid  transfer[groups]")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, scope := range graph.Roots() {
		fmt.Println(scope.Name())
		for _, dependency := range scope.Dependencies() {
			fmt.Println("  needs", dependency.Name(), "optional:", dependency.Optional())
		}
	}
	fmt.Println(graph)
	// Output:
	// transfer
	//   needs data optional: true
	//   needs groups optional: false
	// openid
	// openid transfer[*data groups]
}

func ExampleParseError() {
	text := "openid transfer [data]"
	_, err := scopes.Parse(text)
	if problem, ok := errors.AsType[*scopes.ParseError](err); ok {
		fmt.Println(text)
		fmt.Println(strings.Repeat(" ", problem.Offset) + "^ " + problem.Reason)
	}
	// Output:
	// openid transfer [data]
	//                 ^ '[' where a scope must begin, as in "a b[c *d]"
}

func ExampleMerge() {
	mine := scopes.List{"openid", "transfer[*data]"}
	theirs := scopes.List{"transfer[data groups]"}
	merged, err := scopes.Merge(mine, theirs)
	fmt.Println(merged, err)
	// Output: openid transfer[data groups] <nil>
}
