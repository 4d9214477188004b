package origin_test

import (
	"net/url"
	"testing"

	"github.com/globusauth/globusauth/internal/origin"
)

func TestLoopback_AddressForms(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST": true, "127.0.0.1": true, "127.8.8.8": true, "::1": true, "0:0:0:0:0:0:0:1": true, "::ffff:127.0.0.1": true,
		"": false, "localhost.": false, "localhost.example.org": false, "127.0.0.1.example.org": false, "0.0.0.0": false, "::": false,
		"192.168.0.1": false, "127.1": false, "2130706433": false, "[::1]": false, "localhost:80": false,
	} {
		if got := origin.Loopback(host); got != want {
			t.Errorf("Loopback(%q) = %v", host, got)
		}
	}
}

func TestHostPort_DefaultPort(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"https://API.Example.ORG/path": "api.example.org:443",
		"https://api.example.org:443":  "api.example.org:443",
		"https://api.example.org:":     "api.example.org:443",
		"http://localhost":             "localhost:80",
		"http://[::1]:8080/":           "[::1]:8080",
		"https://u:p@h.example":        "h.example:443",
	} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := origin.HostPort(u); got != want {
			t.Errorf("HostPort(%s) = %s, want %s", raw, got, want)
		}
	}
}

func TestSameIssuer_SlashAtEnd(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		one, other string
		want       bool
	}{
		{"https://auth.globus.org", "https://auth.globus.org", true},
		{"https://auth.globus.org/", "https://auth.globus.org", true},
		{"https://auth.globus.org", "https://auth.globus.org/", true},
		{"https://auth.globus.org//", "https://auth.globus.org", false},
		{"https://auth.globus.org", "https://AUTH.globus.org", false},
		{"https://auth.globus.org", "http://auth.globus.org", false},
		{"https://auth.globus.org", "", false},
		{"", "", false},
	} {
		if got := origin.SameIssuer(row.one, row.other); got != row.want {
			t.Errorf("SameIssuer(%q, %q) = %v", row.one, row.other, got)
		}
	}
}
