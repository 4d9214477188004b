package globusauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/tokens"
)

// serve starts a server and returns a client of it. The base URL has a path,
// so that an absolute path in the client would show.
func serve(t *testing.T, config globusauth.Config, handler http.HandlerFunc) *globusauth.Client {
	t.Helper()
	server := httptest.NewServer(http.StripPrefix("/base", handler))
	t.Cleanup(server.Close)
	config.BaseURL = server.URL + "/base"
	config.HTTPClient = server.Client()
	client, err := globusauth.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func respond(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func TestClient_CredentialsByOperation(t *testing.T) {
	t.Parallel()
	getProjects := func(c *globusauth.Client) error { _, err := c.GetProjects(t.Context()); return err }
	getKeys := func(c *globusauth.Client) error { _, err := c.GetJWKS(t.Context()); return err }
	introspect := func(c *globusauth.Client) error {
		_, err := c.Introspect(t.Context(), gen.IntrospectRequest{Token: "some-token"})
		return err
	}
	token := func(c *globusauth.Client) error {
		_, err := c.Token(t.Context(), gen.TokenRequest{GrantType: "refresh_token", ClientID: "id", RefreshToken: "r"})
		return err
	}
	getClient := func(c *globusauth.Client) error { _, err := c.GetClient(t.Context(), "id"); return err }
	source := func(token tokens.Token) *globusauth.Credentials {
		return globusauth.BearerFrom(sourceFunc{token: token})
	}
	const basic = "Basic dXNlcjpwOsOkKy8g"
	for _, test := range []struct {
		name        string
		credentials *globusauth.Credentials
		call        func(*globusauth.Client) error
		header, err string
	}{
		{"bearer for the API", globusauth.Bearer("AAA"), getProjects, "Bearer AAA", ""},
		{"a source for the API", source(tokens.Token{AccessToken: "SSS", ResourceServer: "auth.globus.org"}), getProjects, "Bearer SSS", ""},
		{"a source without a name", source(tokens.Token{AccessToken: "SSS"}), getProjects, "Bearer SSS", ""},
		{"another service's token", source(tokens.Token{AccessToken: "SSS", ResourceServer: "transfer.api.globus.org"}), getProjects, "", `the token is for "transfer.api.globus.org"`},
		{"no token in the source", source(tokens.Token{}), getProjects, "", "access token is empty"},
		{"no source", globusauth.BearerFrom(nil), getProjects, "", "token source is nil"},
		{"token with its newline", globusauth.Bearer("AAA\n"), getProjects, "", "contains a space, a newline"},
		{"none for the API", nil, getProjects, "", "it takes a Bearer token; set Config.Credentials"},
		{"basic for the bearer-only API", globusauth.Basic("user", "p"), getProjects, "", "it takes a Bearer token, the client has Basic(user)"},
		{"basic for a client's own record", globusauth.Basic("user", "p:ä+/ "), getClient, basic, ""},
		{"basic for introspection, not form-escaped", globusauth.Basic("user", "p:ä+/ "), introspect, basic, ""},
		{"bearer for introspection", globusauth.Bearer("AAA"), introspect, "", "it takes a client's Basic credentials"},
		{"basic at the token endpoint", globusauth.Basic("user", "p:ä+/ "), token, basic, ""},
		{"no bearer at the token endpoint", globusauth.Bearer("AAA"), token, "", ""},
		{"none for public documents", globusauth.Bearer("AAA"), getKeys, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var got atomic.Value
			client := serve(t, globusauth.Config{}, func(w http.ResponseWriter, r *http.Request) {
				got.Store(r.Header.Get("Authorization"))
				respond(w, http.StatusOK, `{}`)
			}).WithCredentials(test.credentials)
			err := test.call(client)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("got %v, want an error with %q", err, test.err)
				}
				if got.Load() != nil {
					t.Fatal("the request was sent nevertheless")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.Load() != test.header {
				t.Errorf("Authorization is %q, want %q", got.Load(), test.header)
			}
		})
	}
	t.Run("the error has a class", func(t *testing.T) {
		t.Parallel()
		client, err := globusauth.New(globusauth.Config{})
		if err != nil {
			t.Fatal(err)
		}
		if err := getProjects(client); !errors.Is(err, globusauth.ErrNoCredentials) {
			t.Errorf("got %v", err)
		}
		if err := getProjects(client.WithCredentials(globusauth.Basic("a", "b"))); !errors.Is(err, globusauth.ErrNoCredentials) {
			t.Errorf("got %v", err)
		}
	})
}

type sourceFunc struct {
	token tokens.Token
	err   error
}

func (s sourceFunc) Token(context.Context) (tokens.Token, error) { return s.token, s.err }

// renewing returns token-1, and the next token after each renewal.
type renewing struct {
	renewals atomic.Int64
	rejected atomic.Value
	err      error
}

func (s *renewing) Token(context.Context) (tokens.Token, error) {
	return tokens.Token{AccessToken: fmt.Sprintf("token-%d", s.renewals.Load()+1)}, nil
}

func (s *renewing) Renew(ctx context.Context, rejected tokens.Token) (tokens.Token, error) {
	s.rejected.Store(rejected.AccessToken)
	if s.err != nil {
		return tokens.Token{}, s.err
	}
	s.renewals.Add(1)
	return s.Token(ctx)
}

func TestBasic_InvalidCharacters(t *testing.T) {
	t.Parallel()
	for name, credentials := range map[string]*globusauth.Credentials{
		"client ID contains a colon":   globusauth.Basic("a:b", "c"), // RFC 7617 section 2
		"contains a newline":           globusauth.Basic("a", "secret\n"),
		"or another control character": globusauth.Basic("a\x00", "secret"),
	} {
		if _, err := globusauth.New(globusauth.Config{Credentials: credentials}); err == nil || !strings.Contains(err.Error(), "globusauth: Config.Credentials: ") || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: New gives %v", name, err)
		}
		client := serve(t, globusauth.Config{}, func(http.ResponseWriter, *http.Request) { t.Errorf("%s: a request was sent", name) })
		if _, err := client.WithCredentials(credentials).GetClient(t.Context(), "id"); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: a call gives %v", name, err)
		}
	}
}

