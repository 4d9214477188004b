package filestore_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/filestore"
)

// sameJSON compares two documents, whatever their spelling.
func sameJSON(t *testing.T, got, want string) {
	t.Helper()
	var a, b any
	if err := json.Unmarshal([]byte(got), &a); err != nil {
		t.Fatalf("%v in %s", err, got)
	}
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatal(err)
	}
	one, _ := json.Marshal(a)
	two, _ := json.Marshal(b)
	if !bytes.Equal(one, two) {
		t.Errorf("got  %s\nwant %s", one, two)
	}
}

// transferToken is the token that the fixtures store second.
func transferToken() tokens.Token {
	return tokens.Token{
		AccessToken: "A2", ResourceServer: "transfer.api.globus.org",
		Scope: "urn:globus:auth:scope:transfer.api.globus.org:all", Expiry: time.Unix(1700000001, 0),
	}
}

func withToken(t *testing.T, token tokens.Token) func(tokens.Set) (tokens.Set, error) {
	t.Helper()
	return func(current tokens.Set) (tokens.Set, error) {
		next, err := tokens.NewSet(token)
		return current.Merge(next), err
	}
}

func TestStoreLoad_WrittenByPython(t *testing.T) {
	t.Parallel()
	store := open(t, filestore.Config{})
	file := path(t, store, testKey())
	write(t, file, readFixture(t).V2.Text)
	set, err := store.Load(t.Context(), testKey())
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := set.ByResourceServer("transfer.api.globus.org"); got.AccessToken != "A2" {
		t.Errorf("%#v", got)
	}
	if auth, _ := set.ByResourceServer("auth.globus.org"); auth.RefreshToken != "R1" || auth.Expiry.Unix() != 1700000000 {
		t.Errorf("%#v", auth)
	}
	found, err := store.Keys(t.Context())
	if err != nil || len(found) != 2 || found[0].Namespace != "DEFAULT" || found[1].Namespace != "other" {
		t.Errorf("keys %v, %v", found, err)
	}
	// Removing a token gives what Python's removing gives.
	if _, err := store.Update(t.Context(), testKey(), func(current tokens.Set) (tokens.Set, error) {
		return current.Without("auth.globus.org"), nil
	}); err != nil {
		t.Fatal(err)
	}
	sameJSON(t, content(t, file), string(readFixture(t).Removed))
}

func TestStoreUpdate_WritesAsPython(t *testing.T) {
	t.Parallel()
	store := open(t, filestore.Config{})
	put(t, store, testKey(), mustSet(t, transferToken()))
	sameJSON(t, content(t, path(t, store, testKey())), `{"data":{"DEFAULT":{"transfer.api.globus.org":{
		"resource_server":"transfer.api.globus.org","scope":"urn:globus:auth:scope:transfer.api.globus.org:all",
		"access_token":"A2","expires_at_seconds":1700000001}}},"format_version":"2.0","globus-sdk.version":"globusauth-go"}`)
}

func TestStoreUpdate_FormatOne(t *testing.T) {
	t.Parallel()
	store := open(t, filestore.Config{})
	file := path(t, store, testKey())
	write(t, file, string(readFixture(t).V1))
	set, err := store.Load(t.Context(), testKey())
	if token, found := set.ByResourceServer("auth.globus.org"); err != nil || !found || token.AccessToken != "A" {
		t.Fatalf("%v, %v", set, err)
	}
	if got := content(t, file); got != string(readFixture(t).V1) {
		t.Errorf("reading changed the file: %s", got)
	}
	if _, err := store.Update(t.Context(), testKey(), withToken(t, transferToken())); err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(string(readFixture(t).V1AfterStore), "4.9.0", "3.0.0", 1) // we are no version of the SDK
	sameJSON(t, content(t, file), want)
}

