package contract_test

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/jarcoal/httpmock"

	"github.com/globusauth/globusauth"
)

// The values of the recorded requests.
const (
	baseURL      = "https://auth.globus.org"
	clientID     = "7fb58e00-839d-44e3-8047-10a502612dca"
	clientSecret = "SECRET"
	userToken    = "USER_TOKEN"
	id1          = "11111111-1111-4111-8111-111111111111"
	id2          = "22222222-2222-4222-8222-222222222222"
)

// mocked is our client over a mocked transport, which responds to the recorded
// request only.
type mocked struct {
	t         *testing.T
	ctx       context.Context //nolint:containedctx // The context of one test.
	public    *globusauth.Client
	user      *globusauth.Client // with a person's token
	app       *globusauth.Client // with a confidential client's secret
	response  *recordedResponse
	exchanges []exchange
}

// newMocked responds with the recorded response, or with the first example of the
// spec.
func newMocked(t *testing.T, rec record) *mocked {
	t.Helper()
	w := &mocked{t: t, ctx: t.Context(), response: rec.response}
	mock := httpmock.NewMockTransport()
	responder := func(req *http.Request) (*http.Response, error) {
		response := w.response
		if response == nil {
			response = exampleResponse(t, theSpec(t), req)
		}
		resp := httpmock.NewBytesResponse(response.Status, response.bytes())
		for name, value := range response.Headers {
			resp.Header.Set(name, value)
		}
		return resp, nil
	}
	if rec.refused {
		mock.RegisterNoResponder(responder)
	} else {
		mock.RegisterResponder(rec.method, baseURL+rec.path, responder)
	}
	transport := &validating{
		spec: theSpec(t), next: mock, aliases: placeholders,
		seen: func(x exchange) { w.exchanges = append(w.exchanges, x) },
	}
	client, err := globusauth.New(globusauth.Config{BaseURL: baseURL, HTTPClient: &http.Client{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	w.public = client
	w.user = client.WithCredentials(globusauth.Bearer(userToken))
	w.app = client.WithCredentials(globusauth.Basic(clientID, clientSecret))
	return w
}

func (w *mocked) respondWith(text string) {
	w.response = &recordedResponse{
		Status: http.StatusOK, Headers: map[string]string{"Content-Type": "application/json"}, JSON: json.RawMessage(text),
	}
}

// exampleResponse returns the spec's example response to a request.
func exampleResponse(t *testing.T, spec *conformance, req *http.Request) *recordedResponse {
	t.Helper()
	route, _, err := spec.router.FindRoute(req)
	if err != nil {
		t.Fatalf("%s %s: %v", req.Method, req.URL.Path, err)
	}
	response := &recordedResponse{Status: http.StatusOK, Headers: map[string]string{}}
	ok := route.Operation.Responses.Status(http.StatusOK)
	for mediaType, content := range ok.Value.Content {
		response.Headers["Content-Type"] = mediaType
		example := firstExample(content.Examples)
		if mediaType == "application/json" {
			response.JSON, err = json.Marshal(example)
		} else {
			response.Body, _ = example.(string)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return response
}

func firstExample(examples openapi3.Examples) any {
	var names []string
	for name := range examples {
		names = append(names, name)
	}
	slices.Sort(names)
	return examples[names[0]].Value.Value
}

// clientInfo is the grammar of X-Globus-Client-Info.
var clientInfo = regexp.MustCompile(`^product=globusauth-go,version=[^,;=]+(;product=[^,;=]+(,version=[^,;=]+)?)*$`)

// commonProblems checks what holds for each of our requests. Those of a browser have no headers of ours.
func commonProblems(x exchange) []string {
	var problems []string
	browser := x.request.Header.Get("Accept") == "text/html"
	if got := x.request.Header.Get("X-Globus-Client-Info"); !browser && !clientInfo.MatchString(got) {
		problems = append(problems, "X-Globus-Client-Info is "+got)
	}
	if got := x.request.Header.Get("User-Agent"); !browser && !strings.HasPrefix(got, "globusauth") {
		problems = append(problems, "User-Agent is "+got)
	}
	if x.request.Header.Get("Accept") == "" {
		problems = append(problems, "no Accept header")
	}
	if len(x.requestBody) == 0 && x.request.Header.Get("Content-Type") != "" {
		problems = append(problems, "a Content-Type without a body")
	}
	if x.request.ContentLength != int64(len(x.requestBody)) {
		problems = append(problems, "a wrong Content-Length")
	}
	return problems
}

// requestOf returns the request of a record without its body, to find its operation.
func requestOf(t *testing.T, rec record) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), rec.method, baseURL+rec.path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	return req
}
