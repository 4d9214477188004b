package globusauth_test

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/globusauth/globusauth"
)

func TestNew_InvalidConfig(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		config globusauth.Config
		want   string
	}{
		"unknown environment":         {globusauth.Config{Environment: "prod"}, `unknown environment "prod"`},
		"relative base URL":           {globusauth.Config{BaseURL: "auth.globus.org"}, "not an absolute URL"},
		"other scheme":                {globusauth.Config{BaseURL: "ftp://auth.globus.org"}, "must be https"},
		"plain http":                  {globusauth.Config{BaseURL: "http://auth.example.org"}, "would send tokens unencrypted"},
		"password in URL":             {globusauth.Config{BaseURL: "https://me:hunter22@auth.example.org"}, "use Credentials"},
		"password in what is no URL":  {globusauth.Config{BaseURL: "https://me:hunter22@auth.example.org:port"}, "not an absolute URL"},
		"query in URL":                {globusauth.Config{BaseURL: "https://auth.example.org?a=hunter22"}, "query or a fragment"},
		"separator in app name":       {globusauth.Config{AppName: "a;b"}, "not allowed in request headers"},
		"newline in app name":         {globusauth.Config{AppName: "a\nb"}, "not allowed in request headers"},
		"version without name":        {globusauth.Config{AppVersion: "1"}, "without AppName"},
		"two sources of TLS settings": {globusauth.Config{HTTPClient: &http.Client{}, UnsafeSkipTLSVerify: true}, "has its own TLS settings"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := globusauth.New(test.config)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("New(%+v) = %v, want an error with %q", test.config, err, test.want)
			}
			if strings.Contains(err.Error(), "hunter22") {
				t.Fatalf("the error shows the password: %v", err)
			}
		})
	}
}

func TestNew_BaseURLOfEnvironments(t *testing.T) {
	t.Parallel()
	var vectors struct {
		BaseURLs map[string]map[string]string `json:"base_urls"`
	}
	readJSON(t, "testdata/vectors.json", &vectors)
	if len(vectors.BaseURLs) < 6 {
		t.Fatalf("only %d environments in the vectors", len(vectors.BaseURLs))
	}
	for environment, urls := range vectors.BaseURLs {
		client, err := globusauth.New(globusauth.Config{Environment: environment})
		if err != nil {
			t.Fatal(err)
		}
		if client.BaseURL() != urls["auth"] || client.Environment() != environment {
			t.Errorf("%s: %s, want %s", environment, client.BaseURL(), urls["auth"])
		}
	}
	client, err := globusauth.New(globusauth.Config{BaseURL: "https://proxy.example.org/globus"})
	if err != nil || client.BaseURL() != "https://proxy.example.org/globus/" {
		t.Errorf("a base URL with a path: %v, %v", client, err)
	}
}

