package tokens_test

import (
	"strings"
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

func TestKeyNormal_ErrorShowsNoPassword(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"https://u:S3CR3T@h", "https://u:S3CR3T@h\n", "u:S3CR3T@h", "https://u:S3CR3T@%zz", "https://u:S3CR3T@h/" + strings.Repeat("x", 128)} {
		_, err := tokens.Key{ClientID: "c", Address: address}.Normal()
		if err == nil || strings.Contains(err.Error(), "S3CR3T") {
			t.Errorf("%q: got %v", address, err)
		}
	}
}
