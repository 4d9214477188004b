// Package server is the interface of Globus Auth for a server, generated from the
// API's description, for the test double.
package server

import "net/http"

// Answer is a response that writes itself. The generated response types share
// their structs with the client and cannot write an explicit null, an array or a
// page that is not described; an Answer stands in for the response of any
// operation. A new operation needs a method here before it compiles.
type Answer func(w http.ResponseWriter) error

// VisitAddClientFQDNResponse implements the answer of the operation.
func (a Answer) VisitAddClientFQDNResponse(w http.ResponseWriter) error { return a(w) }

// VisitAuthCodePageResponse implements the answer of the operation.
func (a Answer) VisitAuthCodePageResponse(w http.ResponseWriter) error { return a(w) }

// VisitAuthorizeResponse implements the answer of the operation.
func (a Answer) VisitAuthorizeResponse(w http.ResponseWriter) error { return a(w) }

// VisitCreateClientCredentialResponse implements the answer of the operation.
func (a Answer) VisitCreateClientCredentialResponse(w http.ResponseWriter) error { return a(w) }

// VisitCreateClientResponse implements the answer of the operation.
func (a Answer) VisitCreateClientResponse(w http.ResponseWriter) error { return a(w) }

// VisitCreatePolicyResponse implements the answer of the operation.
func (a Answer) VisitCreatePolicyResponse(w http.ResponseWriter) error { return a(w) }

// VisitCreateProjectResponse implements the answer of the operation.
func (a Answer) VisitCreateProjectResponse(w http.ResponseWriter) error { return a(w) }

// VisitCreateScopeResponse implements the answer of the operation.
func (a Answer) VisitCreateScopeResponse(w http.ResponseWriter) error { return a(w) }

// VisitDeleteClientCredentialResponse implements the answer of the operation.
func (a Answer) VisitDeleteClientCredentialResponse(w http.ResponseWriter) error { return a(w) }

// VisitDeleteClientResponse implements the answer of the operation.
func (a Answer) VisitDeleteClientResponse(w http.ResponseWriter) error { return a(w) }

// VisitDeletePolicyResponse implements the answer of the operation.
func (a Answer) VisitDeletePolicyResponse(w http.ResponseWriter) error { return a(w) }

// VisitDeleteProjectResponse implements the answer of the operation.
func (a Answer) VisitDeleteProjectResponse(w http.ResponseWriter) error { return a(w) }

// VisitDeleteScopeResponse implements the answer of the operation.
func (a Answer) VisitDeleteScopeResponse(w http.ResponseWriter) error { return a(w) }

// VisitGetClientCredentialsResponse implements the answer of the operation.
func (a Answer) VisitGetClientCredentialsResponse(w http.ResponseWriter) error { return a(w) }

// VisitGetClientResponse implements the answer of the operation.
func (a Answer) VisitGetClientResponse(w http.ResponseWriter) error { return a(w) }

// VisitGetClientScopeResponse implements the answer of the operation.
func (a Answer) VisitGetClientScopeResponse(w http.ResponseWriter) error { return a(w) }

// VisitGetClientsResponse implements the answer of the operation.
func (a Answer) VisitGetClientsResponse(w http.ResponseWriter) error { return a(w) }

// VisitGetConsentsResponse implements the answer of the operation.
func (a Answer) VisitGetConsentsResponse(w http.ResponseWriter) error { return a(w) }

// VisitGetIdentitiesResponse implements the answer of the operation.
func (a Answer) VisitGetIdentitiesResponse(w http.ResponseWriter) error { return a(w) }

// VisitGetIdentityProvidersResponse implements the answer of the operation.
func (a Answer) VisitGetIdentityProvidersResponse(w http.ResponseWriter) error { return a(w) }

// VisitGetIdentityResponse implements the answer of the operation.
func (a Answer) VisitGetIdentityResponse(w http.ResponseWriter) error { return a(w) }

// VisitGetJWKSResponse implements the answer of the operation.
func (a Answer) VisitGetJWKSResponse(w http.ResponseWriter) error { return a(w) }

// VisitGetOpenIDConfigurationResponse implements the answer of the operation.
func (a Answer) VisitGetOpenIDConfigurationResponse(w http.ResponseWriter) error { return a(w) }

// VisitGetPoliciesResponse implements the answer of the operation.
func (a Answer) VisitGetPoliciesResponse(w http.ResponseWriter) error { return a(w) }

// VisitGetPolicyResponse implements the answer of the operation.
func (a Answer) VisitGetPolicyResponse(w http.ResponseWriter) error { return a(w) }

// VisitGetProjectResponse implements the answer of the operation.
func (a Answer) VisitGetProjectResponse(w http.ResponseWriter) error { return a(w) }

// VisitGetProjectsResponse implements the answer of the operation.
func (a Answer) VisitGetProjectsResponse(w http.ResponseWriter) error { return a(w) }

// VisitGetScopeResponse implements the answer of the operation.
func (a Answer) VisitGetScopeResponse(w http.ResponseWriter) error { return a(w) }

// VisitGetScopesResponse implements the answer of the operation.
func (a Answer) VisitGetScopesResponse(w http.ResponseWriter) error { return a(w) }

// VisitGetUserinfoResponse implements the answer of the operation.
func (a Answer) VisitGetUserinfoResponse(w http.ResponseWriter) error { return a(w) }

// VisitIntrospectResponse implements the answer of the operation.
func (a Answer) VisitIntrospectResponse(w http.ResponseWriter) error { return a(w) }

// VisitLogoutPageResponse implements the answer of the operation.
func (a Answer) VisitLogoutPageResponse(w http.ResponseWriter) error { return a(w) }

// VisitPostUserinfoResponse implements the answer of the operation.
func (a Answer) VisitPostUserinfoResponse(w http.ResponseWriter) error { return a(w) }

// VisitRevokeResponse implements the answer of the operation.
func (a Answer) VisitRevokeResponse(w http.ResponseWriter) error { return a(w) }

// VisitTokenResponse implements the answer of the operation.
func (a Answer) VisitTokenResponse(w http.ResponseWriter) error { return a(w) }

// VisitValidateResponse implements the answer of the operation.
func (a Answer) VisitValidateResponse(w http.ResponseWriter) error { return a(w) }

// VisitUpdateClientResponse implements the answer of the operation.
func (a Answer) VisitUpdateClientResponse(w http.ResponseWriter) error { return a(w) }

// VisitUpdatePolicyResponse implements the answer of the operation.
func (a Answer) VisitUpdatePolicyResponse(w http.ResponseWriter) error { return a(w) }

// VisitUpdateProjectResponse implements the answer of the operation.
func (a Answer) VisitUpdateProjectResponse(w http.ResponseWriter) error { return a(w) }

// VisitUpdateScopeResponse implements the answer of the operation.
func (a Answer) VisitUpdateScopeResponse(w http.ResponseWriter) error { return a(w) }
