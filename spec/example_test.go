package spec_test

import (
	"fmt"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/globusauth/globusauth/spec"
)

// Read the description with an OpenAPI library.
func ExampleDocument() {
	doc, err := openapi3.NewLoader().LoadFromData([]byte(spec.Document()))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(doc.Info.Title, doc.Paths.Value("/v2/oauth2/userinfo").Get.OperationID)
	// Output: Globus Auth API getUserinfo
}
