package main_test

import (
	"flag"
	"runtime"
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
	runScripts(t, "testdata/script", func(env *testscript.Env) {
		globus := authtest.NewWith(t, authtest.Config{Deterministic: true, Now: func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }})
		ready := globus.Ready()
		token := globus.Issue(authtest.Grant{
			User: ready.Users[0].Username, Client: ready.NativeClientID,
			Scopes: []string{"openid", "profile", "email", string(scopes.AuthManageProjects), string(scopes.AuthViewConsents), string(scopes.AuthViewIdentitySet)},
		})
		env.Setenv("GLOBUS_AUTH_ACCESS_TOKEN", token[0].AccessToken)
		env.Setenv("SSH_TTY", "/dev/pts/0")
		serveScript(env, globus)
	})
}

// These scripts begin without a token, at the present time, and have a browser in which the first user is
// signed in.
func TestCommand_LoginScripts(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("the browser of the scripts is xdg-open")
	}
	runScripts(t, "testdata/login", func(env *testscript.Env) {
		env.Setenv("DISPLAY", ":0")
		serveScript(env, authtest.NewWith(t, authtest.Config{Deterministic: true}))
	})
}

func runScripts(t *testing.T, dir string, setup func(*testscript.Env)) {
	t.Helper()
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"save": func(ts *testscript.TestScript, _ bool, args []string) { // save NAME: set a variable to what was printed
				ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
			},
		},
		Setup: func(env *testscript.Env) error {
			setup(env)
			return nil
		},
	})
}

// serveScript makes a test double the service of a script.
func serveScript(env *testscript.Env, globus *authtest.Server) {
	ready := globus.Ready()
	env.Vars = append(env.Vars,
		"GLOBUS_SDK_SERVICE_URL_AUTH="+globus.BaseURL(), "GLOBUS_AUTH_STORE_DIR="+env.WorkDir+"/store",
		"PROJECT="+ready.ProjectID, "POLICY="+ready.PolicyID, "NATIVE="+ready.NativeClientID, "USER_ID="+ready.Users[0].IdentityID,
		"CONFIDENTIAL="+ready.ConfidentialClientID, "SECRET="+ready.ConfidentialClientSecret, "TEMPLATE="+ready.TemplateID,
		"IDP="+ready.IdentityProvider.ID)
}
