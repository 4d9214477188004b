package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/globusauth/globusauth/cmd/globus-auth/internal/cli"
)

func TestGuard_Usage(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		config, secret string
		args           []string
		want           string
	}{
		"unknown key":      {"client_id: a\nupstraem: b\n", "secret", nil, "line 2: field upstraem not found"},
		"no secret":        {"client_id: a\nupstream: http://b\n", "", nil, "set GLOBUS_AUTH_CLIENT_SECRET, or client_secret_file"},
		"no secret file":   {"client_id: a\nupstream: http://b\nclient_secret_file: nowhere\n", "", nil, "nowhere"},
		"log":              {"client_id: a\nupstream: http://b\n", "secret", []string{"--log", "xml"}, `"xml" is invalid: must be one of text, json`},
		"certificate":      {"client_id: a\nupstream: http://b\ntls: {certificate_file: nowhere, key_file: nowhere}\n", "secret", nil, "nowhere"},
		"address":          {"client_id: a\nupstream: http://b\nlisten: nowhere\n", "secret", nil, "listen"},
		"address of admin": {"client_id: a\nupstream: http://b\nlisten: 127.0.0.1:0\nadmin: nowhere\n", "secret", nil, "admin"},
		"argument":         {"client_id: a\nupstream: http://b\n", "secret", []string{"more"}, "too many arguments"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stderr := runGuard(t.Context(), t, test.config, test.secret, io.Discard, test.args...)
			if code == cli.ExitOK || !strings.Contains(stderr, test.want) || strings.Contains(stderr, "secret\n") {
				t.Errorf("exit %d, %q, want %q", code, stderr, test.want)
			}
		})
	}
	if code, stderr := runGuard(t.Context(), t, "client_id: a\nupstream: http://b\n", "secret", io.Discard, "--check"); code != cli.ExitOK || stderr != "" {
		t.Errorf("--check: exit %d: %s", code, stderr)
	}
}

func TestGuard_ServesUntilInterrupted(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	code := make(chan int, 1)
	go func() {
		result, _ := runGuard(ctx, t, "client_id: a\nforward_auth: nginx\nlisten: 127.0.0.1:0\nadmin: 127.0.0.1:0\n", "secret", writer)
		code <- result
	}()
	var addresses struct{ Admin string }
	if err := json.NewDecoder(reader).Decode(&addresses); err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addresses.Admin+"/healthz", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("healthz: status %d", response.StatusCode)
	}
	stop()
	<-code
}

func runGuard(ctx context.Context, t *testing.T, config, secret string, out io.Writer, args ...string) (code int, stderr string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "guard.yaml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Error(err)
	}
	var errors bytes.Buffer
	code = cli.Run(ctx, append([]string{"guard", "--config", path}, args...), cli.Streams{In: strings.NewReader(""), Out: out, Err: &errors},
		func(name string) string {
			if name == "GLOBUS_AUTH_CLIENT_SECRET" {
				return secret
			}
			return ""
		})
	return code, errors.String()
}
