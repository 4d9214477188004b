package globusauth_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/tokens"
)

const marker = "S3CR3T"

// No error, log or printed value of any operation contains a secret, whatever fails.
func TestClient_NoSecretInErrorsAndLogs(t *testing.T) {
	t.Parallel()
	echo := func(req *http.Request) string { // a server that echoes the request
		body := ""
		if req.GetBody != nil {
			reader, _ := req.GetBody()
			text, _ := io.ReadAll(reader)
			body = string(text)
		}
		scheme, sent, _ := strings.Cut(req.Header.Get("Authorization"), " ")
		_, password, _ := req.BasicAuth()
		text, secrets := body+" "+scheme, []string{sent, password}
		if form, err := url.ParseQuery(body); err == nil {
			for _, name := range []string{"token", "code", "code_verifier", "refresh_token"} {
				secrets = append(secrets, form[name]...)
			}
		}
		for _, secret := range secrets {
			quoted, _ := json.Marshal(secret)
			text += " " + secret + " " + base64.StdEncoding.EncodeToString([]byte(secret)) + " " + base64.URLEncoding.EncodeToString([]byte(secret)) +
				" " + url.QueryEscape(secret) + " " + string(quoted)
		}
		return text
	}
	quoted := func(req *http.Request) string {
		text, _ := json.Marshal(echo(req))
		return string(text)
	}
	failures := map[string]func(*http.Request) (int, string, error){
		"connection lost": func(req *http.Request) (int, string, error) {
			return 0, "", &net.OpError{Op: "read", Err: errors.New("reset")}
		},
		"no connection": func(req *http.Request) (int, string, error) {
			return 0, "", &net.OpError{Op: "dial", Err: errors.New("refused")}
		},
		"errors document": func(req *http.Request) (int, string, error) {
			return 403, `{"errors":[{"code":"X","detail":` + quoted(req) + `}]}`, nil
		},
		"oauth error": func(req *http.Request) (int, string, error) {
			return 400, `{"error":"invalid_grant","error_description":` + quoted(req) + `}`, nil
		},
		"unauthorized": func(req *http.Request) (int, string, error) {
			return 401, `{"error":"invalid_client","error_description":` + quoted(req) + `}`, nil
		},
		"page": func(req *http.Request) (int, string, error) { return 502, "<html>" + echo(req), nil },
		"malformed success": func(req *http.Request) (int, string, error) {
			return 200, `{"access_token":"` + marker + `-response`, nil
		},
		"wrong types": func(req *http.Request) (int, string, error) { return 200, `["` + marker + `-response"]`, nil },
		"redirect that cannot be read": func(req *http.Request) (int, string, error) {
			return 302, ":%zz?refresh_token=" + url.QueryEscape(echo(req)), nil
		},
		"redirect with a secret that was never sent": func(*http.Request) (int, string, error) {
			return 302, ":%zz?code=" + marker, nil
		},
		"redirect without end": func(req *http.Request) (int, string, error) {
			return 302, ":%zz" + strings.Repeat("a", 100_000) + echo(req), nil
		},
		"network in other words": func(req *http.Request) (int, string, error) {
			return 0, "", errors.New(strings.Repeat("a", 300) + " " + echo(req))
		},
		"page of a network": func(req *http.Request) (int, string, error) { return 200, "<html>" + echo(req), nil },
		"success": func(req *http.Request) (int, string, error) {
			return 200, `{"access_token":"` + marker + `-response"}`, nil
		},
	}
	secret := func(name string) string { return marker + "-" + name + "-value<&\"" }
	forms := []string{marker}
	for _, name := range []string{"client", "bearer", "source", "Token", "Code", "CodeVerifier", "RefreshToken"} {
		value := []byte(secret(name))
		forms = append(forms, base64.RawStdEncoding.EncodeToString(value), base64.RawURLEncoding.EncodeToString(value))
	}
	credentials := []*globusauth.Credentials{
		globusauth.Basic("id", secret("client")), globusauth.Bearer(secret("bearer")),
		globusauth.BearerFrom(sourceFunc{token: tokens.Token{AccessToken: secret("source"), RefreshToken: secret("refresh")}}),
		globusauth.Bearer(secret("bearer") + "\n"),
	}
	for name, fail := range failures {
		for i, credential := range credentials {
			t.Run(fmt.Sprint(name, i), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					var out bytes.Buffer
					logger := slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
					transport := roundTrip(func(req *http.Request) (*http.Response, error) {
						status, body, err := fail(req)
						if err != nil {
							return nil, err
						}
						header := http.Header{"Content-Type": {"application/json"}, "Set-Cookie": {marker}}
						if status == http.StatusFound {
							header.Set("Location", body)
						}
						if strings.HasPrefix(body, "<html>") {
							header.Set("Content-Type", "text/html")
						}
						return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: req}, nil
					})
					config := globusauth.Config{Credentials: credential, Logger: logger, HTTPClient: &http.Client{Transport: transport}}
					client, err := globusauth.New(config)
					if err != nil {
						t.Fatal(err)
					}
					for _, err := range callEverything(t, client, secret) {
						if len(err.Error()) > 1200 {
							t.Fatalf("an error of %d bytes", len(err.Error()))
						}
						fmt.Fprintf(&out, "%v %+v %#v %s %q\n", err, err, err, err, err)
						for e := err; e != nil; e = errors.Unwrap(e) {
							fmt.Fprintf(&out, "%v %+v %#v\n", e, e, e)
						}
						text, _ := json.Marshal(err)
						out.Write(text)
						logger.Error("failed", "error", err)
					}
					fmt.Fprintf(&out, "%v %+v %#v %v %+v %#v %+v %#v\n", client, client, client, *client, config, config, credential, credential)
					logger.Info("printed", "client", client, "credentials", credential)
					for line := range strings.Lines(out.String()) {
						if len(line) > 8000 {
							t.Fatalf("a line of %d bytes: %.100s", len(line), line)
						}
						for _, form := range forms {
							if strings.Contains(line, form) {
								t.Fatalf("a secret shows in: %s", line)
							}
						}
					}
				})
			})
		}
	}
}

