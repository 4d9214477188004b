//go:build interop

package contract_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// newOperation is an operation that the service does not have.
const newOperation = `
  /v2/api/projects/{project_id}/archive:
    post:
      operationId: archiveProject
      x-cli: {use: project archive}
      tags: [projects]
      summary: Archive a project
      description: An archived project cannot be changed.
      security:
        - bearer: ['urn:globus:auth:scope:auth.globus.org:manage_projects']
      parameters:
        - {name: project_id, in: path, description: The project., required: true, schema: {type: string, format: uuid}}
        - {name: state, in: query, description: State of its clients., schema: {type: string, enum: [kept, disabled]}}
      requestBody:
        required: true
        content:
          application/json:
            schema: {$ref: '#/components/schemas/ArchiveProjectBody'}
      responses:
        '200':
          description: The project.
          content:
            application/json:
              schema: {$ref: '#/components/schemas/ProjectResponse'}
`

const newSchema = `
    ArchiveProjectBody:
      type: object
      required: [reason]
      properties:
        reason: {type: string, description: Why it is archived.}
        days: {type: integer, description: Days until it is deleted.}
`

// An operation that is added to the spec, and nothing else, is a verb with help, flags, validation and completion, which
// sends the request.
func TestSpec_NewOperationIsAVerb(t *testing.T) {
	t.Parallel()
	dir, root := t.TempDir(), ".."
	run := func(dir, name string, args ...string) (string, error) {
		command := exec.CommandContext(t.Context(), name, args...)
		command.Dir = dir
		out, err := command.CombinedOutput()
		return string(out), err
	}
	must := func(dir, name string, args ...string) string {
		t.Helper()
		out, err := run(dir, name, args...)
		if err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return out
	}
	read := func(name string) string {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	write := func(name string, text []byte) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}

	document := write("spec.yaml", []byte(strings.NewReplacer("\npaths:\n", "\npaths:"+newOperation, "\n  schemas:\n", "\n  schemas:"+newSchema).Replace(read("spec/auth.openapi.yaml"))))
	replaced := map[string]string{} // files of the build
	for _, name := range []string{"gen", "operations", "verbs"} {
		config := read("spec/" + name + ".config.yaml")
		output := regexp.MustCompile(`(?m)^output: (.*)$`).FindStringSubmatch(config)
		path, err := filepath.Abs(filepath.Join(root, output[1]))
		if err != nil {
			t.Fatal(err)
		}
		replaced[path] = filepath.Join(dir, name+".go")
		config = write(name+".yaml", []byte(strings.Replace(config, output[0], "output: "+replaced[path], 1)))
		must(root, "go", "tool", "-modfile=tools/go.mod", "oapi-codegen", "-config", config, document)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "globus-auth")
	must(root, "go", "build", "-overlay", write("overlay.json", overlay), "-o", program, "./cmd/globus-auth")

	help := must(dir, program, "project", "archive", "--help")
	for _, want := range []string{"An archived project cannot be changed.", "globus-auth project archive PROJECT", "--reason", "why it is archived (required)", "--days", "--state", "kept, disabled", "--from"} {
		if !strings.Contains(help, want) {
			t.Errorf("the help lacks %q:\n%s", want, help)
		}
	}
	if out := must(dir, program, "__completeNoDesc", "project", "archive", "x", "--state", ""); !strings.HasPrefix(out, "kept\ndisabled\n") {
		t.Errorf("the completion is %q", out)
	}
	const project = "b0000000-0000-4000-8000-000000000001"
	var sent bytes.Buffer
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		sent.WriteString(r.Method + " " + r.URL.String() + " " + string(body) + "\n")
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"project":{"id":"`+project+`","display_name":"Old"}}`)
	}))
	defer service.Close()
	archive := func(args ...string) (string, error) {
		return run(dir, "env", append([]string{"GLOBUS_AUTH_ACCESS_TOKEN=x", program, "project", "archive", "--base-url", service.URL}, args...)...)
	}
	for _, refused := range [][]string{{"x", "--reason", "r"}, {project, "--reason", "r", "--state", "lost"}, {project, "--reason", "r", "--days", "many"}, {project}} {
		if out, err := archive(refused...); err == nil {
			t.Errorf("%q is accepted:\n%s", refused, out)
		}
	}
	out, err := archive(project, "--reason", "done", "--days", "30", "--state", "kept", "--jq", ".project.display_name")
	if want := "POST /v2/api/projects/" + project + "/archive?state=kept {\"days\":30,\"reason\":\"done\"}\n"; err != nil || out != "Old\n" || sent.String() != want {
		t.Errorf("%v, %q; sent %q, want %q", err, out, sent.String(), want)
	}
}
