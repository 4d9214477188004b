package tokens_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/globusauth/globusauth/tokens"
)

func readFixture(tb testing.TB, name string, into any) {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		tb.Fatal(err)
	}
}

func TestSetMarshalStorage_KeepsEveryField(t *testing.T) {
	t.Parallel()
	var token tokens.Token
	fill(t, &token)
	set := mustSet(t, token, tokens.Token{AccessToken: "least", ResourceServer: "least"})
	data, err := set.MarshalStorage()
	if err != nil {
		t.Fatal(err)
	}
	back, err := tokens.UnmarshalStorage(data)
	if err != nil {
		t.Fatal(err)
	}
	if !back.Equal(set) {
		t.Errorf("came back as %v, want %v", back, set)
	}
	again, err := back.MarshalStorage()
	if err != nil || !bytes.Equal(again, data) {
		t.Errorf("not the same bytes the second time: %v", err)
	}
}

func TestSetMarshalStorage_Empty(t *testing.T) {
	t.Parallel()
	data, err := tokens.Set{}.MarshalStorage()
	if err != nil || string(data) != "{}" {
		t.Fatalf("%s, %v", data, err)
	}
	if back, err := tokens.UnmarshalStorage(data); err != nil || !back.Equal(tokens.Set{}) {
		t.Errorf("came back as %v, %v", back, err)
	}
}

// What the official Python SDK wrote is read, and the fields it writes are
// written the same way.
func TestUnmarshalStorage_PythonSDK(t *testing.T) {
	t.Parallel()
	var fixture struct {
		V2 struct {
			JSON struct {
				Data map[string]json.RawMessage `json:"data"`
			} `json:"json"`
		} `json:"json_v2"`
		V1 struct {
			ByRS json.RawMessage `json:"by_rs"`
		} `json:"json_v1"`
	}
	readFixture(t, "token_storage.json", &fixture)
	set, err := tokens.UnmarshalStorage(fixture.V2.JSON.Data["DEFAULT"])
	if err != nil {
		t.Fatal(err)
	}
	first, _ := set.ByResourceServer("auth.globus.org")
	if first.AccessToken != "A1" || first.RefreshToken != "R1" || first.TokenType != "Bearer" || first.Scope != "openid email" ||
		first.Expiry.Unix() != 1700000000 || first.IdentityID != "c8aad43e-d274-11e5-bf98-8b02896cf782" {
		t.Errorf("read %#v", first)
	}
	data, err := set.MarshalStorage()
	if err != nil {
		t.Fatal(err)
	}
	var got, want any
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(fixture.V2.JSON.Data["DEFAULT"], &want); err != nil {
		t.Fatal(err)
	}
	if a, b := canonical(t, got), canonical(t, want); a != b {
		t.Errorf("wrote %s\nwant  %s", a, b)
	}
	old, err := tokens.UnmarshalStorage(fixture.V1.ByRS) // with refresh_token: null
	if token, found := old.ByResourceServer("auth.globus.org"); err != nil || !found || token.RefreshToken != "" || token.AccessToken != "A" {
		t.Errorf("format 1.0: %v, %v", old, err)
	}
}

func canonical(t *testing.T, value any) string {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestUnmarshalStorage_Invalid(t *testing.T) {
	t.Parallel()
	entry := func(fields string) string { return `{"rs":{` + fields + `}}` }
	const rest = `,"resource_server":"rs","scope":"s"`
	for name, row := range map[string]struct{ data, want string }{
		"empty":             {"", "not a JSON object of tokens"},
		"null":              {"null", "not a JSON object of tokens"},
		"list":              {"[]", "not a JSON object of tokens"},
		"truncated":         {`{"rs":{"access_token":"SECRET-ACCESS`, "not a JSON object of tokens"},
		"trailing":          {`{} {}`, "not a JSON object of tokens"},
		"null token":        {`{"rs":null}`, "resource_server of"},
		"no token":          {entry(`"expires_at_seconds":1` + rest), "no access token"},
		"empty token":       {entry(`"access_token":"","expires_at_seconds":1` + rest), "no access token"},
		"no expiry":         {entry(`"access_token":"SECRET-ACCESS"` + rest), "expires_at_seconds of"},
		"expiry text":       {entry(`"access_token":"SECRET-ACCESS","expires_at_seconds":"1"` + rest), "not a JSON object of tokens"},
		"expiry fraction":   {entry(`"access_token":"SECRET-ACCESS","expires_at_seconds":1.5` + rest), "not a JSON object of tokens"},
		"expiry negative":   {entry(`"access_token":"SECRET-ACCESS","expires_at_seconds":-1` + rest), "outside the years"},
		"expiry huge":       {entry(`"access_token":"SECRET-ACCESS","expires_at_seconds":253402300800` + rest), "outside the years"},
		"expiry overflow":   {entry(`"access_token":"SECRET-ACCESS","expires_at_seconds":1e400` + rest), "not a JSON object of tokens"},
		"no server":         {entry(`"access_token":"SECRET-ACCESS","expires_at_seconds":1,"scope":"s"`), "resource_server of"},
		"other server":      {`{"other":{"access_token":"SECRET-ACCESS","expires_at_seconds":1` + rest + `}}`, "resource_server of"},
		"token of a number": {entry(`"access_token":12345678,"expires_at_seconds":1` + rest), "not a JSON object of tokens"},
		"lifetime":          {entry(`"access_token":"SECRET-ACCESS","expires_at_seconds":1,"lifetime_seconds":9223372037` + rest), "lifetime_seconds"},
		"line end":          {entry(`"access_token":"SECRET-ACCESS\n","expires_at_seconds":1` + rest), "RFC 6749"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := tokens.UnmarshalStorage([]byte(row.data))
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Fatalf("error %v, want one with %q", err, row.want)
			}
			check(t, "error", err.Error())
			if strings.Contains(err.Error(), "12345678") {
				t.Errorf("the error quotes a value: %v", err)
			}
		})
	}
}

func FuzzUnmarshalStorage(f *testing.F) {
	full, err := mustSet(f, fullToken()).MarshalStorage()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(full)
	f.Add([]byte(`{"a":{"resource_server":"a","scope":"s","access_token":"t","refresh_token":null,"expires_at_seconds":1700000000,"future":{"x":[1]}}}`))
	f.Add([]byte(`{"a":{"resource_server":"a","scope":"s","access_token":"t","expires_at_seconds":"x"}}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := tokens.UnmarshalStorage(data)
		if err != nil {
			return
		}
		written, err := set.MarshalStorage()
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		back, err := tokens.UnmarshalStorage(written)
		if err != nil || !back.Equal(set) {
			t.Fatalf("round trip: %v, %v", back, err)
		}
	})
}
