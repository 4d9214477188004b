package cli_test

import (
	"strings"
	"testing"

	"github.com/globusauth/globusauth/cmd/globus-auth/internal/cli"
)

// What a user of the official client types leads to the counterpart.
func TestRun_OfficialClient(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		"get-identities go@globusid.org":           `did you mean "globus-auth identities"?`,
		"--verbose get-identities go@globusid.org": `did you mean "globus-auth identities"?`,
		"--profile update get-identities a@b.c":    `did you mean "globus-auth identities"?`,
		"--client-id whoami get-identities -v a@b": `did you mean "globus-auth identities"?`,
		"--profile=x get-identities":               `did you mean "globus-auth identities"?`,
		"list-commands":                            `did you mean "globus-auth help"?`,
		"cli-profile-list --all":                   `did you mean "globus-auth tokens profiles"?`,
		"update --yes":                             "go install",
		"login --no-local-server":                  `did you mean "globus-auth login --no-browser"?`,
		"login --force":                            "always logs in",
		"login --gcs 1b9b8e4c:2":                   `did you mean "globus-auth login --scopes SCOPES"?`,
		"login --flow=x":                           `did you mean "globus-auth login --scopes SCOPES"?`,
		"login --timer flow:x":                     `did you mean "globus-auth login --scopes SCOPES"?`,
		"logout --yes":                             "does not ask",
		"logout --ignore-errors":                   `did you mean "globus-auth logout --forget"?`,
		"logout --delete-client":                   `did you mean "globus-auth client delete CLIENT"?`,
		"whoami -v":                                "shows all fields",
		"whoami -Fjson":                            "use --format",
		"whoami --linked-identities":               "shows the linked identities",
		"session show -v":                          "use --format json",
		"session update --no-local-server":         `did you mean "globus-auth session update --no-browser"?`,
		"session update --policy x":                `did you mean "globus-auth session update --session-policies POLICY"?`,
		"session update a@b":                       `did you mean "globus-auth session update --session-identities IDENTITY"?`,
		"session update --all":                     `did you mean "globus-auth session update --session-identities ID,ID"?`,
		"session update --scope x":                 `did you mean "globus-auth session consent SCOPE"?`,
		"session consent x --no-local-server":      `did you mean "globus-auth session consent --no-browser"?`,
		"session consent --timer-data-access x":    `did you mean "globus-auth session consent SCOPE"?`,
		"api auth GET /v2/api/projects":            `did you mean "globus-auth api GET /v2/api/projects"?`,
		"api transfer GET /task_list":              `did you mean "globus-auth api GET https://transfer`,
		"tokens --jmespath x":                      "use --jq",
		"tokens --map-http-status 404=50":          "exit codes are fixed",
		"transfer a:b c:d":                         `use the official client, "globus transfer"`,
		"endpoint search x":                        `use the official client, "globus endpoint"`,
		"whoami --quiet":                           "messages go to standard error",
		"whoami --debug":                           "use --verbose",
		"frobnicate":                               `see "globus-auth --help"`,
		"session update --prompt":                  `see "globus-auth session update --help"`,
	} {
		var out, errs syncBuffer
		code := cli.Run(t.Context(), strings.Fields(typed), cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errs}, func(string) string { return "" })
		if code != cli.ExitUsage || out.String() != "" || !strings.Contains(errs.String(), want) {
			t.Errorf("%s: exit %d, want %q\n%s%s", typed, code, want, out.String(), errs.String())
		}
	}
}