func TestStoreUpdate_UnknownFields(t *testing.T) {
	t.Parallel()
	store := open(t, filestore.Config{})
	file := path(t, store, testKey())
	write(t, file, `{"data":{"DEFAULT":{
			"a":{"resource_server":"a","scope":"s","access_token":"old","refresh_token":"R","expires_at_seconds":1700000000,"future_field":{"x":[1,2.50]}},
			"b":{"resource_server":"b","scope":"s","access_token":"B","expires_at_seconds":1,"future_field":"\ud83d\udd11"}},
		"n":{"z":{"resource_server":"z","scope":"s","access_token":"Z","expires_at_seconds":1}},
		"odd\u0000name":{"q":"whatever this is"}},
		"format_version":"2.0","globus-sdk.version":"9.9","top_level_extra":[true,12345678901234567890]}`)
	token := tokens.Token{AccessToken: "new", ResourceServer: "a", Scope: "s", Expiry: time.Unix(1800000000, 0), Lifetime: time.Hour}
	put(t, store, testKey(), mustSet(t, token, tokens.Token{AccessToken: "B", ResourceServer: "b", Scope: "s", Expiry: time.Unix(1, 0)}))
	want := `{"data":{"DEFAULT":{
			"a":{"resource_server":"a","scope":"s","access_token":"new","expires_at_seconds":1800000000,"lifetime_seconds":3600,"future_field":{"x":[1,2.50]}},
			"b":{"resource_server":"b","scope":"s","access_token":"B","expires_at_seconds":1,"future_field":"\ud83d\udd11"}},
		"n":{"z":{"resource_server":"z","scope":"s","access_token":"Z","expires_at_seconds":1}},
		"odd\u0000name":{"q":"whatever this is"}},
		"format_version":"2.0","globus-sdk.version":"9.9","top_level_extra":[true,12345678901234567890]}`
	sameJSON(t, content(t, file), want)
	if !strings.Contains(content(t, file), "12345678901234567890") || !strings.Contains(content(t, file), "2.50") {
		t.Errorf("numbers were rewritten: %s", content(t, file))
	}
	if found, err := store.Keys(t.Context()); err != nil || len(found) != 2 {
		t.Errorf("keys %v, %v", found, err)
	}
	if err := store.Delete(t.Context(), testKey()); err != nil {
		t.Fatal(err)
	}
	sameJSON(t, content(t, file), `{"data":{"n":{"z":{"resource_server":"z","scope":"s","access_token":"Z","expires_at_seconds":1}},
		"odd\u0000name":{"q":"whatever this is"}},
		"format_version":"2.0","globus-sdk.version":"9.9","top_level_extra":[true,12345678901234567890]}`)
}

// Python stores a token of another resource server while an update of ours runs.
func TestStoreUpdate_PythonWritesMeanwhile(t *testing.T) {
	t.Parallel()
	store := open(t, filestore.Config{})
	file := path(t, store, testKey())
	entry := func(name, access string) string {
		return `"` + name + `":{"resource_server":"` + name + `","scope":"s","access_token":"` + access + `","expires_at_seconds":1700000000}`
	}
	file1 := `{"data":{"DEFAULT":{` + entry("a", "A1") + `,` + entry("b", "B1") + `}},"format_version":"2.0","globus-sdk.version":"4.9.0"}`
	write(t, file, file1)
	if _, err := store.Update(t.Context(), testKey(), func(current tokens.Set) (tokens.Set, error) {
		write(t, file, strings.Replace(file1, "B1", "B2", 1))
		next, err := tokens.NewSet(tokens.Token{AccessToken: "A2", ResourceServer: "a", Scope: "s", Expiry: time.Unix(1700000000, 0)})
		return current.Merge(next), err
	}); err != nil {
		t.Fatal(err)
	}
	sameJSON(t, content(t, file), strings.NewReplacer("B1", "B2", "A1", "A2").Replace(file1))
}

func TestStoreLoad_RefusedByPython(t *testing.T) {
	t.Parallel()
	rows := readFixture(t).Validation
	if len(rows) != 10 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, row := range rows {
		inBubble(t, row.Label, func(t *testing.T) {
			t.Helper()
			store := open(t, filestore.Config{})
			file := path(t, store, testKey())
			write(t, file, row.Content)
			_, err := store.Load(t.Context(), testKey())
			if row.OK || row.Content == "" { // a file that stays empty is an empty store
				if err != nil {
					t.Errorf("error %v", err)
				}
				return
			}
			neverOverwritten(t, store, file, err)
		})
	}
}

// neverOverwritten checks the error of a load, and that nothing else changes the file either.
func neverOverwritten(t *testing.T, store *filestore.Store, file string, loadErr error) {
	t.Helper()
	before := content(t, file)
	_, updateErr := store.Update(t.Context(), testKey(), func(tokens.Set) (tokens.Set, error) {
		t.Error("fn was called")
		return tokens.Set{}, nil
	})
	for what, err := range map[string]error{"Load": loadErr, "Update": updateErr} {
		if !errors.Is(err, tokens.ErrUnreadable) || !strings.Contains(err.Error(), file) || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: error %v, want ErrUnreadable that names %s and quotes nothing", what, err, file)
		}
	}
	if content(t, file) != before {
		t.Error("the file was changed")
	}
}