func TestBearerFrom_RenewsARefusedTokenOnce(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name               string
		source             *renewing
		goodToken          string
		requests, renewals int64
		wantErr            error
	}{
		{"the new token works", &renewing{}, "Bearer token-2", 2, 1, nil},
		{"the new token is refused as well", &renewing{}, "Bearer token-9", 2, 1, apierror.ErrUnauthorized},
		{"no renewal possible", &renewing{err: tokens.ErrLoginRequired}, "Bearer token-9", 1, 0, tokens.ErrLoginRequired},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int64
			client := serve(t, globusauth.Config{Credentials: globusauth.BearerFrom(test.source)}, func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				body, _ := io.ReadAll(r.Body)
				if string(body) != `{"project":{"contact_email":"","display_name":"x"}}` {
					t.Errorf("request %d has the body %q", requests.Load(), body)
				}
				if r.Header.Get("Authorization") == test.goodToken {
					respond(w, http.StatusOK, `{"project":{"id":"p"}}`)
					return
				}
				respond(w, http.StatusUnauthorized, `{"errors":[{"code":"UNAUTHORIZED","status":"401"}]}`)
			})
			_, err := client.CreateProject(t.Context(), gen.CreateProjectBody{Project: gen.ProjectCreate{DisplayName: "x"}})
			if !errors.Is(err, test.wantErr) {
				t.Errorf("got %v, want %v", err, test.wantErr)
			}
			if requests.Load() != test.requests || test.source.renewals.Load() != test.renewals {
				t.Errorf("%d requests and %d renewals, want %d and %d", requests.Load(), test.source.renewals.Load(), test.requests, test.renewals)
			}
			if test.source.rejected.Load() != "token-1" {
				t.Errorf("the rejected token is %v", test.source.rejected.Load())
			}
		})
	}
	t.Run("a fixed token is not retried", func(t *testing.T) {
		t.Parallel()
		var requests atomic.Int64
		client := serve(t, globusauth.Config{Credentials: globusauth.Bearer("AAA")}, func(w http.ResponseWriter, _ *http.Request) {
			requests.Add(1)
			respond(w, http.StatusUnauthorized, `{}`)
		})
		if _, err := client.GetProjects(t.Context()); !errors.Is(err, apierror.ErrUnauthorized) || requests.Load() != 1 {
			t.Errorf("%v after %d requests", err, requests.Load())
		}
	})
}

