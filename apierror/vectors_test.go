package apierror_test

import (
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/globusauth/globusauth/apierror"
)

// vector is a recorded body with what the Globus SDK for Python reads from it.
type vector struct {
	Case     string `json:"case"`
	Response struct {
		Status  int               `json:"status"`
		Headers map[string]string `json:"headers"`
		JSON    json.RawMessage   `json:"json"`
		Body    string            `json:"body"`
	} `json:"response"`
	Want struct {
		Code         string      `json:"code"`
		Message      string      `json:"message"`
		RequestID    string      `json:"request_id"`
		ErrorsCount  int         `json:"errors_count"`
		Requirement  *recorded   `json:"to_gare"`
		Requirements []*recorded `json:"to_gares"`
	} `json:"sdk_result"`
}

type recorded struct {
	Canonical any `json:"canonical"`
}

func (v vector) body() []byte {
	if v.Response.JSON != nil {
		return v.Response.JSON
	}
	return []byte(v.Response.Body)
}

func (v vector) header() http.Header {
	header := http.Header{}
	for name, value := range v.Response.Headers {
		header.Set(name, value)
	}
	return header
}

func loadVectors(tb testing.TB, file string, atLeast int) []vector {
	tb.Helper()
	raw, err := os.ReadFile("testdata/" + file)
	if err != nil {
		tb.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(raw, &vectors); err != nil {
		tb.Fatal(err)
	}
	if len(vectors) < atLeast {
		tb.Fatalf("%s has %d vectors, want at least %d", file, len(vectors), atLeast)
	}
	return vectors
}

// difference is a deliberate one from the Python SDK, in one field of one vector.
type difference struct {
	field, want, why string
}

const (
	whyOAuth = "an OAuth2 error's own fields are its code and message; the Python SDK reads neither"
	whyClean = "text from a service is made printable on one line"
	whyMedia = "a message is read in a JSON:API document too, which has no such field"
)

func differences() map[string][]difference {
	return map[string][]difference{
		"oauth2_invalid_grant":             {{"code", "invalid_grant", whyOAuth}},
		"oauth2_invalid_grant_description": {{"code", "invalid_grant", whyOAuth}, {"message", "code expired", whyOAuth}},
		"oauth2_invalid_client":            {{"code", "invalid_client", whyOAuth}},
		"subdocs_mixed_fields_jsonapi": {{"message", "invalid password value; Must contain capital letter; " +
			"password must have non-alphanumeric characters", whyMedia}},
		"dependent_consent_required_empty_errors": {{"code", "dependent_consent_required", whyOAuth}},
		"js_transfer_authorization_requirements_error": {{"message", "Command Failed: Error (login) Endpoint: Globus Staff GCSv5.4 Demo POSIX HA " +
			"(eed63c24-36cb-4f29-a47f-91d94a65fef8) Server: 35.89.91.21:443 Message: Login Failed --- Details: 530-Login incorrect. : " +
			`GlobusError: v=1 c=LOGIN_DENIED\r\n530-GridFTP-Message: None of your identities are from domains allowed by resource policies` +
			`\r\n530-GridFTP-JSON-Result: {"DATA_TYPE": "result#1.0.0", "code": "permission_denied", "detail": {"DATA_TYPE": ` +
			`"not_from_allowed_domain#1.0.0", "allowed_domains": ["globus.org"]}, "has_next_page": false, "http_response_code": 403, ` +
			`"message": "None of your identities are from domains allowed by resource policies"}\r\n530 End.\r\n`, whyClean}},
	}
}

// Two more differences hold for every vector: Details are the fields of an
// "errors" list only, where the Python SDK makes the document its own only
// field; and requirements come in the document's order, root first.
func TestFromResponse_RecordedErrors(t *testing.T) {
	t.Parallel()
	vectors := slices.Concat(loadVectors(t, "errors.json", 48), loadVectors(t, "gare.json", 29))
	unused := differences()
	for _, v := range vectors {
		want := map[string]string{"code": v.Want.Code, "message": v.Want.Message, "request_id": v.Want.RequestID}
		for _, d := range unused[v.Case] {
			if want[d.field] == d.want {
				t.Errorf("%s: %s is listed as different but is not", v.Case, d.field)
			}
			want[d.field] = d.want
		}
		delete(unused, v.Case)

		t.Run(v.Case, func(t *testing.T) {
			t.Parallel()
			e := apierror.FromResponse("get identities", v.Response.Status, v.header(), v.body())
			got := map[string]string{"code": e.Code, "message": e.Message, "request_id": e.RequestID}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
			if e.StatusCode != v.Response.Status {
				t.Errorf("StatusCode = %d, want %d", e.StatusCode, v.Response.Status)
			}
			if string(e.Body()) != string(v.body()) {
				t.Errorf("Body() = %q, want what was sent", e.Body())
			}
			wantDetails := v.Want.ErrorsCount
			var document struct {
				Errors []any `json:"errors"`
			}
			if json.Unmarshal(v.body(), &document) != nil || document.Errors == nil {
				wantDetails = 0
			}
			if len(e.Details) != wantDetails {
				t.Errorf("%d details, want %d", len(e.Details), wantDetails)
			}
			checkRequirements(t, v, e)
		})
	}
	for name := range unused {
		t.Errorf("a difference is listed for %q, which is no vector", name)
	}
}

func checkRequirements(t *testing.T, v vector, e *apierror.Error) {
	t.Helper()
	found := apierror.Requirements(v.body())
	if len(found) != len(v.Want.Requirements) {
		t.Fatalf("%d requirements, want %d: %+v", len(found), len(v.Want.Requirements), found)
	}
	if v.Want.Requirement == nil {
		if e.Authorization != nil {
			t.Errorf("Authorization = %+v, want none", e.Authorization)
		}
		return
	}
	if diff := cmp.Diff(&found[0].Parameters, e.Authorization); diff != "" {
		t.Errorf("Authorization is not the first requirement (-first +got):\n%s", diff)
	}
	if diff := cmp.Diff(v.Want.Requirement.Canonical, generic(t, found[0])); diff != "" {
		t.Errorf("first requirement (-want +got):\n%s", diff)
	}
	var want, got []string
	for i := range found {
		want = append(want, encode(t, v.Want.Requirements[i].Canonical))
		got = append(got, encode(t, generic(t, found[i])))
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("all requirements (-want +got):\n%s", diff)
	}
}

// generic is what a program of another language would see of v.
func generic(t *testing.T, v any) any {
	t.Helper()
	var decoded any
	if err := json.Unmarshal([]byte(encode(t, v)), &decoded); err != nil {
		t.Fatal(err)
	}
	return decoded
}

func encode(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(raw))
}
