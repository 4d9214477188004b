//go:build !race

package globusauth_test // the race detector allocates too, and makes this slow

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/gen"
)

// No response allocates more than 64 MiB, garbage included: a few kilobytes of gzip must
// not become gigabytes.
//
//nolint:paralleltest // measures what the process allocates
func TestClient_MemoryOfHostileResponses(t *testing.T) {
	const size, limit = 15 << 19, 64 << 20
	identities := func(c *globusauth.Client) error {
		_, err := c.WithCredentials(globusauth.Bearer("AAA")).GetIdentities(t.Context(), nil)
		return err
	}
	token := func(c *globusauth.Client) error {
		_, err := c.Token(t.Context(), gen.TokenRequest{GrantType: gen.GrantTypeClientCredentials})
		return err
	}
	introspect := func(c *globusauth.Client) error {
		_, err := c.WithCredentials(globusauth.Basic("id", "secret")).Introspect(t.Context(), gen.IntrospectRequest{Token: "t"})
		return err
	}
	names := func(value string) string {
		var b strings.Builder
		for n := 0; b.Len() < size; n++ {
			b.WriteString(`"` + strconv.Itoa(n) + `":` + value + ",")
		}
		return b.String() + `"last":` + value
	}
	list := func(element string) string { return strings.Repeat(element+",", size/(len(element)+1)) + element }
	const ordinary = `{"id":"46bd0f56-e24f-11e5-a510-131bef46955c","username":"person@example.edu","name":"Person Number One","email":` +
		`"person@mail.example.edu","organization":"Department of Examples, Example University","status":"used",` +
		`"identity_provider":"41143743-f3c8-4d60-bbdb-eeecaba85bd9","identity_type":"login"}`
	for _, test := range []struct {
		name   string
		status int
		body   string
		call   func(*globusauth.Client) error
		want   error
	}{
		{"empty identities", 200, `{"identities":[` + list("{}") + `]}`, identities, globusauth.ErrResponseTooLarge},
		{"identities that are null", 200, `{"identities":[` + list("null") + `]}`, identities, globusauth.ErrResponseTooLarge},
		{"identities that are numbers", 200, `{"identities":[` + list("1") + `]}`, identities, globusauth.ErrResponseTooLarge},
		{"one field, very often", 200, `{"identities":[{` + list(`"id":"x"`) + `}]}`, identities, globusauth.ErrResponseTooLarge},
		{"tokens", 200, `{"other_tokens":[` + list("{}") + `]}`, token, globusauth.ErrResponseTooLarge},
		{"bare list of tokens", 200, `[` + list("{}") + `]`, token, globusauth.ErrResponseTooLarge},
		{"texts", 200, `{"aud":[` + list(`""`) + `]}`, introspect, globusauth.ErrResponseTooLarge},
		{"numbers where texts belong", 200, `{"aud":[` + list(`1`) + `]}`, introspect, globusauth.ErrResponseTooLarge},
		{"map of documents", 200, `{"policy_evaluations":{` + names(`{}`) + `}}`, introspect, globusauth.ErrResponseTooLarge},
		{"map of anything", 200, `{"session_info":{"authentications":{"a":{"custom_claims":{` + names(`0`) + `}}}}}`, introspect, globusauth.ErrResponseTooLarge},
		{"lists of anything", 200, `{"session_info":{"authentications":{"a":{"custom_claims":{"a":[` + list(`[]`) + `]}}}}}`, introspect, globusauth.ErrResponseTooLarge},
		{"text that is not UTF-8", 200, `{"name":"` + strings.Repeat("\xff", size) + `"}`, introspect, nil},
		{"text with as many bytes that are not UTF-8 as are read", 200, `{"name":"` + strings.Repeat("aaaa\xff", 8<<20/6) + `"}`, introspect, nil},
		{"a number among anything", 200, `{"session_info":{"authentications":{"a":{"custom_claims":{"a":1` + strings.Repeat("0", 8<<20-100) + `}}}}}`, introspect, nil},
		{"10,000 identities, 3 MB", 200, `{"identities":[` + list(ordinary)[:10_000*(len(ordinary)+1)] + `{}]}`, identities, nil},
		{"longer than the limit", 200, `{"identities":[` + list("{}") + list("{}") + `]}`, identities, globusauth.ErrResponseTooLarge},
		{"unknown field", 200, `{"new":[` + list("{}") + `]}`, identities, nil},
		{"error document", 400, `{"errors":[` + list("{}") + `]}`, identities, apierror.ErrBadRequest},
		{"error document that is just read", 400, `{"errors":[` + list("{}")[:256<<10-40] + `{}]}`, identities, apierror.ErrBadRequest},
		{"just not metered", 200, `{"identities":[` + list("{}")[:3*21_000] + `{}]}`, identities, nil},
	} {
		var body bytes.Buffer
		zip := gzip.NewWriter(&body)
		_, _ = zip.Write([]byte(test.body))
		_ = zip.Close()
		test.body = ""
		client := serve(t, globusauth.Config{}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Encoding", "gzip")
			w.WriteHeader(test.status)
			_, _ = w.Write(body.Bytes())
		})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := test.call(client)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", test.name, err, test.want)
		}
		used := after.TotalAlloc - before.TotalAlloc
		if used > limit {
			t.Errorf("%s: %d MiB", test.name, used>>20)
		}
	}
}

// Headers are bounded as well: 9 MiB of them became 257 MiB.
func TestClient_LongResponseHeaders(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for n := range 100_000 {
			w.Header().Set("X-"+strconv.Itoa(n), "0123456789")
		}
		_, _ = io.WriteString(w, "{}")
	}))
	t.Cleanup(server.Close)
	client, err := globusauth.New(globusauth.Config{BaseURL: server.URL, MaxRetries: -1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.GetJWKS(t.Context()); err == nil || !strings.Contains(err.Error(), "header") {
		t.Errorf("got %v, want an error that names the header", err)
	}
}