// callEverything calls each exported operation once, with secrets in all strings of
// the arguments, and returns the errors.
func callEverything(t *testing.T, client *globusauth.Client, secret func(string) string) []error {
	t.Helper()
	var failed []error
	value := reflect.ValueOf(client)
	operations := 0
	for _, method := range value.Methods() {
		kind := method.Type()
		if !kind.IsVariadic() || kind.In(kind.NumIn()-1) != reflect.TypeFor[[]globusauth.CallOption]() {
			continue
		}
		operations++
		args := []reflect.Value{reflect.ValueOf(t.Context())}
		for j := 1; j < kind.NumIn()-1; j++ {
			arg := reflect.New(kind.In(j)).Elem()
			if arg.Kind() == reflect.String {
				arg.SetString("some-id")
			} else if arg.Kind() == reflect.Struct {
				fillSecrets(arg, secret)
			}
			args = append(args, arg)
		}
		results := method.Call(args)
		if err, _ := reflect.TypeAssert[error](results[len(results)-1]); err != nil {
			failed = append(failed, err)
		}
	}
	if operations < 35 {
		t.Fatalf("only %d operations found", operations)
	}
	return failed
}

func fillSecrets(form reflect.Value, secret func(string) string) {
	for _, name := range []string{"Token", "Code", "CodeVerifier", "RefreshToken"} {
		if field := form.FieldByName(name); field.IsValid() {
			field.SetString(secret(name))
		}
	}
	if grant := form.FieldByName("GrantType"); grant.IsValid() {
		grant.Set(reflect.ValueOf(gen.GrantType("refresh_token")))
	}
}
