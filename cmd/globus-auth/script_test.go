package main_test

import (
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/scopes"
)

var update = flag.Bool("update", false, "write the expected output into the scripts")

// The scripts run against a test double each, whose IDs are the same in every run. They begin with
// a token of an administrator.
func TestCommand_Scripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"save": func(ts *testscript.TestScript, _ bool, args []string) { // save NAME: set a variable to what was printed
				ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
			},
		},
		Setup: func(env *testscript.Env) error {
			globus := authtest.NewWith(t, authtest.Config{Deterministic: true, Now: func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }})
			ready := globus.Ready()
			token := globus.Issue(authtest.Grant{
				User: ready.Users[0].Username, Client: ready.NativeClientID,
				Scopes: []string{"openid", "profile", "email", string(scopes.AuthManageProjects), string(scopes.AuthViewConsents)},
			})
			env.Vars = append(env.Vars,
				"GLOBUS_SDK_SERVICE_URL_AUTH="+globus.BaseURL(), "GLOBUS_AUTH_STORE_DIR="+env.WorkDir+"/store", "SSH_TTY=/dev/pts/0",
				"GLOBUS_AUTH_ACCESS_TOKEN="+token[0].AccessToken,
				"PROJECT="+ready.ProjectID, "POLICY="+ready.PolicyID, "NATIVE="+ready.NativeClientID, "USER_ID="+ready.Users[0].IdentityID,
				"CONFIDENTIAL="+ready.ConfidentialClientID, "SECRET="+ready.ConfidentialClientSecret, "TEMPLATE="+ready.TemplateID,
				"IDP="+ready.IdentityProvider.ID)
			return nil
		},
	})
}
