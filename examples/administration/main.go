// Command administration creates or updates a policy, and a client with a scope and a
// secret, in a project.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"

	"github.com/oapi-codegen/nullable"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/gen"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "administration:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("administration", flag.ContinueOnError)
	projectID := flags.String("project", "", "ID of the project")
	timeout := flags.Int("timeout", 3600, "seconds a login counts as fresh; 0 is no limit")
	if err := flags.Parse(args); err != nil {
		return err
	}
	config, err := globusauth.FromEnvironment()
	if err != nil {
		return err
	}
	// A token of an administrator of the project, with the scope manage_projects.
	config.Credentials = globusauth.Bearer(os.Getenv("ACCESS_TOKEN"))
	auth, err := globusauth.New(config)
	if err != nil {
		return err
	}
	if err := ensurePolicy(ctx, auth, *projectID, *timeout); err != nil {
		return err
	}
	return ensureClient(ctx, auth, *projectID)
}

const policyName, clientName = "laboratory", "laboratory API"

func ensurePolicy(ctx context.Context, auth *globusauth.Client, projectID string, timeout int) error {
	limit := nullable.NewNullableWithValue(timeout)
	if timeout == 0 {
		limit = nullable.NewNullNullable[int]() // null clears the limit
	}
	list, err := auth.GetPolicies(ctx)
	if err != nil {
		return err
	}
	found := slices.IndexFunc(list.Policies, func(p gen.Policy) bool {
		return p.ProjectID == projectID && p.DisplayName == policyName
	})
	if found < 0 {
		created, err := auth.CreatePolicy(ctx, gen.CreatePolicyBody{Policy: gen.PolicyCreate{
			ProjectID: projectID, DisplayName: policyName, Description: "Fresh logins from the laboratory",
			HighAssurance:                  nullable.NewNullableWithValue(true),
			AuthenticationAssuranceTimeout: limit,
			DomainConstraintsInclude:       nullable.NewNullableWithValue([]string{"example.edu"}),
		}})
		if err != nil {
			return err
		}
		fmt.Println("policy created:", created.Policy.DisplayName)
		return nil
	}
	policy := list.Policies[found]
	if policy.AuthenticationAssuranceTimeout == timeout {
		fmt.Println("policy unchanged:", policy.DisplayName)
		return nil
	}
	// An update leaves absent fields unchanged.
	updated, err := auth.UpdatePolicy(ctx, policy.ID, gen.UpdatePolicyBody{Policy: gen.PolicyUpdate{
		AuthenticationAssuranceTimeout: limit,
	}})
	if err != nil {
		return err
	}
	fmt.Println("policy updated: timeout", updated.Policy.AuthenticationAssuranceTimeout)
	return nil
}
