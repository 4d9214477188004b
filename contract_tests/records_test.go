package contract_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// record is one request as another client sent it, or as the service documents it,
// with the response where one was recorded.
type record struct {
	label   string // unique within its table
	method  string
	path    string
	query   url.Values  // nil: not recorded
	headers http.Header // nil: not recorded
	body    body
	refused bool // the other client refused to send it

	args     json.RawMessage // arguments of the other client's call
	response *recordedResponse
}

type bodyKind int

const (
	bodyUnknown bodyKind = iota // not recorded
	bodyNone
	bodyJSON
	bodyForm
)

type body struct {
	kind bodyKind
	json any
	form url.Values
}

type recordedResponse struct {
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	JSON    json.RawMessage   `json:"json"`
	Body    string            `json:"body"` // a body that is not JSON
}

func (a recordedResponse) bytes() []byte {
	if a.JSON == nil {
		return []byte(a.Body)
	}
	return a.JSON
}

func readFixture(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// pairs is a query or a form as the Python recordings write it.
type pairs [][2]string

func (p pairs) values() url.Values {
	values := url.Values{}
	for _, pair := range p {
		values.Add(pair[0], pair[1])
	}
	return values
}

// pythonRecords reads recordings of the Python SDK, and other files in their format.
func pythonRecords(t *testing.T, name string) []record {
	t.Helper()
	var file struct {
		Records []struct {
			Label   string            `json:"label"`
			Method  string            `json:"method"`
			Path    string            `json:"path"`
			Query   pairs             `json:"query"`
			Headers map[string]string `json:"headers"`
			JSON    json.RawMessage   `json:"json"`
			Form    pairs             `json:"form"`
			Raised  string            `json:"raised"`
		} `json:"records"`
	}
	readFixture(t, name, &file)
	var records []record
	for _, r := range file.Records {
		rec := record{label: r.Label, method: r.Method, path: r.Path, refused: r.Raised != ""}
		if !rec.refused {
			rec.query = r.Query.values()
			rec.headers = http.Header{}
			for key, value := range r.Headers {
				rec.headers.Set(key, value)
			}
			rec.body = parseBody(t, r.JSON, r.Form.values())
		}
		records = append(records, rec)
	}
	return records
}

// authorizeRecords reads the URLs that the Python SDK sends browsers to.
func authorizeRecords(t *testing.T) []record {
	t.Helper()
	var file struct {
		URLs []struct {
			Label string `json:"label"`
			URL   string `json:"url"`
		} `json:"urls"`
	}
	readFixture(t, "sdk_authorize_urls.json", &file)
	var records []record
	for _, r := range file.URLs {
		parsed := parseURL(t, r.URL)
		records = append(records, record{
			label: "authorize: " + r.Label, method: http.MethodGet, path: parsed.Path, query: parsed.Query(),
			headers: http.Header{"Accept": {"*/*"}}, body: body{kind: bodyNone},
		})
	}
	return records
}

// javaScriptRecords reads the snapshots of the JavaScript SDK. No token was
// configured when they were taken.
func javaScriptRecords(t *testing.T) []record {
	t.Helper()
	var file struct {
		Records []struct {
			Snapshot string `json:"snapshot"`
			Request  struct {
				Method  string            `json:"method"`
				URL     string            `json:"url"`
				Headers map[string]string `json:"headers"`
				JSON    json.RawMessage   `json:"json"`
				Form    map[string]string `json:"formData"`
			} `json:"request"`
		} `json:"records"`
	}
	readFixture(t, "js_recorded_requests.json", &file)
	var records []record
	for _, r := range file.Records {
		parsed := parseURL(t, r.Request.URL)
		rec := record{
			label: strings.TrimSuffix(r.Snapshot, " 1"), method: r.Request.Method,
			path: parsed.Path, query: parsed.Query(), headers: http.Header{},
		}
		for key, value := range r.Request.Headers {
			rec.headers.Set(key, value)
		}
		form := url.Values{}
		for key, value := range r.Request.Form {
			form.Set(key, value)
		}
		rec.body = parseBody(t, r.Request.JSON, form)
		records = append(records, rec)
	}
	return records
}

// responseRecords reads every file of requests with their responses.
func responseRecords(t *testing.T) []record {
	t.Helper()
	var names []string
	for _, pattern := range []string{"create_*", "update_*", "delete_*", "get_*", "oauth2_*", "*_extra", "userinfo", "openid_configuration", "jwk"} {
		found, err := filepath.Glob(filepath.Join("testdata", pattern+".json"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range found {
			if pattern == "*_extra" && strings.HasPrefix(filepath.Base(name), "oauth2_") {
				continue // already found
			}
			names = append(names, filepath.Base(name))
		}
	}
	var records []record
	for _, name := range names {
		var text json.RawMessage
		readFixture(t, name, &text)
		if text[0] != '[' {
			text = append(append(json.RawMessage{'['}, text...), ']')
		}
		var entries []responseEntry
		if err := json.Unmarshal(text, &entries); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, e := range entries {
			records = append(records, e.record(t))
		}
	}
	return records
}

type responseEntry struct {
	Name    string `json:"name"`
	Case    string `json:"case"`
	Request struct {
		Method string            `json:"method"`
		Path   string            `json:"path"`
		Query  map[string]string `json:"query"`
		JSON   json.RawMessage   `json:"json"`
		Form   map[string]string `json:"form"`
	} `json:"request"`
	Response recordedResponse `json:"response"`
	Metadata json.RawMessage  `json:"metadata"`
}

func (e responseEntry) record(t *testing.T) record {
	t.Helper()
	rec := record{
		label: e.Name + "/" + e.Case, method: e.Request.Method, path: e.Request.Path,
		response: &e.Response, args: e.Metadata,
	}
	var wrapped struct {
		Args json.RawMessage `json:"args"`
	}
	if e.Metadata != nil && json.Unmarshal(e.Metadata, &wrapped) == nil && wrapped.Args != nil {
		rec.args = wrapped.Args
	}
	if e.Request.Query != nil {
		rec.query = url.Values{}
		for key, value := range e.Request.Query {
			rec.query.Set(key, value)
		}
	}
	form := url.Values{}
	for key, value := range e.Request.Form {
		form.Set(key, value)
	}
	rec.body = parseBody(t, e.Request.JSON, form)
	if rec.body.kind == bodyNone && rec.method != http.MethodGet && rec.method != http.MethodDelete {
		rec.body.kind = bodyUnknown
	}
	return rec
}

func parseBody(t *testing.T, text json.RawMessage, form url.Values) body {
	t.Helper()
	switch {
	case len(text) > 0 && string(text) != "null":
		var value any
		if err := json.Unmarshal(text, &value); err != nil {
			t.Fatal(err)
		}
		return body{kind: bodyJSON, json: value}
	case len(form) > 0:
		return body{kind: bodyForm, form: form}
	}
	return body{kind: bodyNone}
}

func parseURL(t *testing.T, text string) *url.URL {
	t.Helper()
	parsed, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}
