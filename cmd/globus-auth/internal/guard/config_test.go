package guard_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/globusauth/globusauth/cmd/globus-auth/internal/guard"
)

func TestRead_Errors(t *testing.T) {
	t.Parallel()
	const start = "client_id: a\nupstream: http://127.0.0.1:8000\n"
	for name, test := range map[string]struct{ text, want string }{
		"empty":                {"", "client_id is missing"},
		"unknown key":          {start + "upstraem: x\n", "line 3: field upstraem not found"},
		"secret":               {start + "client_secret: x\n", "line 3: field client_secret not found"},
		"unknown rule":         {start + "rules:\n  all_scope: [a]\n", "line 4: field all_scope not found"},
		"unknown key of route": {start + "routes:\n  - pattern: /\n    optinal: true\n", "line 5: field optinal not found"},
		"twice":                {start + "rules: {}\nrules: {}\n", `line 4: mapping key "rules" already defined`},
		"no value":             {start + "rules:\n  groups:\n  #- a\n", "line 4: the value is empty"},
		"null":                 {start + "rules:\n  groups: null\n", "line 4: the value is empty"},
		"tilde":                {start + "rules: ~\n", "line 3: the value is empty"},
		"empty list":           {start + "rules:\n  groups: []\n", "line 4: the list is empty"},
		"no routes":            {start + "routes: []\n", "line 3: the list is empty"},
		"empty item":           {start + "rules:\n  domains: [a, '']\n", "line 4: the value is empty"},
		"no duration":          {start + "rules:\n  fresh: soon\n", `line 4: "soon" is not a positive duration`},
		"negative duration":    {start + "cache_time: -1s\n", `line 3: "-1s" is not a positive duration`},
		"no list":              {start + "rules:\n  groups: a\n", "line 4"},
		"alias":                {start + "rules: &r {mfa: true}\nroutes: [{pattern: /, <<: *r}]\n", "line 4: aliases are not supported"},
		"two documents":        {start + "---\nrules: {mfa: true}\n", "more than one document"},
		"no YAML":              {start + "\trules", "a tab character"},
		"too long":             {strings.Repeat("#", 1<<20+1), "larger than"},
		"both":                 {start + "forward_auth: nginx\n", "set either forward_auth or upstream"},
		"neither":              {"client_id: a\n", "set either forward_auth or upstream"},
		"unknown proxy":        {"client_id: a\nforward_auth: apache\n", "use nginx, traefik or caddy"},
		"upstream":             {"client_id: a\nupstream: localhost:8000\n", "upstream is not a URL"},
		"upstream password":    {"client_id: a\nupstream: http://a:b@localhost\n", "upstream is not a URL"},
		"scope":                {start + "rules: {all_scopes: ['a b']}\n", "rules: scopes:"},
		"services alone":       {start + "rules: {services: [a], mfa: false}\n", "services has no effect"},
		"no pattern":           {start + "routes: [{mfa: true}]\n", `pattern ""`},
		"pattern with host":    {start + "routes: [{pattern: example.org/}]\n", `pattern "example.org/"`},
		"method in lower case": {start + "routes: [{pattern: get /}]\n", `pattern "get /"`},
		"pattern":              {start + "routes: [{pattern: '/{a'}]\n", `pattern "/{a"`},
		"pattern twice":        {start + "routes: [{pattern: /a}, {pattern: /a}]\n", `pattern "/a"`},
		"conflict":             {start + "routes: [{pattern: '/a/{x}'}, {pattern: '/{y}/b'}]\n", `conflicts`},
		"conflict with slash":  {start + "routes: [{pattern: '/a/{x}'}, {pattern: /a/b/}]\n", "end the pattern with a slash"},
		"assertion":            {start + "assertion: {key_file: a}\n", "audience"},
		"tls":                  {start + "tls: {key_file: a}\n", "certificate_file and key_file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := guard.Read(strings.NewReader(test.text))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

const examples = "../../../../examples/guard"

func TestRead_Examples(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(examples, "guard*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no example found: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := guard.Read(bytes.NewReader(text)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// FuzzRead wants no panic, and no rule that disappears: what is accepted makes a guard.
func FuzzRead(f *testing.F) {
	files, _ := filepath.Glob(filepath.Join(examples, "guard*.yaml"))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte("client_id: a\nupstream: http://a\nroutes: [{pattern: 'GET /a/{b...}', fresh: 1s}, {pattern: /a, groups: [b]}]\n"))
	f.Add([]byte("client_id: &a a\nforward_auth: nginx\nrules: {domains: [*a], policies: [a,b], services: [c]}\n"))
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		config, err := guard.Read(bytes.NewReader(text))
		if err != nil {
			return
		}
		config.Assertion = nil // names a file
		if _, err := guard.New(config, w.OAuth); err != nil && !strings.Contains(err.Error(), "policies") &&
			!strings.Contains(err.Error(), "policy ID") && !strings.Contains(err.Error(), "Cache") {
			t.Errorf("the configuration is accepted, but a guard cannot be made: %v", err)
		}
	})
}