func TestClient_Redirects(t *testing.T) {
	t.Parallel()
	var elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		elsewhere.Add(1)
		respond(w, http.StatusOK, `{}`)
	}))
	t.Cleanup(other.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		for name, call := range map[string]func(*globusauth.Client) error{
			"GET":  func(c *globusauth.Client) error { _, err := c.GetProjects(t.Context()); return err },
			"keys": func(c *globusauth.Client) error { _, err := c.GetJWKS(t.Context()); return err },
			"POST": func(c *globusauth.Client) error {
				_, err := c.Token(t.Context(), gen.TokenRequest{GrantType: "authorization_code", Code: "CODE", ClientID: "id"})
				return err
			},
		} {
			t.Run(fmt.Sprint(name, status), func(t *testing.T) {
				t.Parallel()
				client := serve(t, globusauth.Config{Credentials: globusauth.Bearer("AAA")}, func(w http.ResponseWriter, r *http.Request) {
					http.Redirect(w, r, other.URL+"/stolen", status)
				})
				if err := call(client); !errors.Is(err, globusauth.ErrRedirect) {
					t.Errorf("got %v", err)
				}
			})
		}
	}
	t.Cleanup(func() {
		if n := elsewhere.Load(); n != 0 {
			t.Errorf("%d requests reached the other host", n)
		}
	})
	t.Run("within the service it is followed", func(t *testing.T) {
		t.Parallel()
		client := serve(t, globusauth.Config{Credentials: globusauth.Bearer("AAA")}, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/v2/api/projects" {
				http.Redirect(w, r, "/base/moved", http.StatusTemporaryRedirect)
				return
			}
			respond(w, http.StatusOK, `{"projects":[{"id":"`+r.Header.Get("Authorization")+`"}]}`)
		})
		list, err := client.GetProjects(t.Context())
		if err != nil || len(list.Projects) != 1 || list.Projects[0].ID != "Bearer AAA" {
			t.Errorf("got %+v, %v", list, err)
		}
	})
	t.Run("in a circle it ends", func(t *testing.T) {
		t.Parallel()
		client := serve(t, globusauth.Config{}, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/base/jwk.json", http.StatusFound)
		})
		if _, err := client.GetJWKS(t.Context()); !errors.Is(err, globusauth.ErrRedirect) {
			t.Errorf("got %v", err)
		}
	})
}

func TestClient_LengthOfResponse(t *testing.T) {
	t.Parallel()
	const limit = 8 << 20
	for name, test := range map[string]struct {
		length  int
		chunked bool
		want    error
	}{
		"exactly the limit": {limit, false, nil},
		"announced":         {limit + 1, false, globusauth.ErrResponseTooLarge},
		"unannounced":       {limit + 1, true, globusauth.ErrResponseTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int64
			client := serve(t, globusauth.Config{}, func(w http.ResponseWriter, _ *http.Request) {
				requests.Add(1)
				if !test.chunked {
					w.Header().Set("Content-Length", fmt.Sprint(test.length))
				} else if flusher, ok := w.(http.Flusher); ok {
					flusher.Flush()
				}
				_, _ = io.WriteString(w, `{"keys":[]}`+strings.Repeat(" ", test.length-11))
			})
			if _, err := client.GetJWKS(t.Context()); !errors.Is(err, test.want) || requests.Load() != 1 {
				t.Errorf("%v after %d requests", err, requests.Load())
			}
		})
	}
}

func TestClientToken_MalformedResponses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ body, want string }{
		"empty":         {"", "not valid JSON"},
		"truncated":     {`{"access_token":"SECRET-`, "not valid JSON at byte"},
		"a page":        {"<html>SECRET-</html>", "not valid JSON at byte 0"},
		"not an object": {`"SECRET-"`, "has another type than the operation returns"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := serve(t, globusauth.Config{}, func(w http.ResponseWriter, _ *http.Request) { respond(w, http.StatusOK, test.body) })
			_, err := client.Token(t.Context(), gen.TokenRequest{GrantType: "client_credentials"})
			if !errors.Is(err, globusauth.ErrMalformedResponse) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if strings.Contains(fmt.Sprintf("%+v", err), "SECRET-") {
				t.Errorf("the error quotes the response: %v", err)
			}
		})
	}
}

