package apierror_test

import (
	"encoding/json"
	"testing"

	"github.com/globusauth/globusauth/apierror"
)

const typical = `{"errors":[{"status":"401","id":"cb6a08f8-f4d9-11ed-b5e5-63dc47a3c896","code":"UNAUTHORIZED",` +
	`"detail":"Call must be authenticated","title":"Unauthorized"}],"error_description":"Unauthorized","error":"unauthorized"}`

// BenchmarkFromResponse reads one typical document; the floor is encoding/json
// decoding it into a struct that fits it.
func BenchmarkFromResponse(b *testing.B) {
	header, body := jsonHeader(), []byte(typical)
	b.Run("apierror", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if e := apierror.FromResponse("get identities", 401, header, body); e.Code != "UNAUTHORIZED" {
				b.Fatal(e)
			}
		}
	})
	b.Run("floor", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
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
	})
}

func BenchmarkError(b *testing.B) {
	e := apierror.FromResponse("get identities", 401, jsonHeader(), []byte(typical))
	b.ReportAllocs()
	for b.Loop() {
		_ = e.Error()
	}
}
