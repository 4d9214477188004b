package apierror_test

import (
	"encoding/json"
	"testing"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/internal/bench"
)

const typical = `{"errors":[{"status":"401","id":"cb6a08f8-f4d9-11ed-b5e5-63dc47a3c896","code":"UNAUTHORIZED",` +
	`"detail":"Call must be authenticated","title":"Unauthorized"}],"error_description":"Unauthorized","error":"unauthorized"}`

// BenchmarkFromResponse decodes a typical error response, compared with encoding/json decoding it into a struct that fits
// it (floor).
func BenchmarkFromResponse(b *testing.B) {
	header, body := jsonHeader(), []byte(typical)
	floor := func() {
		var document struct {
			Errors []struct {
				ID, Code, Detail, Title string
			}
			Error            string
			ErrorDescription string `json:"error_description"`
		}
		if err := json.Unmarshal(body, &document); err != nil || document.Errors[0].Code != "UNAUTHORIZED" {
			b.Fatal(err)
		}
	}
	ours := func() {
		if e := apierror.FromResponse("get identities", 401, header, body); e.Code != "UNAUTHORIZED" {
			b.Fatal(e)
		}
	}
	bench.CPU(b, bench.Case{Name: "floor", Run: floor}, bench.Case{Name: "apierror", Run: ours})
}
