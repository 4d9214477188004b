// Package apitest is an API with its users on a test double, for tests of package resourceserver and of what is
// built on it.
package apitest

import (
	"testing"

	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/authtest/apptest"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/scopes"
)

// The client of the API, a service account, and the scopes of the API.
const (
	ClientID = "3f4c6a1e-9a5b-4f0e-8b61-6b1f5d2c7a10"
	RobotID  = "8b6d3c52-2f1e-4c57-9f0a-1d2e3f4a5b6c"
	Jobs     = scopes.Scope("https://auth.globus.org/scopes/" + ClientID + "/jobs")
	Admin    = scopes.Scope("https://auth.globus.org/scopes/" + ClientID + "/admin")
)

// World is a test double with an API, a user and a service account.
type World struct {
	*authtest.Server

	OAuth flows.Config // of the API
	Alice authtest.User
}

// New adds the API and alice to a test double. The scope Jobs may have GroupsViewMyGroups as a dependency.
func New(tb testing.TB, server *authtest.Server, alice authtest.User) *World {
	tb.Helper()
	if err := server.Add(authtest.World{Clients: []authtest.Client{
		{ID: ClientID, Name: "API", Secret: "api-secret", Scopes: []authtest.Scope{
			{Scope: string(Jobs), Name: "jobs", DependsOn: []authtest.Dependency{{Scope: string(scopes.GroupsViewMyGroups), Optional: true}}},
			{Scope: string(Admin), Name: "admin"},
		}},
		{ID: RobotID, Name: "robot", Secret: "robot-secret"},
	}}); err != nil {
		tb.Fatal(err)
	}
	return &World{
		Server: server, Alice: server.AddUser(alice),
		OAuth: flows.Config{Auth: apptest.Client(tb, server), ClientID: ClientID, ClientSecret: "api-secret"},
	}
}

// Token issues an access token for the API, by default to the native client and with the scope Jobs.
func (w *World) Token(grant authtest.Grant) string {
	if grant.Client == "" {
		grant.Client = w.Ready().NativeClientID
	}
	if grant.Scopes == nil {
		grant.Scopes = []string{string(Jobs)}
	}
	return w.Issue(grant)[0].AccessToken
}