// The environment of the process is shared, so this test is not parallel.
func TestFromEnvironment(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"keys":[]}`))
	}))
	t.Cleanup(server.Close)
	pemFile := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(pemFile, block, 0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	type env = map[string]string
	for _, test := range []struct {
		name  string
		env   env
		err   string
		check func(globusauth.Config) error
	}{
		{"nothing set", env{}, "", func(c globusauth.Config) error {
			return expect(c.Environment == "" && c.BaseURL == "" && c.Timeout == 0, c)
		}},
		{"environment", env{"GLOBUS_SDK_ENVIRONMENT": "preview"}, "", func(c globusauth.Config) error { return expect(c.Environment == "preview", c) }},
		{"unknown environment", env{"GLOBUS_SDK_ENVIRONMENT": "nowhere"}, `GLOBUS_SDK_ENVIRONMENT: unknown environment "nowhere"`, nil},
		{"address wins", env{"GLOBUS_SDK_ENVIRONMENT": "preview", "GLOBUS_SDK_SERVICE_URL_AUTH": "http://auth.test:8080"}, "", func(c globusauth.Config) error { return expect(c.BaseURL == "http://auth.test:8080", c) }},
		{"bad address", env{"GLOBUS_SDK_SERVICE_URL_AUTH": "auth"}, "GLOBUS_SDK_SERVICE_URL_AUTH", nil},
		{"timeout", env{"GLOBUS_SDK_HTTP_TIMEOUT": "2.5"}, "", func(c globusauth.Config) error { return expect(c.Timeout == 2500*time.Millisecond, c) }},
		{"no timeout", env{"GLOBUS_SDK_HTTP_TIMEOUT": "-1"}, "", func(c globusauth.Config) error { return expect(c.Timeout == -1, c) }},
		{"-1 as a float", env{"GLOBUS_SDK_HTTP_TIMEOUT": "-1.0"}, "", func(c globusauth.Config) error { return expect(c.Timeout == -1, c) }},
		{"zero timeout", env{"GLOBUS_SDK_HTTP_TIMEOUT": "0"}, "is not a positive number", nil},
		{"timeout in words", env{"GLOBUS_SDK_HTTP_TIMEOUT": "soon"}, "is not a positive number of seconds", nil},
		{"NaN", env{"GLOBUS_SDK_HTTP_TIMEOUT": "NaN"}, "is not a positive number of seconds", nil},
		{"endless", env{"GLOBUS_SDK_HTTP_TIMEOUT": "1e300"}, "is not a positive number", nil},
		{"verify", env{"GLOBUS_SDK_VERIFY_SSL": "Yes"}, "", func(c globusauth.Config) error { return expect(!c.UnsafeSkipTLSVerify && c.RootCAs == nil, c) }},
		{"do not verify", env{"GLOBUS_SDK_VERIFY_SSL": "OFF"}, "", func(c globusauth.Config) error { return expect(c.UnsafeSkipTLSVerify, c) }},
		{"CA file", env{"GLOBUS_SDK_VERIFY_SSL": pemFile}, "", func(c globusauth.Config) error { return expect(c.RootCAs != nil, c) }},
		{"missing CA file", env{"GLOBUS_SDK_VERIFY_SSL": "/no/such/file"}, "GLOBUS_SDK_VERIFY_SSL: not a boolean", nil},
		{"CA directory", env{"GLOBUS_SDK_VERIFY_SSL": t.TempDir()}, "not a boolean and not a readable file", nil},
		{"CA device", env{"GLOBUS_SDK_VERIFY_SSL": os.DevNull}, "is no regular file", nil},
		{"empty CA file", env{"GLOBUS_SDK_VERIFY_SSL": empty}, "has no CA certificate", nil},
		{"two problems", env{"GLOBUS_SDK_HTTP_TIMEOUT": "x", "GLOBUS_SDK_ENVIRONMENT": "y"}, "GLOBUS_SDK_HTTP_TIMEOUT", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, name := range []string{"GLOBUS_SDK_ENVIRONMENT", "GLOBUS_SDK_SERVICE_URL_AUTH", "GLOBUS_SDK_HTTP_TIMEOUT", "GLOBUS_SDK_VERIFY_SSL"} {
				t.Setenv(name, test.env[name])
			}
			config, err := globusauth.FromEnvironment()
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("got %v, want an error with %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := test.check(config); err != nil {
				t.Fatal(err)
			}
			if _, err := globusauth.New(config); err != nil {
				t.Fatalf("New refuses what FromEnvironment returned: %v", err)
			}
		})
	}
	t.Run("the CA file is used", func(t *testing.T) {
		t.Setenv("GLOBUS_SDK_SERVICE_URL_AUTH", server.URL)
		for value, works := range map[string]bool{pemFile: true, "": false, "0": true} {
			t.Setenv("GLOBUS_SDK_VERIFY_SSL", value)
			config, err := globusauth.FromEnvironment()
			if err != nil {
				t.Fatal(err)
			}
			config.Logger = slog.New(slog.DiscardHandler)
			client, err := globusauth.New(config)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := client.GetJWKS(t.Context()); (err == nil) != works {
				t.Errorf("GLOBUS_SDK_VERIFY_SSL=%q: %v", value, err)
			}
		}
	})
}

func TestNew_WarnsOfUnverifiedCertificates(t *testing.T) {
	t.Parallel()
	var logged bytes.Buffer
	_, err := globusauth.New(globusauth.Config{UnsafeSkipTLSVerify: true, Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(logged.String(), "level=WARN") || !strings.Contains(logged.String(), "not verified") {
		t.Errorf("no warning in %q", logged.String())
	}
}

func expect(ok bool, config globusauth.Config) error {
	if ok {
		return nil
	}
	return fmt.Errorf("unexpected configuration %+v", config)
}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

func TestClientAddress_EnvironmentsOwnIsEmpty(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ environment, base, want string }{
		{"", "", ""},
		{"preview", "", ""},
		{"", "https://AUTH.globus.org:443", ""},
		{"", "https://auth.globus.org/proxy", "https://auth.globus.org/proxy/"},
		{"", "https://auth.preview.globus.org", "https://auth.preview.globus.org/"},
		{"of-its-own", "http://127.0.0.1:1", "http://127.0.0.1:1/"},
	} {
		client, err := globusauth.New(globusauth.Config{Environment: row.environment, BaseURL: row.base})
		if err != nil {
			t.Fatal(err)
		}
		if got := client.Address(); got != row.want {
			t.Errorf("environment %q, base %q: address %q, want %q", row.environment, row.base, got, row.want)
		}
	}
}

func TestConfigTimeout(t *testing.T) {
	t.Parallel()
	own := &http.Client{Timeout: 5 * time.Second}
	for _, test := range []struct {
		config globusauth.Config
		want   time.Duration
	}{
		{globusauth.Config{}, time.Minute},
		{globusauth.Config{Timeout: time.Second}, time.Second},
		{globusauth.Config{Timeout: -1}, 0},
		{globusauth.Config{HTTPClient: own}, 5 * time.Second},
		{globusauth.Config{HTTPClient: own, Timeout: time.Second}, time.Second},
	} {
		client, err := globusauth.New(test.config)
		if err != nil {
			t.Fatal(err)
		}
		if got := client.HTTPClient().Timeout; got != test.want {
			t.Errorf("%+v: %v, want %v", test.config, got, test.want)
		}
	}
}
