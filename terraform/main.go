// Command terraform-provider-globusauth is the Terraform and OpenTofu provider of Globus Auth.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"

	globus "github.com/globusauth/globusauth/terraform/internal/provider"
)

func main() {
	debugged := flag.Bool("debug", false, "run for a debugger, and print the variable that the engine needs")
	flag.Parse()
	err := providerserver.Serve(context.Background(), func() provider.Provider { return globus.New(version(), os.Getenv) },
		providerserver.ServeOpts{Address: "registry.terraform.io/globusauth/globusauth", Debug: *debugged, ProtocolVersion: 6})
	if err != nil {
		fmt.Fprintln(os.Stderr, "terraform-provider-globusauth:", err)
		os.Exit(1)
	}
}

// version is that of the tag or commit that the program was built from.
func version() string {
	if build, ok := debug.ReadBuildInfo(); ok {
		return cmp.Or(strings.Trim(build.Main.Version, "()"), "devel") // "(devel)" without version control
	}
	return "devel"
}
