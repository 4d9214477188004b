package contract_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/globusauth/globusauth/authtest"
)

// commandRequest is a request of Globus' own command-line client, and the response
// that it needs.
type commandRequest struct {
	Label, Method, Path string
	Query, Form         map[string]string
	JSON                json.RawMessage
	Basic               bool
	Bearer              string
	Status              int
	Want                map[string]any    // by path in the response
	Keep                map[string]string // name to path in the response, or to a parameter of Location
}

// TestAuthtest_GlobusCommandLineClient sends the recorded requests of Globus' own
// command-line client, from its login to its logout.
func TestAuthtest_GlobusCommandLineClient(t *testing.T) {
	t.Parallel()
	var file struct{ Requests []commandRequest }
	readFixture(t, "globus_cli_requests.json", &file)
	server := authtest.New(t)
	kept := map[string]string{"base": server.BaseURL()}
	for _, r := range file.Requests {
		r.send(t, server, kept)
	}
}

func (r commandRequest) send(t *testing.T, server *authtest.Server, kept map[string]string) {
	t.Helper()
	fill := func(text string) string { return os.Expand(text, func(name string) string { return kept[name] }) }
	encode := func(values map[string]string) string {
		encoded := url.Values{}
		for name, value := range values {
			encoded.Set(name, fill(value))
		}
		return encoded.Encode()
	}
	body, contentType := encode(r.Form), "application/x-www-form-urlencoded"
	if r.JSON != nil {
		body, contentType = string(r.JSON), "application/json"
	}
	target := strings.TrimSuffix(server.BaseURL(), "/") + fill(r.Path) + "?" + encode(r.Query)
	request, err := http.NewRequestWithContext(t.Context(), r.Method, target, strings.NewReader(body))
	if err != nil {
		t.Fatalf("%s: %v", r.Label, err)
	}
	request.Header.Set("Content-Type", contentType)
	if r.Basic {
		request.SetBasicAuth(kept["client"], kept["secret"])
	} else if r.Bearer != "" {
		request.Header.Set("Authorization", "Bearer "+fill(r.Bearer))
	}
	client := server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.Do(request)
	if err != nil {
		t.Fatalf("%s: %v", r.Label, err)
	}
	defer response.Body.Close() //nolint:errcheck // Only read.
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != r.Status {
		t.Fatalf("%s: status %d, want %d: %v, %s", r.Label, response.StatusCode, r.Status, err, text)
	}
	var document any
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&document); err != nil && r.Status != http.StatusFound {
		t.Fatalf("%s: %v", r.Label, err)
	}
	for path, want := range r.Want {
		if got := at(document, path); got != want {
			t.Errorf("%s: %s is %v, want %v", r.Label, path, got, want)
		}
	}
	location, err := response.Location()
	for name, path := range r.Keep {
		if err == nil {
			kept[name] = location.Query().Get(path)
		} else {
			kept[name] = fmt.Sprint(at(document, path))
		}
	}
}

// at returns the value at a path such as other_tokens.0.scope, or nil.
func at(document any, path string) any {
	for name := range strings.SplitSeq(path, ".") {
		switch value := document.(type) {
		case map[string]any:
			document = value[name]
		case []any:
			n, err := strconv.Atoi(name)
			if err != nil || n >= len(value) {
				return nil
			}
			document = value[n]
		default:
			return nil
		}
	}
	return document
}
