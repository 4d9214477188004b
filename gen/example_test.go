package gen_test

import (
	"encoding/json"
	"fmt"
	"log"

	"github.com/oapi-codegen/nullable"

	"github.com/globusauth/globusauth/gen"
)

// An update says absent, null, empty and value apart.
func Example() {
	for _, update := range []gen.PolicyUpdate{
		{},
		{DomainConstraintsInclude: nullable.NewNullNullable[[]string]()},
		{DomainConstraintsInclude: nullable.NewNullableWithValue([]string{})},
		{DomainConstraintsInclude: nullable.NewNullableWithValue([]string{"example.edu"})},
	} {
		text, err := json.Marshal(update)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(text))
	}
	// Output:
	// {}
	// {"domain_constraints_include":null}
	// {"domain_constraints_include":[]}
	// {"domain_constraints_include":["example.edu"]}
}
