package docs_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/scopes"
)

// sessions are the documents whose commands run here, each with what goes before its first command.
var sessions = map[string]func(*session) string{
	"docs/guides/administration.md": func(s *session) string {
		_, begin := s.globus()
		s.write("policy.yaml", "display_name: Example\ndescription: Fresh logins\nproject_id: b0000000-0000-4000-8000-000000000001\n")
		return begin
	},
	"docs/guides/command.md": func(s *session) string {
		_, begin := s.globus()
		return begin + "globus-auth login --client-id $NATIVE --scopes 'openid profile email " + string(scopes.AuthManageProjects) + "' 2>/dev/null\n"
	},
	"docs/guides/first-steps.md": func(s *session) string {
		s.port("8765")
		return `go() { background "$LISTEN" resourceserver; }; LISTEN=` + s.port("8000") + "\n" // go run
	},
	"docs/guides/guard.md":     guard,
	"examples/guard/README.md": guard,
	"docs/guides/identities.md": func(s *session) string {
		globus, begin := s.globus()
		ready := globus.Ready()
		s.write("usernames.txt", "alice@example.edu\nbob@example.edu\n")
		token := globus.Issue(authtest.Grant{
			User: "alice@example.edu", Client: ready.NativeClientID,
			Scopes: []string{string(scopes.AuthViewIdentities), string(scopes.AuthViewConsents)},
		})
		globus.Issue(authtest.Grant{User: "alice@example.edu", Client: ready.ConfidentialClientID, Scopes: []string{ready.DependentGrant.Scope}})
		return begin + "export GLOBUS_AUTH_ACCESS_TOKEN=" + token[0].AccessToken + "\n"
	},
	"docs/guides/resource-server.md": func(s *session) string {
		globus, begin := s.globus()
		api := globus.AddClient(authtest.Client{Name: "API", Secret: "api-secret-of-this-test", Scopes: []authtest.Scope{{Suffix: "jobs"}}})
		jobs := api.Scopes[0].Scope
		address := s.port("8000")
		return begin + fmt.Sprintf(`
export CLIENT_ID=%s TOKEN=%s
LISTEN=%s CLIENT_SECRET=api-secret-of-this-test JOBS_SCOPE=%s background %[3]s resourceserver
globus-auth login --client-id $NATIVE --scopes 'openid %[4]s' 2>/dev/null
`, api.ID, oldToken(globus, jobs), address, jobs)
	},
	"docs/guides/service.md": func(s *session) string {
		globus, begin := s.globus()
		transfer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
			for _, issued := range globus.Snapshot().State.Access {
				if issued.Value == token {
					return
				}
			}
			w.WriteHeader(http.StatusUnauthorized)
		}))
		s.Cleanup(transfer.Close)
		s.as["https://transfer.api.globus.org"] = transfer.URL
		ready := globus.Ready()
		return begin + fmt.Sprintf("echo fail >>.curlrc\nexport CLIENT_ID=%s CLIENT_SECRET=%s\nGLOBUS_AUTH_CLIENT_ID=$CLIENT_ID GLOBUS_AUTH_CLIENT_SECRET=$CLIENT_SECRET\n",
			ready.ConfidentialClientID, ready.ConfidentialClientSecret)
	},
	"docs/guides/testing.md": func(s *session) string {
		s.port("8765")
		return ""
	},
	"docs/guides/tool.md": func(s *session) string {
		_, begin := s.globus()
		return begin + "export CLIENT_ID=$NATIVE\n"
	},
}

// globus starts a test double, and returns the commands that make it the service of the session.
func (s *session) globus() (server *authtest.Server, begin string) {
	server = authtest.New(s.T)
	return server, fmt.Sprintf("export GLOBUS_SDK_SERVICE_URL_AUTH=%s\nNATIVE=%s CLIENT_ID=$NATIVE\n", server.BaseURL(), server.Ready().NativeClientID)
}

// oldToken returns a token of a user who logged in an hour ago.
func oldToken(globus *authtest.Server, scope string) string {
	return globus.Issue(authtest.Grant{
		User: "alice@example.edu", Client: globus.Ready().NativeClientID, Scopes: []string{scope}, Age: time.Hour,
	})[0].AccessToken
}

// port replaces a port of the document by a free one, and returns its address.
func (s *session) port(port string) string {
	s.Helper()
	listener, err := (&net.ListenConfig{}).Listen(s.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		s.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	_, free, _ := net.SplitHostPort(listener.Addr().String())
	s.as["127.0.0.1:"+port], s.as["localhost:"+port] = "127.0.0.1:"+free, "localhost:"+free
	return listener.Addr().String()
}

// guard has the files of examples/guard, and a program that greets the caller.
func guard(s *session) string {
	globus, begin := s.globus()
	program := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := r.Header.Get("X-Globus-Username")
		if name == "" {
			name = "guest"
		}
		_, _ = fmt.Fprintln(w, "hello", name)
	}))
	s.Cleanup(program.Close)
	const id = "3f4c6a1e-9a5b-4f0e-8b61-6b1f5d2c7a10"
	api := globus.AddClient(authtest.Client{ID: id, Name: "Jobs", Secret: "jobs-secret-of-this-test", Scopes: []authtest.Scope{{Suffix: "jobs"}}})
	s.as["http://127.0.0.1:8000"] = program.URL
	addresses := "\nlisten: " + s.port("4180") + "\nadmin: " + s.port("4181") + "\n"
	for _, name := range []string{"guard.yaml", "guard.nginx.yaml"} {
		text, err := os.ReadFile(filepath.Join("..", "examples", "guard", name))
		if err != nil {
			s.Fatal(err)
		}
		s.write(name, string(text)+addresses)
	}
	return begin + fmt.Sprintf("export GLOBUS_AUTH_CLIENT_SECRET=jobs-secret-of-this-test TOKEN=%s\n", oldToken(globus, api.Scopes[0].Scope))
}
