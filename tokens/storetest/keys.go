package storetest

import (
	"slices"
	"strconv"
	"strings"

	"github.com/globusauth/globusauth/tokens"
)

func keys(w *twin) {
	list := []tokens.Key{
		{ClientID: "a", Environment: "preview", Namespace: "DEFAULT"},
		{ClientID: "a", Environment: "production", Namespace: "DEFAULT"},
		{ClientID: "a", Environment: "production", Namespace: "n"},
		{ClientID: "a", Environment: "production", Address: "http://127.0.0.1:8080/", Namespace: "DEFAULT"},
		{ClientID: "a", Environment: "production", Address: "https://auth.example.org/A/", Namespace: "DEFAULT"},
		{ClientID: "a", Environment: "production", Address: "https://auth.example.org/a/", Namespace: "DEFAULT"},
		{ClientID: "b", Environment: "production", Namespace: "DEFAULT"},
		{ClientID: "b.c", Environment: "sandbox", Namespace: "n"},
	}
	for _, name := range []string{
		" ", "../../etc/passwd", `a\b`, "userprofile/production/x", `'"; DROP TABLE token_storage;--`, "%s%n", "*?[a-z]",
		"null", "ünïcödé \U0001f511", strings.Repeat("n", 128), "DEFAULT ", "default", "<script>&", "\u2028",
	} {
		list = append(list, tokens.Key{ClientID: "a", Namespace: name})
	}
	for i, key := range slices.Backward(list) {
		w.put(key, one(strconv.Itoa(i)))
	}
	w.put(tokens.Key{ClientID: "a"}, one("the defaults"))
	w.put(tokens.Key{ClientID: "a", Address: "HTTPS://Auth.Example.ORG:443/A"}, one("another spelling"))
	if len(w.want) != len(list) {
		w.Errorf("%d keys, want %d", len(w.want), len(list))
	}
	for _, key := range list {
		w.remove(key)
	}
}

func badKeys(w *twin) {
	store := w.next()
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
		_, loadErr := store.Load(w.Context(), key)
		_, updateErr := store.Update(w.Context(), key, w.refused)
		deleteErr := store.Delete(w.Context(), key)
		if loadErr == nil || updateErr == nil || deleteErr == nil {
			w.Errorf("%s: accepted (%v, %v, %v)", name, loadErr, updateErr, deleteErr)
		}
	}
	w.holds(aKey(), tokens.Set{})
}
