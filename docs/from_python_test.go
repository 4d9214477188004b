package docs_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/oapi-codegen/nullable"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/consents"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/identitymap"
	"github.com/globusauth/globusauth/idtoken"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

func use(...any) {}

// fromPython is the table of from-python.md: each call of use is a row. Its argument is the
// Go call, which the compiler checks. The comment above names the Python call and, after a
// colon, adds a note. The function is never run.
func fromPython(
	ctx context.Context, auth *globusauth.Client, native flows.Config, portal flows.Config, login flows.Login,
	verifier *idtoken.Verifier, people *identitymap.Map, forest *consents.Forest,
	set tokens.Set, tok tokens.Token, list *gen.ConsentList, id, code, secret, raw, text, accessToken string, ids, names []string, document []byte, callback url.Values, want scopes.List,
	project gen.ProjectCreate, policy gen.PolicyCreate, client gen.ClientCreate, scope gen.ScopeCreate, nonce string,
	store tokens.Store, source *tokens.Refreshing, failure *apierror.Error, err error,
) {
	// ## AuthClient
	// `globus_sdk.AuthClient(...)` is a `globusauth.Client`, made by `globusauth.New`.

	// AuthClient.get_openid_configuration
	use(auth.GetOpenIDConfiguration(ctx))
	// AuthClient.get_jwk: `idtoken` fetches, caches and renews the keys by itself
	use(auth.GetJWKS(ctx))
	// AuthClient.userinfo
	use(auth.GetUserinfo(ctx))
	// AuthClient.get_identities: for many, see `IdentityMap`
	use(auth.GetIdentities(ctx, &gen.GetIdentitiesParams{IDs: ids}))
	// AuthClient.get_identity_providers
	use(auth.GetIdentityProviders(ctx, &gen.GetIdentityProvidersParams{Domains: names}))
	// AuthClient.get_project
	use(auth.GetProject(ctx, id))
	// AuthClient.get_projects
	use(auth.GetProjects(ctx))
	// AuthClient.create_project
	use(auth.CreateProject(ctx, gen.CreateProjectBody{Project: project}))
	// AuthClient.update_project: unset fields are unchanged; `nullable.NewNullNullable` clears
	use(auth.UpdateProject(ctx, id, gen.UpdateProjectBody{Project: gen.ProjectUpdate{DisplayName: nullable.NewNullableWithValue("new")}}))
	// AuthClient.delete_project
	use(auth.DeleteProject(ctx, id))
	// AuthClient.get_policy
	use(auth.GetPolicy(ctx, id))
	// AuthClient.get_policies
	use(auth.GetPolicies(ctx))
	// AuthClient.create_policy
	use(auth.CreatePolicy(ctx, gen.CreatePolicyBody{Policy: policy}))
	// AuthClient.update_policy
	use(auth.UpdatePolicy(ctx, id, gen.UpdatePolicyBody{}))
	// AuthClient.delete_policy
	use(auth.DeletePolicy(ctx, id))
	// AuthClient.get_client: by host name, `GetClients` with `FQDN`
	use(auth.GetClient(ctx, id))
	// AuthClient.get_clients
	use(auth.GetClients(ctx, &gen.GetClientsParams{}))
	// AuthClient.create_client: `additional_fields` is `globusauth.WithBodyField`
	use(auth.CreateClient(ctx, gen.CreateClientBody{Client: client}))
	// AuthClient.update_client
	use(auth.UpdateClient(ctx, id, gen.UpdateClientBody{}))
	// AuthClient.delete_client
	use(auth.DeleteClient(ctx, id))
	// AuthClient.get_client_credentials
	use(auth.GetClientCredentials(ctx, id))
	// AuthClient.create_client_credential
	use(auth.CreateClientCredential(ctx, id, gen.CreateClientCredentialBody{Credential: gen.ClientCredentialCreate{Name: "new"}}))
	// AuthClient.delete_client_credential
	use(auth.DeleteClientCredential(ctx, id, id))
	// AuthClient.get_scope
	use(auth.GetScope(ctx, id))
	// AuthClient.get_scopes
	use(auth.GetScopes(ctx, &gen.GetScopesParams{ScopeStrings: names}))
	// AuthClient.create_scope
	use(auth.CreateScope(ctx, id, gen.CreateScopeBody{Scope: scope}))
	// AuthClient.update_scope
	use(auth.UpdateScope(ctx, id, gen.UpdateScopeBody{}))
	// AuthClient.delete_scope
	use(auth.DeleteScope(ctx, id))
	// AuthClient.get_consents
	use(auth.GetConsents(ctx, id, &gen.GetConsentsParams{All: true}))

	// ## Login clients
	// `NativeAppAuthClient(...)` is a `flows.Config`, `ConfidentialAppAuthClient(...)` one with a `ClientSecret`. Neither keeps a
	// login: `Start` returns it. State, nonce and PKCE are always generated and checked.

	// NativeAppAuthClient.oauth2_start_flow: `state` and `verifier` are always random
	use(native.Start())
	// ConfidentialAppAuthClient.oauth2_start_flow: with PKCE as well
	use(portal.Start())
	// AuthLoginClient.oauth2_get_authorize_url: `session_required_*`, `session_message` and `prompt` are `flows.WithAuthorization`, `query_params` is `flows.WithParameter`
	use(login.URL())
	// GlobusNativeAppFlowManager.get_authorize_url
	use(login.URL())
	// GlobusAuthorizationCodeFlowManager.get_authorize_url
	use(login.URL())
	// AuthLoginClient.oauth2_exchange_code_for_tokens: where the code is copied by hand; else `login.Finish`
	use(login.FinishCode(ctx, code))
	// GlobusNativeAppFlowManager.exchange_code_for_tokens
	use(login.FinishCode(ctx, code))
	// GlobusAuthorizationCodeFlowManager.exchange_code_for_tokens: with the query or form that came to the redirect URI
	use(login.Finish(ctx, callback))
	// AuthLoginClient.oauth2_refresh_token
	use(portal.Refresh(ctx, tok))
	// NativeAppAuthClient.oauth2_refresh_token: for continuous use, `native.Source`
	use(native.Refresh(ctx, tok))
	// AuthLoginClient.oauth2_revoke_token
	use(native.Revoke(ctx, accessToken))
	// AuthLoginClient.oauth2_token: any other grant
	use(auth.Token(ctx, gen.TokenRequest{GrantType: "password"}))
	// NativeAppAuthClient.create_native_app_instance: without credentials
	use(auth.CreateClient(ctx, gen.CreateClientBody{Client: gen.ClientCreate{TemplateID: id, Name: "laptop"}}))
	// ConfidentialAppAuthClient.oauth2_client_credentials_tokens: for continuous use, `portal.ClientCredentialsSource`
	use(portal.ClientCredentials(ctx))
	// ConfidentialAppAuthClient.oauth2_get_dependent_tokens
	use(portal.DependentTokens(ctx, accessToken, flows.DependentOptions{Scopes: want, RefreshTokens: true}))
	// ConfidentialAppAuthClient.oauth2_token_introspect: also policies, which the SDK does not have
	use(portal.Introspect(ctx, accessToken, flows.IntrospectOptions{IdentitySet: true, SessionInfo: true}))
	// ConfidentialAppAuthClient.create_child_client: `auth` with the parent's credentials
	use(auth.WithCredentials(globusauth.Basic(id, secret)).CreateClient(ctx, gen.CreateClientBody{Client: client}))

	// ## Tokens
	// A token response is a `tokens.Set`, for every grant.

	// OAuthTokenResponse.by_resource_server
	use(set.ByResourceServer(scopes.TransferResourceServer))
	// OAuthTokenResponse.by_scopes
	use(set.ByScopes(scopes.TransferAll))
	// OAuthTokenResponse.data: with all secrets; printing a set shows none
	use(set.MarshalStorage())
	// OAuthTokenResponse.decode_id_token: `Finish` verifies it; this is for other ID tokens
	use(verifier.Verify(ctx, raw, idtoken.Expect{Nonce: nonce, AccessToken: accessToken}))
	// OAuthDependentTokenResponse
	use(set.All())

	// ## ID tokens
	// An `IDTokenDecoder` is an `idtoken.Verifier`. It checks issuer, nonce and `at_hash` too, and fetches new keys.

	// IDTokenDecoder
	use(auth.IDTokens())
	// IDTokenDecoder.decode
	use(verifier.Verify(ctx, raw, idtoken.Expect{Nonce: nonce}))
	// IDTokenDecoder.get_jwt_audience
	use(idtoken.Config{ClientID: id})
	// IDTokenDecoder.get_openid_configuration
	use(auth.GetOpenIDConfiguration(ctx))
	// IDTokenDecoder.get_jwk
	use(auth.GetJWKS(ctx))
	// IDTokenDecoder.store_openid_configuration: with the keys pinned, no configuration is fetched
	use(idtoken.Options{JWKS: document})
	// IDTokenDecoder.store_jwk: pinned keys; nothing is fetched
	use(globusauth.Config{IDTokens: idtoken.Options{JWKS: document}})
	// IDTokenDecoder.for_globus_app: of every client, with the keys fetched once
	use(auth.IDTokens())

	// ## Identities and consents
	// `for identity in response` is `for _, identity := range response.Identities`, and so on for every list.

	// GetIdentitiesResponse
	use(gen.IdentityList{}.Identities)
	// IdentityMap
	use(identitymap.New(identitymap.Config{Client: auth}))
	// IdentityMap.add
	use(people.Add(id))
	// IdentityMap.get: for ten thousand, `people.All`
	use(people.Get(ctx, id))
	// IdentityMap[]: `identitymap.ErrNoIdentity` where Python has `KeyError`
	use(people.Get(ctx, id))
	// del IdentityMap[]
	people.Delete(id)
	// DependentScopeSpec
	use(gen.DependentScope{Scope: id, Optional: true, RequiresRefreshToken: true})
	// GetConsentsResponse.to_forest
	use(consents.NewForest(list.Consents))
	// Consent
	use(gen.Consent{})
	// ConsentForest
	use(consents.NewForest(list.Consents))
	// ConsentForest.nodes: in all trees
	use(forest.Trees())
	// ConsentForest.edges
	use(forest.Edges())
	// ConsentForest.trees
	use(forest.Trees())
	// ConsentForest.get_node
	use(forest.Find(7))
	// ConsentForest.meets_scope_requirements: what is missing, `forest.Missing`
	use(forest.Meets(want))
	// ConsentTree
	use(consents.Node{})

	// ## Authorizers
	// An authorizer is either `globusauth.Credentials` of a client of Globus Auth, or a `tokens.Source` behind an `*http.Client`
	// for any other service.

	// NullAuthorizer
	use(auth.WithCredentials(nil))
	// BasicAuthorizer
	use(globusauth.Basic(id, secret))
	// AccessTokenAuthorizer
	use(globusauth.Bearer(accessToken))
	// RefreshTokenAuthorizer: `on_refresh` is `OnChange`; the new token is stored before it is used
	use(native.Source(tokens.RefreshingConfig{Store: store, ResourceServer: scopes.TransferResourceServer}))
	// ClientCredentialsAuthorizer
	use(portal.ClientCredentialsSource(tokens.RefreshingConfig{Store: store, ResourceServer: scopes.TransferResourceServer}))
	// GlobusAuthorizer.get_authorization_header: the token goes to its own service's hosts only
	use(flows.HTTPClient(auth, tokens.TransportConfig{Source: source, ResourceServer: scopes.TransferResourceServer}))
	// GlobusAuthorizer.handle_missing_authorization: `tokens.Transport` and `globusauth.Client` do it on a 401
	use(source.Renew(ctx, tok))
	// RenewingAuthorizer.ensure_valid_token
	use(source.Token(ctx))

	// ## Scopes
	// A scope is a string of the type `scopes.Scope`; the well-known ones are constants.

	// Scope
	use(scopes.TransferAll)
	// Scope.parse: and `ScopeParser.parse`; `foo*bar` and characters outside RFC 6749 are errors here
	use(scopes.Parse(text))
	// Scope.with_dependency
	use(scopes.TransferAll.With(scopes.CollectionDataAccess(id)))
	// Scope.with_optional
	use(scopes.CollectionDataAccess(id).Optional())
	// ScopeParser.merge_scopes
	use(scopes.Merge(want, want))
	// ScopeParser.serialize: `want.Validate` checks what serialize does not
	use(want.String())
	// GCSEndpointScopes
	use(scopes.EndpointManageCollections(id))
	// GCSCollectionScopes: and `scopes.CollectionHTTPS`
	use(scopes.CollectionDataAccess(id))
	// SpecificFlowScopes
	use(scopes.FlowUser(id))

	// ## Errors
	// A failure that a service reports is an `*apierror.Error`; `errors.Is` checks its class, such as `apierror.ErrNotFound`.

	// GlobusAPIError
	use(errors.AsType[*apierror.Error](err))
	// GlobusAPIError.http_status
	use(failure.StatusCode)
	// GlobusAPIError.code
	use(failure.Code)
	// GlobusAPIError.message
	use(failure.Message)
	// GlobusAPIError.request_id
	use(failure.RequestID)
	// GlobusAPIError.errors
	use(failure.Details)
	// GlobusAPIError.binary_content
	use(failure.Body())
	// GlobusAPIError.headers
	use(failure.Header())
	// err.info.authorization_parameters: `flows.WithAuthorization` asks for it
	use(failure.Authorization)
	// err.info.consent_required
	use(errors.Is(err, apierror.ErrConsentRequired))
	// to_gares
	use(apierror.Requirements(failure.Body()))
}

// mentioned holds what the notes of the table name, so that the compiler checks it.
func mentioned(people *identitymap.Map, forest *consents.Forest, want scopes.List, portal flows.Config) {
	use(flows.WithAuthorization, flows.WithParameter, globusauth.New, globusauth.WithBodyField, nullable.NewNullNullable[string])
	use(identitymap.ErrNoIdentity, people.All, forest.Missing, portal.Source, scopes.CollectionHTTPS, want.Validate, apierror.ErrNotFound)
	use(http.Client{}, tokens.Transport{}, globusauth.Client{}, (*globusauth.Credentials)(nil), idtoken.Verifier{}, tokens.Source(nil), scopes.Scope(""))
}

var _, _ = fromPython, mentioned
