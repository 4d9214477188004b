package storetest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/globusauth/globusauth/tokens"
)

func keysApart(f fresh) {
	t, store := f.t, f.store
	full := func(client, environment, namespace string) tokens.Key {
		return tokens.Key{ClientID: client, Environment: environment, Namespace: namespace}
	}
	sorted := []tokens.Key{
		full("a", "preview", "DEFAULT"),
		full("a", "production", "DEFAULT"),
		full("a", "production", "default"),
		full("a", "production", "n"),
		{ClientID: "a", Environment: "production", Address: "http://127.0.0.1:8080/", Namespace: "DEFAULT"},
		{ClientID: "a", Environment: "production", Address: "https://auth.example.org/A/", Namespace: "DEFAULT"},
		{ClientID: "a", Environment: "production", Address: "https://auth.example.org/a/", Namespace: "DEFAULT"},
		full("b", "production", "DEFAULT"),
		full("b.c", "sandbox", "n"),
	}
	for i, key := range slices.Backward(sorted) {
		put(t, store, key, one(fmt.Sprint(i)))
	}
	for i, key := range sorted {
		holds(t, store, key, one(fmt.Sprint(i)))
	}
	keys(t, store, sorted...)
	holds(t, store, tokens.Key{ClientID: "a"}, one("1")) // the defaults
	put(t, store, tokens.Key{ClientID: "b"}, one("new"))
	holds(t, store, sorted[7], one("new"))
	holds(t, store, tokens.Key{ClientID: "a", Address: "HTTPS://Auth.Example.ORG:443/A"}, one("5")) // another spelling
	for _, key := range sorted {
		if err := store.Delete(t.Context(), key); err != nil {
			t.Fatalf("Delete: %v", err)
		}
	}
	keys(t, store)
}

func oddNamespaces(f fresh) {
	t, store := f.t, f.store
	names := []string{
		" ", "../../etc/passwd", `a\b`, "userprofile/production/x", `'"; DROP TABLE token_storage;--`, "%s%n", "*?[a-z]",
		"null", "ünïcödé \U0001f511", strings.Repeat("n", 128), "DEFAULT ", "default", "<script>&", "\u2028",
	}
	slices.Sort(names)
	var all []tokens.Key
	for i, name := range names {
		key := tokens.Key{ClientID: "c", Environment: "production", Namespace: name}
		all = append(all, key)
		put(t, store, key, one(fmt.Sprint(i)))
	}
	for i, key := range all {
		holds(t, store, key, one(fmt.Sprint(i)))
	}
	keys(t, store, all...)
}

func badKeys(f fresh) {
	t, store := f.t, f.store
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
		_, updateErr := store.Update(t.Context(), key, func(tokens.Set) (tokens.Set, error) { return one("A"), nil })
		deleteErr := store.Delete(t.Context(), key)
		if loadErr == nil || updateErr == nil || deleteErr == nil {
			t.Errorf("%s: accepted (%v, %v, %v)", name, loadErr, updateErr, deleteErr)
		}
	}
	keys(t, store)
}

func oddValues(f fresh) {
	t, store := f.t, f.store
	set := must(tokens.NewSet(
		tokens.Token{AccessToken: `a"b\c'd`, RefreshToken: "<>&", TokenType: "%s", Scope: "[] *", ResourceServer: `"quoted" \ server`, IdentityID: "ü\u2028"},
		tokens.Token{AccessToken: "no known end", ResourceServer: "null"},
		tokens.Token{AccessToken: "first", ResourceServer: " ", Expiry: time.Unix(1, 0), Lifetime: time.Second},
		tokens.Token{AccessToken: "last", ResourceServer: "data", Expiry: time.Unix(253402300799, 0), Lifetime: 1<<63 - 1},
	))
	put(t, store, aKey(), set)
	holds(t, store, aKey(), set)
}

func bigSets(f fresh) {
	t, store := f.t, f.store
	list := make([]tokens.Token, 60)
	for i := range list {
		list[i] = tokens.Token{
			AccessToken: strings.Repeat("a", 4000) + strconv.Itoa(i), RefreshToken: strings.Repeat("r", 4000),
			ResourceServer: "server-" + strconv.Itoa(i), Expiry: time.Unix(1700000000, 0),
		}
	}
	set := must(tokens.NewSet(list...))
	put(t, store, aKey(), set)
	holds(t, store, aKey(), set)
	put(t, store, aKey(), one("small again"))
	holds(t, store, aKey(), one("small again"))
}
