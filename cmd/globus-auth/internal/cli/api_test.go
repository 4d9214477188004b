package cli_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/globusauth/globusauth/cmd/globus-auth/internal/cli"
)

// call runs the verb api with a token against a handler.
func call(t *testing.T, handler http.HandlerFunc, args ...string) result {
	t.Helper()
	site := httptest.NewServer(handler)
	t.Cleanup(site.Close)
	var out bytes.Buffer
	var errs syncBuffer
	env := environment{"GLOBUS_AUTH_ACCESS_TOKEN": "a-token", "GLOBUS_AUTH_STORE_DIR": t.TempDir()}
	code := cli.Run(t.Context(), append([]string{"--base-url", site.URL, "api"}, args...), cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errs}, env.get)
	return result{code, out.String(), errs.String()}
}

// A GET is repeated with the marker of each page, whatever its name.
func TestAPI_Paginate(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ field, parameter string }{
		{"marker", "marker"}, {"next_marker", "marker"}, {"next_token", "next_token"}, {"last_key", "last_key"},
	} {
		var asked []string
		pages := func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, r.URL.RawQuery)
			w.Header().Set("Content-Type", "application/json")
			if len(asked) == 3 {
				_, _ = fmt.Fprint(w, `{"n":3}`)
				return
			}
			_, _ = fmt.Fprintf(w, `{"n":%d,%q:"m%d"}`, len(asked), row.field, len(asked))
		}
		r := call(t, pages, "GET", "/list", "-f", "limit=1", "--paginate", "--jq", ".n")
		want := fmt.Sprintf("[limit=1 limit=1&%[1]s=m1 limit=1&%[1]s=m2]", row.parameter)
		if row.parameter == "last_key" {
			want = "[limit=1 last_key=m1&limit=1 last_key=m2&limit=1]"
		}
		if r.out != "1\n2\n3\n" || fmt.Sprint(asked) != want || r.code != cli.ExitOK {
			t.Errorf("%s: %+v, asked for %q", row.field, r, asked)
		}
	}
	for name, body := range map[string]string{"no more pages": `{"marker":"m","has_next_page":false}`, "null": `{"marker":null}`, "empty": `{"marker":""}`, "a list": `[{"marker":"m"}]`} {
		asked := 0
		r := call(t, func(w http.ResponseWriter, _ *http.Request) {
			asked++
			_, _ = fmt.Fprint(w, body)
		}, "GET", "/list", "--paginate")
		if asked != 1 || r.code != cli.ExitOK {
			t.Errorf("%s: %d requests, %+v", name, asked, r)
		}
	}
	r := call(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, `{"marker":"m"}`) }, "GET", "/list", "--paginate")
	if r.code != cli.ExitFailed || !strings.Contains(r.errs, "the same marker twice") {
		t.Errorf("a marker that stays: %+v", r)
	}
	if r := call(t, nil, "POST", "/list", "--paginate"); r.code != cli.ExitUsage {
		t.Errorf("POST: %+v", r)
	}
}

// A token goes to its own service only.
func TestAPI_OtherHosts(t *testing.T) {
	t.Parallel()
	asked := ""
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked = r.Header.Get("Authorization") + r.URL.Path }))
	defer other.Close()
	host := strings.TrimPrefix(other.URL, "http://")
	for _, path := range []string{other.URL + "/x", "//" + host + "/x", "https://auth.globus.org/x", "https://example.org/x"} {
		if r := call(t, nil, "GET", path); r.code != cli.ExitUsage || !strings.Contains(r.errs, "is not that of a known service") || asked != "" {
			t.Errorf("%s: %+v, the other host got %q", path, r, asked)
		}
	}
	// For those the token of the environment is not meant.
	for _, args := range [][]string{{"https://transfer.api.globus.org/v0.10/task_list"}, {other.URL + "/x", "--resource-server", "auth.globus.org"}} {
		if r := call(t, nil, append([]string{"GET"}, args...)...); r.code != cli.ExitNotLoggedIn || !strings.Contains(r.errs, "no login is stored") || asked != "" {
			t.Errorf("%s: %+v, the other host got %q", args, r, asked)
		}
	}
	r := call(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL+"/y", http.StatusFound) }, "GET", "/x")
	if asked != "/y" {
		t.Errorf("after a redirect the other host got %q, %+v", asked, r)
	}
}

func TestAPI_Body(t *testing.T) {
	t.Parallel()
	echo := func(w http.ResponseWriter, r *http.Request) {
		var body bytes.Buffer
		_, _ = body.ReadFrom(r.Body)
		_, _ = fmt.Fprintf(w, "%s %s %s %s\x1b\n", r.Method, r.URL.RequestURI(), r.Header.Get("Content-Type"), body.String())
	}
	for _, row := range []struct{ args, want string }{
		{"get /a?b=c -f d=e=f", "GET /a?b=c&d=e%3Df  \x1b\n"},
		{"post v2/a -f d=e -f g=", "POST /v2/a application/json {\"d\":\"e\",\"g\":\"\"}\x1b\n"},
		{"PUT /a --input - -f d=e", "PUT /a?d=e application/json \x1b\n"},
		{"DELETE /a", "DELETE /a  \x1b\n"},
	} {
		if r := call(t, echo, strings.Fields(row.args)...); r.out != row.want || r.code != cli.ExitOK {
			t.Errorf("%s: %+v", row.args, r)
		}
	}
	for _, args := range []string{"GET /a -f d", "GET /a -f =d", "GET http://u@h/a", "GET /a#b", "GET /%zz", "G(T /a"} {
		if r := call(t, echo, strings.Fields(args)...); r.code != cli.ExitUsage || r.out != "" {
			t.Errorf("%s: %+v", args, r)
		}
	}
}

func TestAPI_HelpSaysEachThingOnce(t *testing.T) {
	t.Parallel()
	help := strings.Join(strings.Fields(newDesk(t).must("help", "api").out), " ")
	for _, words := range []string{"marker of the next page", "key=value", "JSON object", "the query", "as long as"} {
		if n := strings.Count(help, words); n > 1 {
			t.Errorf("%q is said %d times:\n%s", words, n, help)
		}
	}
}
