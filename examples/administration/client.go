package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/oapi-codegen/nullable"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/scopes"
)

func ensureClient(ctx context.Context, auth *globusauth.Client, projectID string) error {
	list, err := auth.GetClients(ctx, nil)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(list.Clients, func(c gen.ClientRecord) bool {
		return c.Project == projectID && c.Name == clientName
	}) {
		fmt.Println("client unchanged:", clientName)
		return nil
	}
	created, err := auth.CreateClient(ctx, gen.CreateClientBody{Client: gen.ClientCreate{
		Project: projectID, Name: clientName, ClientType: "confidential_client",
		RedirectURIs: nullable.NewNullableWithValue([]string{"https://laboratory.example.edu/callback"}),
	}})
	if err != nil {
		return err
	}
	fmt.Println("client created:", created.Client.Name)
	credential, err := auth.CreateClientCredential(ctx, created.Client.ID, gen.CreateClientCredentialBody{
		Credential: gen.ClientCredentialCreate{Name: "first"},
	})
	if err != nil {
		return err
	}
	fmt.Println(credential.Credential) // redacted; only this response has credential.Credential.Secret
	return createScope(ctx, auth, created.Client.ID)
}

// createScope creates a scope that depends on reading the callers' groups.
func createScope(ctx context.Context, auth *globusauth.Client, clientID string) error {
	groups, err := auth.GetScopes(ctx, &gen.GetScopesParams{ScopeStrings: []string{string(scopes.GroupsViewMyGroups)}})
	if err != nil {
		return err
	}
	var dependencies []gen.DependentScope
	for _, scope := range groups.Scopes {
		dependencies = append(dependencies, gen.DependentScope{Scope: scope.ID})
	}
	response, err := auth.CreateScope(ctx, clientID, gen.CreateScopeBody{Scope: gen.ScopeCreate{
		Name: "Read laboratory data", Description: "Read the data of your laboratory", ScopeSuffix: "read",
		DependentScopes: nullable.NewNullableWithValue(dependencies),
	}})
	if err != nil {
		return err
	}
	created := response.Scopes // the service returns one of the two
	if len(created) == 0 {
		created = []gen.Scope{response.Scope}
	}
	for _, scope := range created {
		fmt.Println("scope created:", scope.ScopeString)
	}
	return nil
}
