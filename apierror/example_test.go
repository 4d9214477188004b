package apierror_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"

	"github.com/globusauth/globusauth/apierror"
)

func refresh() error {
	header := http.Header{"Content-Type": {"application/json"}}
	return apierror.FromResponse("refresh tokens", 400, header, []byte(`{"error": "invalid_grant"}`))
}

func list() error {
	header := http.Header{"Content-Type": {"application/json"}}
	body := `{
		"code": "ConsentRequired",
		"message": "Missing required data_access consent",
		"request_id": "m8RfX3cES",
		"required_scopes": ["urn:globus:auth:scope:transfer.api.globus.org:all[*data_access]"]
	}`
	return apierror.FromResponse("list folder", 403, header, []byte(body))
}

// A class decides what a program does, the text is for people.
func Example() {
	err := refresh()
	if errors.Is(err, apierror.ErrInvalidGrant) {
		fmt.Println("the refresh token is dead")
	}
	fmt.Println(err)
	// Output:
	// the refresh token is dead
	// globusauth: refresh tokens: invalid_grant (status 400); log in again
}

// The fields say what the next login has to satisfy.
func ExampleError() {
	if e, ok := errors.AsType[*apierror.Error](list()); ok && e.Authorization != nil {
		fmt.Println(e.RequestID)
		fmt.Println(e.Authorization.SessionMessage)
		fmt.Println(e.Authorization.RequiredScopes)
	}
	// Output:
	// m8RfX3cES
	// Missing required data_access consent
	// [urn:globus:auth:scope:transfer.api.globus.org:all[*data_access]]
}

// An older form of a requirement, as some services still send it, becomes the
// canonical document.
func ExampleRequirements() {
	body := `{"authorization_parameters": {"session_required_policies": "p1,p2", "session_required_mfa": true}}`
	for _, requirement := range apierror.Requirements([]byte(body)) {
		canonical, err := json.Marshal(requirement)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(canonical))
	}
	// Output:
	// {"code":"AuthorizationRequired","authorization_parameters":{"session_required_policies":["p1","p2"],"session_required_mfa":true}}
}
