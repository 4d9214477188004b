package storetest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/globusauth/globusauth/tokens"
)

func keysApart(t *testing.T, store tokens.Store) {
	t.Helper()
	sorted := []tokens.Key{
		{ClientID: "a", Environment: "preview", Namespace: "DEFAULT"},
		{ClientID: "a", Environment: "production", Namespace: "DEFAULT"},
		{ClientID: "a", Environment: "production", Namespace: "default"},
		{ClientID: "a", Environment: "production", Namespace: "n"},
		{ClientID: "a", Environment: "production", Address: "http://127.0.0.1:8080/", Namespace: "DEFAULT"},
		{ClientID: "a", Environment: "production", Address: "https://auth.example.org/A/", Namespace: "DEFAULT"},
		{ClientID: "a", Environment: "production", Address: "https://auth.example.org/a/", Namespace: "DEFAULT"},
		{ClientID: "b", Environment: "production", Namespace: "DEFAULT"},
		{ClientID: "b.c", Environment: "sandbox", Namespace: "n"},
	}
	putAll(t, store, sorted)
	holds(t, store, tokens.Key{ClientID: "a"}, one("1")) // the defaults
	put(t, store, tokens.Key{ClientID: "b"}, one("new"))
	holds(t, store, sorted[7], one("new"))
	holds(t, store, tokens.Key{ClientID: "a", Address: "HTTPS://Auth.Example.ORG:443/A"}, one("5")) // another spelling
	for _, key := range sorted {
		remove(t, store, key)
	}
	keys(t, store)
}

// putAll stores a set of its own under each key, the last key first.
func putAll(t *testing.T, store tokens.Store, sorted []tokens.Key) {
	t.Helper()
	for i, key := range slices.Backward(sorted) {
		put(t, store, key, one(strconv.Itoa(i)))
	}
	for i, key := range sorted {
		holds(t, store, key, one(strconv.Itoa(i)))
	}
	keys(t, store, sorted...)
}

func oddNamespaces(t *testing.T, store tokens.Store) {
	t.Helper()
	var sorted []tokens.Key
	for _, name := range []string{
		" ", "../../etc/passwd", `a\b`, "userprofile/production/x", `'"; DROP TABLE token_storage;--`, "%s%n", "*?[a-z]",
		"null", "ünïcödé \U0001f511", strings.Repeat("n", 128), "DEFAULT ", "default", "<script>&", "\u2028",
	} {
		sorted = append(sorted, tokens.Key{ClientID: "c", Environment: "production", Namespace: name})
	}
	slices.SortFunc(sorted, tokens.Key.Compare)
	putAll(t, store, sorted)
}

func badKeys(t *testing.T, store tokens.Store) {
	t.Helper()
	for name, key := range map[string]tokens.Key{
		"no client":             {},
		"path in client":        {ClientID: "../../etc"},
		"slash in client":       {ClientID: "a/b"},
		"drive in client":       {ClientID: "c:"},
		"dots":                  {ClientID: ".."},
		"NUL in client":         {ClientID: "a\x00"},
		"path in environment":   {ClientID: "c", Environment: "../x"},
		"address without host":  {ClientID: "c", Address: "/a"},
		"address with password": {ClientID: "c", Address: "https://u:p@h/"},
		"address with query":    {ClientID: "c", Address: "https://h/?q"},
		"address of a file":     {ClientID: "c", Address: "file://h/"},
		"NUL in namespace":      {ClientID: "c", Namespace: "a\x00b"},
		"line in namespace":     {ClientID: "c", Namespace: "a\nb"},
		"not UTF-8":             {ClientID: "c", Namespace: "\xff"},
		"namespace of 129":      {ClientID: "c", Namespace: strings.Repeat("n", 129)},
		"a client of megabytes": {ClientID: strings.Repeat("c", 1<<20)},
	} {
		_, loadErr := store.Load(t.Context(), key)
		_, updateErr := store.Update(t.Context(), key, to(one("A")))
		deleteErr := store.Delete(t.Context(), key)
		if loadErr == nil || updateErr == nil || deleteErr == nil {
			t.Errorf("%s: accepted (%v, %v, %v)", name, loadErr, updateErr, deleteErr)
		}
	}
	keys(t, store)
}

func oddValues(t *testing.T, store tokens.Store) {
	t.Helper()
	put(t, store, aKey(), must(tokens.NewSet(
		tokens.Token{AccessToken: `a"b\c'd`, RefreshToken: "<>&", TokenType: "%s", Scope: "[] *", ResourceServer: `"quoted" \ server`, IdentityID: "ü\u2028"},
		tokens.Token{AccessToken: "no known expiry", ResourceServer: "null"},
		tokens.Token{AccessToken: "first", ResourceServer: " ", Expiry: time.Unix(1, 0), Lifetime: time.Second},
		tokens.Token{AccessToken: "last", ResourceServer: "data", Expiry: time.Unix(253402300799, 0), Lifetime: 1<<63 - 1},
	)))
}

func bigSets(t *testing.T, store tokens.Store) {
	t.Helper()
	var list []tokens.Token
	for i := range 60 {
		list = append(list, tokens.Token{
			AccessToken: strings.Repeat("a", 4000) + strconv.Itoa(i), RefreshToken: strings.Repeat("r", 4000),
			ResourceServer: fmt.Sprint("server-", i), Expiry: time.Unix(1700000000, 0),
		})
	}
	put(t, store, aKey(), must(tokens.NewSet(list...)))
	put(t, store, aKey(), one("small again"))
}
