package authtest

import (
	"context"
	"net/http"

	"github.com/globusauth/globusauth/internal/server"
)

func later() *problem {
	return &problem{status: http.StatusNotImplemented, code: "NOT_IMPLEMENTED", title: "Not Implemented", oauth: "not_implemented", detail: "The test double does not offer this operation yet"}
}
func (e *engine) signInPage(c *call, a *authorization) server.Answer {
	answer, err := e.authorizeAtOnce(c, a)
	if err != nil {
		return e.refuse(a, err)
	}
	return answer
}
func (e *engine) restore(State) error { return nil }

type State struct{}

func (s *Server) Snapshot() World { return World{} }
func (a api) GetClients(context.Context, server.GetClientsRequestObject) (server.GetClientsResponseObject, error) {
	return nil, later()
}
func (a api) CreateClient(context.Context, server.CreateClientRequestObject) (server.CreateClientResponseObject, error) {
	return nil, later()
}
func (a api) DeleteClient(context.Context, server.DeleteClientRequestObject) (server.DeleteClientResponseObject, error) {
	return nil, later()
}
func (a api) GetClient(context.Context, server.GetClientRequestObject) (server.GetClientResponseObject, error) {
	return nil, later()
}
func (a api) UpdateClient(context.Context, server.UpdateClientRequestObject) (server.UpdateClientResponseObject, error) {
	return nil, later()
}
func (a api) GetClientCredentials(context.Context, server.GetClientCredentialsRequestObject) (server.GetClientCredentialsResponseObject, error) {
	return nil, later()
}
func (a api) CreateClientCredential(context.Context, server.CreateClientCredentialRequestObject) (server.CreateClientCredentialResponseObject, error) {
	return nil, later()
}
func (a api) DeleteClientCredential(context.Context, server.DeleteClientCredentialRequestObject) (server.DeleteClientCredentialResponseObject, error) {
	return nil, later()
}
func (a api) AddClientFQDN(context.Context, server.AddClientFQDNRequestObject) (server.AddClientFQDNResponseObject, error) {
	return nil, later()
}
func (a api) CreateScope(context.Context, server.CreateScopeRequestObject) (server.CreateScopeResponseObject, error) {
	return nil, later()
}
func (a api) GetClientScope(context.Context, server.GetClientScopeRequestObject) (server.GetClientScopeResponseObject, error) {
	return nil, later()
}
func (a api) GetPolicies(context.Context, server.GetPoliciesRequestObject) (server.GetPoliciesResponseObject, error) {
	return nil, later()
}
func (a api) CreatePolicy(context.Context, server.CreatePolicyRequestObject) (server.CreatePolicyResponseObject, error) {
	return nil, later()
}
func (a api) DeletePolicy(context.Context, server.DeletePolicyRequestObject) (server.DeletePolicyResponseObject, error) {
	return nil, later()
}
func (a api) GetPolicy(context.Context, server.GetPolicyRequestObject) (server.GetPolicyResponseObject, error) {
	return nil, later()
}
func (a api) UpdatePolicy(context.Context, server.UpdatePolicyRequestObject) (server.UpdatePolicyResponseObject, error) {
	return nil, later()
}
func (a api) GetProjects(context.Context, server.GetProjectsRequestObject) (server.GetProjectsResponseObject, error) {
	return nil, later()
}
func (a api) CreateProject(context.Context, server.CreateProjectRequestObject) (server.CreateProjectResponseObject, error) {
	return nil, later()
}
func (a api) DeleteProject(context.Context, server.DeleteProjectRequestObject) (server.DeleteProjectResponseObject, error) {
	return nil, later()
}
func (a api) GetProject(context.Context, server.GetProjectRequestObject) (server.GetProjectResponseObject, error) {
	return nil, later()
}
func (a api) UpdateProject(context.Context, server.UpdateProjectRequestObject) (server.UpdateProjectResponseObject, error) {
	return nil, later()
}
func (a api) GetScopes(context.Context, server.GetScopesRequestObject) (server.GetScopesResponseObject, error) {
	return nil, later()
}
func (a api) DeleteScope(context.Context, server.DeleteScopeRequestObject) (server.DeleteScopeResponseObject, error) {
	return nil, later()
}
func (a api) GetScope(context.Context, server.GetScopeRequestObject) (server.GetScopeResponseObject, error) {
	return nil, later()
}
func (a api) UpdateScope(context.Context, server.UpdateScopeRequestObject) (server.UpdateScopeResponseObject, error) {
	return nil, later()
}
func (a api) AuthCodePage(context.Context, server.AuthCodePageRequestObject) (server.AuthCodePageResponseObject, error) {
	return nil, later()
}
func (a api) LogoutPage(context.Context, server.LogoutPageRequestObject) (server.LogoutPageResponseObject, error) {
	return nil, later()
}
