package cli_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/cmd/globus-auth/internal/cli"
	"github.com/globusauth/globusauth/spec"
)

// A login without the scope of an operation is told how to get it, and keeps its other scopes.
func TestVerbs_LoginLacksScope(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.login()
	d.shows("verb-scope", cli.ExitAuthorization, "project", "list")
	if requests := d.server.Requests(); slices.ContainsFunc(requests, func(r authtest.Request) bool { return strings.Contains(r.Path, "projects") }) {
		t.Error("the service was asked")
	}
	d.login("--scopes", "urn:globus:auth:scope:auth.globus.org:manage_projects")
	d.must("project", "list")
	d.must("whoami")
	if r := d.must("api", "GET", "/v2/api/projects", "--jq", ".projects | length"); r.out != "1\n" {
		t.Errorf("%+v", r)
	}
}

// Each operation that has a verb in the spec is a command with help.
func TestVerbs_HelpOfEach(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	count := 0
	for line := range strings.Lines(spec.Document()) {
		_, use, found := strings.Cut(line, "x-cli: {use: ")
		if !found {
			continue
		}
		count++
		use, _, _ = strings.Cut(strings.TrimSpace(use), ",")
		name := strings.Fields(strings.TrimSuffix(use, "}"))
		r := d.must(append(name, "--help")...)
		if !strings.Contains(r.out, "globus-auth "+strings.Join(name, " ")) || !strings.Contains(r.out, "--jq") {
			t.Errorf("%q: %s", name, r.out)
		}
		if strings.Contains(r.out, "`") {
			t.Errorf("%q: the help has marks: %s", name, r.out)
		}
	}
	if count < 30 {
		t.Errorf("%d verbs", count)
	}
}

// Words and null are completed.
func TestVerbs_Completion(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for args, want := range map[string]string{
		"client create --visibility": "public private",
		"client update x --clear":    "links name preselect_idp redirect_uris required_idp scopes visibility",
		"project list --format":      "table json jsonl yaml csv",
		"api":                        "GET POST PUT PATCH DELETE",
		"project show":               "",
	} {
		r := d.must(append(append([]string{"__completeNoDesc"}, strings.Fields(args)...), "")...)
		got, _, _ := strings.Cut(r.out, ":4")
		if strings.Join(strings.Fields(got), " ") != want {
			t.Errorf("%s: %q", args, r.out)
		}
	}
}