func TestStore_DamagedFile(t *testing.T) {
	t.Parallel()
	whole := `{"data":{"DEFAULT":{"rs":{"resource_server":"rs","scope":"s","access_token":"SECRET-A","expires_at_seconds":1}}},"format_version":"2.0","globus-sdk.version":"4"}`
	for name, text := range map[string]string{
		"truncated":         whole[:len(whole)/2],
		"with a tail":       whole + `}`,
		"zeros":             strings.Repeat("\x00", 300),
		"another language":  "<html>SECRET</html>",
		"null":              "null",
		"number":            "1",
		"deep":              strings.Repeat(`{"a":`, 5000),
		"null namespace":    `{"data":{"DEFAULT":null},"format_version":"2.0","globus-sdk.version":"4"}`,
		"list namespace":    `{"data":{"DEFAULT":["SECRET"]},"format_version":"2.0","globus-sdk.version":"4"}`,
		"number version":    `{"data":{},"format_version":2.0,"globus-sdk.version":"4"}`,
		"null token":        `{"data":{"DEFAULT":{"rs":null}},"format_version":"2.0","globus-sdk.version":"4"}`,
		"larger than 16 MB": `{"data":{},"format_version":"2.0","globus-sdk.version":"4","x":"` + strings.Repeat("x", 16<<20) + `"}`,
	} {
		inBubble(t, name, func(t *testing.T) {
			t.Helper()
			store := open(t, filestore.Config{})
			file := path(t, store, testKey())
			write(t, file, text)
			_, err := store.Load(t.Context(), testKey())
			neverOverwritten(t, store, file, err)
		})
	}
}

// inBubble runs a parallel subtest with a fake clock, by which reading waits for the
// writers of half files.
func inBubble(t *testing.T, name string, test func(*testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, test)
	})
}

// A program that truncates the file and then writes it is waited for.
func TestStoreLoad_HalfWrittenFile(t *testing.T) {
	t.Parallel()
	text := readFixture(t).V2.Text
	for _, length := range []int{0, 100, len(text) - 1} {
		inBubble(t, fmt.Sprint(length), func(t *testing.T) {
			t.Helper()
			store := open(t, filestore.Config{})
			file := path(t, store, testKey())
			write(t, file, text[:length])
			time.AfterFunc(240*time.Millisecond, func() { _ = os.WriteFile(file, []byte(text), 0o600) })
			set, err := store.Load(t.Context(), testKey())
			if token, found := set.ByResourceServer("auth.globus.org"); err != nil || !found || token.AccessToken != "A1" {
				t.Errorf("%v, %v", set, err)
			}
		})
	}
}

func mustSet(tb testing.TB, list ...tokens.Token) tokens.Set {
	tb.Helper()
	set, err := tokens.NewSet(list...)
	if err != nil {
		tb.Fatal(err)
	}
	return set
}

// FuzzFile: whatever a file holds, it is read and rewritten without losing
// anything, or refused.
func FuzzFile(f *testing.F) {
	fixture := readFixture(f)
	f.Add([]byte(fixture.V2.Text))
	f.Add([]byte(fixture.V1))
	f.Add([]byte(fixture.Extra))
	for _, row := range fixture.Validation {
		f.Add([]byte(row.Content))
	}
	f.Add([]byte(`{"data":{"DEFAULT":{"a":{"resource_server":"a","scope":"","access_token":"t","expires_at_seconds":0,"x":1e999}}},"format_version":"2.0","globus-sdk.version":""}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		synctest.Test(t, func(t *testing.T) { t.Helper(); anyFile(t, data) })
	})
}

func anyFile(t *testing.T, data []byte) {
	t.Helper()
	store := open(t, filestore.Config{})
	file := path(t, store, testKey())
	write(t, file, string(data))
	before, err := store.Load(t.Context(), testKey())
	if err != nil {
		if !errors.Is(err, tokens.ErrUnreadable) {
			t.Fatalf("error %v, want ErrUnreadable", err)
		}
		if content(t, file) != string(data) {
			t.Fatal("a file that was refused was changed")
		}
		return
	}
	if _, err := store.Update(t.Context(), testKey(), withToken(t, tokens.Token{AccessToken: "added", ResourceServer: "added"})); err != nil {
		t.Fatalf("what can be read cannot be updated: %v", err)
	}
	after, err := store.Load(t.Context(), testKey())
	if err != nil || !after.Without("added").Equal(before.Without("added")) {
		t.Fatalf("after the update: %v, %v; before: %v", after, err, before)
	}
	var was, is map[string]any
	if json.Unmarshal(data, &was) == nil && json.Unmarshal([]byte(content(t, file)), &is) == nil {
		for field := range was {
			if _, kept := is[field]; !kept && field != "by_rs" {
				t.Fatalf("the field %q is lost", field)
			}
		}
	}
}