func TestClient_ResponsesInSeveralForms(t *testing.T) {
	t.Parallel()
	get := func(t *testing.T, body string) *globusauth.Client {
		t.Helper()
		return serve(t, globusauth.Config{Credentials: globusauth.Bearer("AAA")}, func(w http.ResponseWriter, _ *http.Request) { respond(w, http.StatusOK, body) })
	}
	t.Run("scope", func(t *testing.T) {
		t.Parallel()
		for _, body := range []string{`{"scope":{"id":"s","name":"n"}}`, `{"scopes":[{"id":"s","name":"n"}]}`} {
			got, err := get(t, body).CreateScope(t.Context(), "client", gen.CreateScopeBody{})
			if err != nil || got.Scope.ID != "s" || len(got.Scopes) != 1 || got.Scopes[0].Name != "n" {
				t.Errorf("%s is read as %+v, %v", body, got, err)
			}
		}
	})
	t.Run("clients", func(t *testing.T) {
		t.Parallel()
		for _, body := range []string{`{"client":{"id":"c"}}`, `{"clients":[{"id":"c"}]}`} {
			got, err := get(t, body).GetClients(t.Context(), nil)
			if err != nil || len(got.Clients) != 1 || got.Clients[0].ID != "c" {
				t.Errorf("%s is read as %+v, %v", body, got, err)
			}
		}
	})
	t.Run("native app instance", func(t *testing.T) {
		t.Parallel()
		inner := `{"client":{"id":"c"},"included":{"client_credential":{"id":"k","secret":"x"}}}`
		for _, body := range []string{inner, `{"client":` + inner + `}`} {
			got, err := get(t, body).CreateClient(t.Context(), gen.CreateClientBody{})
			if err != nil || got.Client.ID != "c" || got.Included.ClientCredential.Secret != "x" {
				t.Errorf("%s is read as %+v, %v", body, got, err)
			}
		}
	})
	t.Run("project admins", func(t *testing.T) {
		t.Parallel()
		for _, body := range []string{`{"project":{"admins":{"identities":["i"]}}}`, `{"project":{"admins":{"identities":[{"id":"i","username":null}]}}}`} {
			got, err := get(t, body).GetProject(t.Context(), "p")
			if err != nil || len(got.Project.Admins.Identities) != 1 || got.Project.Admins.Identities[0].ID != "i" {
				t.Errorf("%s is read as %+v, %v", body, got, err)
			}
			list := strings.Replace(strings.TrimSuffix(body, "}"), `"project":`, `"projects":[`, 1) + "]}"
			if got, err := get(t, list).GetProjects(t.Context()); err != nil || got.Projects[0].Admins.Identities[0].ID != "i" {
				t.Errorf("in a list: %+v, %v", got, err)
			}
		}
	})
	t.Run("dependent tokens", func(t *testing.T) {
		t.Parallel()
		got, err := get(t, ` [{"access_token":"a","resource_server":"x"},{"access_token":"b","resource_server":"y"}]`).Token(t.Context(), gen.TokenRequest{GrantType: "urn:globus:auth:grant_type:dependent_token"})
		if err != nil || got.AccessToken != "" || len(got.OtherTokens) != 2 || got.OtherTokens[1].ResourceServer != "y" {
			t.Errorf("got %+v, %v", got, err)
		}
	})
	t.Run("unknown fields, null, duplicates, odd UTF-8, new enum values", func(t *testing.T) {
		t.Parallel()
		body := "{\"identities\":[{\"id\":\"i\",\"name\":null,\"new\":{\"a\":[1]},\"username\":\"a\",\"username\":\"b\",\"status\":\"sleeping\",\"organization\":\"\xff\"}],\"more\":1}"
		got, err := get(t, body).GetIdentities(t.Context(), &gen.GetIdentitiesParams{IDs: []string{"i"}})
		if err != nil || len(got.Identities) != 1 {
			t.Fatalf("got %+v, %v", got, err)
		}
		want := gen.Identity{ID: "i", Username: "b", Status: "sleeping", Organization: "\ufffd"}
		if diff := cmp.Diff(want, got.Identities[0]); diff != "" {
			t.Error(diff)
		}
	})
}

