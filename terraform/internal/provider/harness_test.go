//go:build interop

package provider_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/go-version"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/terraform"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/terraform/internal/provider"
)

const (
	alice = "f0000000-0000-4000-8000-000000000001" // administers the built-in project
	bob   = "f0000000-0000-4000-8000-000000000002"
	idp   = "d0000000-0000-4000-8000-000000000001"
	group = "90000000-0000-4000-8000-000000000001"
)

// engine is the program tofu or terraform.
var engine = os.Getenv("TF_ACC_TERRAFORM_PATH")

// ephemeral reports whether the engine has ephemeral resources: Terraform 1.10, OpenTofu 1.11.
var ephemeral = sync.OnceValue(func() bool {
	command := exec.CommandContext(context.Background(), engine, "version", "-json")
	command.Env = []string{"CHECKPOINT_DISABLE=1"}
	var reported struct {
		Version *version.Version `json:"terraform_version"`
	}
	out, err := command.Output()
	if err == nil {
		err = json.Unmarshal(out, &reported)
	}
	if err != nil {
		panic(err)
	}
	first := "1.10"
	if strings.Contains(engine, "tofu") {
		first = "1.11"
	}
	return reported.Version.Core().GreaterThanOrEqual(version.Must(version.NewVersion(first)))
})

// home is a home directory with the provider, once a test has installed it.
var home string

func TestMain(m *testing.M) {
	if engine == "" {
		engine, _ = exec.LookPath("tofu")
	}
	for name, value := range map[string]string{
		"TF_ACC": "1", "TF_ACC_TERRAFORM_PATH": engine, "TF_ACC_PROVIDER_NAMESPACE": "globusauth",
		"CHECKPOINT_DISABLE": "1", "TF_CLI_CONFIG_FILE": os.DevNull, // not that of the user
	} {
		_ = os.Setenv(name, value)
	}
	host := "registry.terraform.io"
	if strings.Contains(engine, "tofu") {
		host = "registry.opentofu.org"
	}
	_ = os.Setenv("TF_ACC_PROVIDER_HOST", host)
	var err error
	if home, err = os.MkdirTemp("", "terraform"); err != nil {
		panic(err)
	}
	status := m.Run()
	_ = os.RemoveAll(home)
	os.Exit(status)
}

// world is a test double with an administrator.
type world struct {
	*testing.T
	server      *authtest.Server
	auth        *globusauth.Client // of the administrator
	token       string
	settings    string // further ones of the provider
	environment map[string]string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	if engine == "" {
		t.Fatal("set TF_ACC_TERRAFORM_PATH to the program tofu; build it with: go build -C tools/tofu -o /tmp/tofu github.com/opentofu/opentofu/cmd/tofu")
	}
	w := &world{T: t, server: authtest.New(t)}
	ready := w.server.Ready()
	w.token = w.server.Issue(authtest.Grant{User: "alice@example.edu", Client: ready.NativeClientID, Scopes: []string{
		string(scopes.AuthManageProjects), string(scopes.AuthViewIdentities), string(scopes.AuthOpenID), string(scopes.AuthProfile),
	}})[0].AccessToken
	w.settings = fmt.Sprintf("access_token = %q", w.token)
	auth, err := globusauth.New(globusauth.Config{BaseURL: w.server.BaseURL(), Credentials: globusauth.Bearer(w.token)})
	if err != nil {
		t.Fatal(err)
	}
	w.auth = auth
	return w
}

// config is a whole configuration.
func (w *world) config(body string) string {
	return fmt.Sprintf("terraform {\n  required_providers {\n    globusauth = { source = \"globusauth/globusauth\" }\n  }\n}\nprovider \"globusauth\" {\n  base_url = %q\n  %s\n}\n%s",
		w.server.BaseURL(), w.settings, body)
}

// run applies the steps.
func (w *world) run(steps ...resource.TestStep) {
	w.Helper()
	resource.Test(w, w.testCase(steps...))
}

func (w *world) testCase(steps ...resource.TestStep) resource.TestCase {
	for n := range steps {
		if steps[n].Config != "" {
			steps[n].Config = w.config(steps[n].Config)
		}
	}
	return resource.TestCase{
		ProtoV6ProviderFactories: map[string]func() (tfprotov6.ProviderServer, error){
			"globusauth": providerserver.NewProtocol6WithError(provider.New("test", func(name string) string { return w.environment[name] })),
		},
		Steps: steps,
	}
}

// id returns the ID of a resource in the state.
func id(state *terraform.State, address string) string {
	return state.RootModule().Resources[address].Primary.ID
}

// keep stores the ID of a resource.
func keep(to *string, address string) resource.TestCheckFunc {
	return func(state *terraform.State) error {
		*to = id(state, address)
		return nil
	}
}
