package tokens_test

import (
	"testing"

	"github.com/globusauth/globusauth/tokens"
)

// A file or a row of a database is found again however the address is written.
func TestKeyNormal_OneSpelling(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"":                                "",
		"HTTPS://Auth.Example.ORG:443/A":  "https://auth.example.org/A/",
		"https://auth.example.org":        "https://auth.example.org/",
		"https://auth.example.org:80///":  "https://auth.example.org:80/",
		"http://LOCALHOST:80/":            "http://localhost/",
		"http://localhost:443":            "http://localhost:443/",
		"http://[::1]:80/a%2Fb/":          "http://[::1]/a%2Fb/",
		"http://[::1]:8080":               "http://[::1]:8080/",
		"https://auth.example.org:/x/../": "https://auth.example.org/x/../",
	} {
		key, err := tokens.Key{ClientID: "c", Address: given}.Normal()
		if want := (tokens.Key{ClientID: "c", Environment: "production", Address: want, Namespace: "DEFAULT"}); err != nil || key != want {
			t.Errorf("%q: got %v, %v; want %v", given, key, err, want)
		}
	}
}
