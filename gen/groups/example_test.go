package groups_test

import (
	"context"
	"fmt"
	"log"

	"github.com/globusauth/globusauth/gen/groups"
)

// The requests of the raw client have no credentials: the caller adds them, and sends them.
func Example() {
	req, err := groups.NewGetMyGroupsRequest(context.Background(), "https://groups.api.globus.org")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(req.Method, req.URL)
	// Output:
	// GET https://groups.api.globus.org/v2/groups/my_groups
}