func TestCallOptions(t *testing.T) {
	t.Parallel()
	type seen struct {
		query url.Values
		body  string
	}
	run := func(t *testing.T, call func(*globusauth.Client) error) seen {
		t.Helper()
		var got seen
		client := serve(t, globusauth.Config{Credentials: globusauth.Bearer("AAA"), AppName: "my tool", AppVersion: "1.2"}, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			got = seen{r.URL.Query(), string(body)}
			if r.ContentLength != int64(len(body)) {
				t.Errorf("Content-Length %d for %d bytes", r.ContentLength, len(body))
			}
			if ua := r.UserAgent(); !strings.HasPrefix(ua, "globusauth-go/") || !strings.HasSuffix(ua, " (my tool 1.2)") {
				t.Errorf("User-Agent is %q", ua)
			}
			if info := r.Header.Get("X-Globus-Client-Info"); !strings.HasPrefix(info, "product=globusauth-go,version=") || !strings.HasSuffix(info, ";product=my tool,version=1.2") {
				t.Errorf("X-Globus-Client-Info is %q", info)
			}
			w.Header().Set("X-Value", "yes")
			respond(w, http.StatusCreated, `{}`)
		})
		if err := call(client); err != nil {
			t.Fatal(err)
		}
		return got
	}
	t.Run("query", func(t *testing.T) {
		t.Parallel()
		got := run(t, func(c *globusauth.Client) error {
			_, err := c.GetIdentities(t.Context(), &gen.GetIdentitiesParams{Usernames: []string{"a@x", "b@y"}},
				globusauth.WithQuery("provision", "true"), globusauth.WithQuery("new", "a b"))
			return err
		})
		want := url.Values{"usernames": {"a@x,b@y"}, "provision": {"true"}, "new": {"a b"}}
		if diff := cmp.Diff(want, got.query); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("field inside the envelope", func(t *testing.T) {
		t.Parallel()
		got := run(t, func(c *globusauth.Client) error {
			_, err := c.CreatePolicy(t.Context(), gen.CreatePolicyBody{Policy: gen.PolicyCreate{ProjectID: "p"}}, globusauth.WithBodyField("new", json.RawMessage(`{"a":null}`)))
			return err
		})
		if want := `{"policy":{"description":"","display_name":"","new":{"a":null},"project_id":"p"}}`; got.body != want {
			t.Errorf("body %s, want %s", got.body, want)
		}
	})
	t.Run("field of a body without an envelope", func(t *testing.T) {
		t.Parallel()
		got := run(t, func(c *globusauth.Client) error {
			_, err := c.AddClientFQDN(t.Context(), "c", gen.AddClientFQDNBody{FQDN: "h.example.org"}, globusauth.WithBodyField("long", json.Number("12345678901234567890")), globusauth.WithBodyField("new", true))
			return err
		})
		if want := `{"fqdn":"h.example.org","long":12345678901234567890,"new":true}`; got.body != want {
			t.Errorf("body %s, want %s", got.body, want)
		}
	})
	t.Run("field of a form", func(t *testing.T) {
		t.Parallel()
		got := run(t, func(c *globusauth.Client) error {
			_, err := c.Token(t.Context(), gen.TokenRequest{GrantType: "client_credentials", Scope: "a b"}, globusauth.WithBodyField("new", "x y"), globusauth.WithBodyField("n", 1), globusauth.WithBodyField("list", []any{"a", nil}))
			return err
		})
		if want := `grant_type=client_credentials&list=%5B%22a%22%2Cnull%5D&n=1&new=x+y&scope=a+b`; got.body != want {
			t.Errorf("body %s, want %s", got.body, want)
		}
	})
	t.Run("field of an empty form", func(t *testing.T) {
		t.Parallel()
		got := run(t, func(c *globusauth.Client) error {
			_, err := c.WithCredentials(globusauth.Basic("id", "secret")).Introspect(t.Context(), gen.IntrospectRequest{}, globusauth.WithBodyField("token", "a b"))
			return err
		})
		if want := `token=a+b`; got.body != want {
			t.Errorf("body %s, want %s", got.body, want)
		}
	})
	t.Run("response", func(t *testing.T) {
		t.Parallel()
		var got string
		run(t, func(c *globusauth.Client) error {
			_, err := c.GetProjects(t.Context(), globusauth.WithResponse(func(status int, header http.Header, body []byte) {
				got = fmt.Sprint(status, header.Get("X-Value"), string(body))
			}))
			return err
		})
		if got != "201yes{}" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("response of a failure", func(t *testing.T) {
		t.Parallel()
		client := serve(t, globusauth.Config{}, func(w http.ResponseWriter, _ *http.Request) { respond(w, http.StatusNotFound, `{"errors":[]}`) })
		var got int
		_, err := client.GetJWKS(t.Context(), globusauth.WithResponse(func(status int, _ http.Header, _ []byte) { got = status }))
		if !errors.Is(err, apierror.ErrNotFound) || got != http.StatusNotFound {
			t.Errorf("got %v and %d", err, got)
		}
	})
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		client := serve(t, globusauth.Config{}, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") })
		if _, err := client.GetJWKS(t.Context(), globusauth.WithBodyField("a", 1)); err == nil || !strings.Contains(err.Error(), "has no body") {
			t.Errorf("got %v", err)
		}
		_, err := client.AddClientFQDN(t.Context(), "c", gen.AddClientFQDNBody{}, globusauth.WithBodyField("a", func() {}))
		if err == nil || !strings.Contains(err.Error(), "WithBodyField: json: unsupported type") {
			t.Errorf("got %v", err)
		}
		_, err = client.Token(t.Context(), gen.TokenRequest{GrantType: gen.GrantTypeAuthorizationCode}, globusauth.WithBodyField("grant_type", "client_credentials"))
		if err == nil || !strings.Contains(err.Error(), "already has") {
			t.Errorf("got %v", err)
		}
	})
}

func TestClientDeleteProject_ChecksPathParameters(t *testing.T) {
	t.Parallel()
	var path atomic.Value
	client := serve(t, globusauth.Config{Credentials: globusauth.Bearer("AAA")}, func(w http.ResponseWriter, r *http.Request) {
		path.Store(r.URL.EscapedPath())
		respond(w, http.StatusOK, `{}`)
	})
	for _, id := range []string{"", ".", ".."} {
		if _, err := client.DeleteProject(t.Context(), id); err == nil || path.Load() != nil {
			t.Errorf("DeleteProject(%q) gives %v and sends %v", id, err, path.Load())
		}
	}
	if _, err := client.DeleteProject(t.Context(), "a/../b?c#d"); err != nil || path.Load() != "/v2/api/projects/a%2F..%2Fb%3Fc%23d" {
		t.Errorf("%v, %v", err, path.Load())
	}
}

func TestClientGetJWKS_NeitherSuccessNorError(t *testing.T) {
	t.Parallel()
	client := serve(t, globusauth.Config{}, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) })
	_, err := client.GetJWKS(t.Context())
	if failed, ok := errors.AsType[*apierror.Error](err); !ok || failed.StatusCode != http.StatusNotModified {
		t.Errorf("got %v", err)
	}
}

func TestWithBodyField_IsASecretOfAForm(t *testing.T) {
	t.Parallel()
	client := serve(t, globusauth.Config{Credentials: globusauth.Basic("id", "secret")}, func(w http.ResponseWriter, r *http.Request) {
		respond(w, http.StatusBadRequest, `{"error":"invalid_request","error_description":"unknown token `+r.PostFormValue("token")+`"}`)
	})
	_, err := client.Introspect(t.Context(), gen.IntrospectRequest{}, globusauth.WithBodyField("token", "S3CR3T"))
	if err == nil || !strings.Contains(err.Error(), "unknown token [redacted]") {
		t.Errorf("got %v", err)
	}
}
