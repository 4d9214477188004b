package contract_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// tour calls every operation of an authtest server. Every request and response is
// checked against the spec.
type tour struct {
	t      *testing.T
	ctx    context.Context //nolint:containedctx // The context of one test.
	ready  authtest.Ready
	public *globusauth.Client
	user   *globusauth.Client
	app    *globusauth.Client
	http   *http.Client

	mu        sync.Mutex
	exchanges []exchange
}

func newTour(t *testing.T) *tour {
	t.Helper()
	server := authtest.New(t)
	tr := &tour{t: t, ctx: t.Context(), ready: server.Ready(), http: server.Client()}
	tr.http.Transport = &validating{spec: theSpec(t), next: tr.http.Transport, seen: tr.seen}
	tr.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	client, err := globusauth.New(globusauth.Config{BaseURL: server.BaseURL(), HTTPClient: tr.http})
	if err != nil {
		t.Fatal(err)
	}
	tr.public = client
	tr.app = client.WithCredentials(globusauth.Basic(tr.ready.ConfidentialClientID, tr.ready.ConfidentialClientSecret))
	return tr
}

func (tr *tour) seen(x exchange) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.exchanges = append(tr.exchanges, x)
}

// must ends the tour at a failed step.
func must[T any](tr *tour, step string, result T, err error) T {
	tr.t.Helper()
	if err != nil {
		tr.t.Fatalf("%s: %v", step, err)
	}
	return result
}

// signIn follows a login's URL as a browser without pages would, and finishes.
func (tr *tour) signIn(login flows.Login, err error) tokens.Set {
	tr.t.Helper()
	if err != nil {
		tr.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(tr.ctx, http.MethodGet, login.URL(), http.NoBody)
	if err != nil {
		tr.t.Fatal(err)
	}
	resp, err := tr.http.Do(req)
	if err != nil {
		tr.t.Fatal(err)
	}
	_ = resp.Body.Close()
	location, err := resp.Location()
	if err != nil {
		tr.t.Fatalf("authorize: status %d, %v", resp.StatusCode, err)
	}
	set, _, err := login.Finish(tr.ctx, location.Query())
	return must2(tr)(set, err)
}

// must2 is must for calls that return tokens.
func must2(tr *tour) func(tokens.Set, error) tokens.Set {
	return func(set tokens.Set, err error) tokens.Set {
		tr.t.Helper()
		return must(tr, "tokens", set, err)
	}
}

func (tr *tour) native() flows.Config {
	return flows.Config{
		Auth: tr.public, ClientID: tr.ready.NativeClientID, RedirectURI: "http://127.0.0.1:45678/callback", RefreshTokens: true,
		Scopes: scopes.List{
			scopes.AuthOpenID, scopes.AuthProfile, scopes.AuthEmail, scopes.AuthViewIdentitySet, scopes.AuthManageProjects,
			scopes.AuthViewConsents, scopes.AuthViewIdentities, scopes.TransferAll,
		},
	}
}

func (tr *tour) portal() flows.Config {
	return flows.Config{
		Auth: tr.public, ClientID: tr.ready.ConfidentialClientID, ClientSecret: tr.ready.ConfidentialClientSecret,
		RedirectURI: tr.ready.ConfidentialRedirectURI, Scopes: scopes.List{scopes.Scope(tr.ready.DependentGrant.Scope)},
		RefreshTokens: true,
	}
}

func TestAuthtest_ConformsToSpec(t *testing.T) {
	t.Parallel()
	tr := newTour(t)
	tr.discovery()
	tr.people()
	tr.grants()
	tr.administration()
	tr.pages()

	succeeded := map[string]bool{}
	for _, x := range tr.exchanges {
		succeeded[x.operation] = succeeded[x.operation] || x.status < http.StatusBadRequest
		where := fmt.Sprintf("%s %s, status %d", x.request.Method, x.request.URL.Path, x.status)
		for _, problem := range slices.Concat(x.ofRequest, x.ofResponse) {
			t.Errorf("%s: %s", where, problem)
		}
		for _, field := range x.undocumented {
			t.Errorf("%s: the spec does not name %s", where, field)
		}
	}
	for _, id := range theSpec(t).operations() {
		if !succeeded[id] {
			t.Errorf("no call of %s succeeds", id)
		}
	}
}

func (tr *tour) discovery() {
	tr.t.Helper()
	config, err := tr.public.GetOpenIDConfiguration(tr.ctx)
	must(tr, "discovery", config, err)
	keys, err := tr.public.GetJWKS(tr.ctx)
	must(tr, "keys", keys, err)
}

func (tr *tour) people() {
	tr.t.Helper()
	set := tr.signIn(tr.native().Start())
	token, ok := set.ByResourceServer(scopes.AuthResourceServer)
	if !ok {
		tr.t.Fatal("no token for Globus Auth")
	}
	tr.user = tr.public.WithCredentials(globusauth.Bearer(token.AccessToken))

	info, err := tr.user.GetUserinfo(tr.ctx)
	must(tr, "userinfo", info, err)
	post, err := gen.NewPostUserinfoRequest(tr.ctx, tr.public.BaseURL())
	must(tr, "userinfo by POST", post, err).Header.Set("Authorization", "Bearer "+token.AccessToken)
	must(tr, "userinfo by POST", post, browse(tr.public, post, err))
	if len(info.IdentitySet) < 2 {
		tr.t.Errorf("userinfo has %d identities, want the linked ones", len(info.IdentitySet))
	}
	found, err := tr.user.GetIdentities(tr.ctx, &gen.GetIdentitiesParams{Usernames: []string{tr.ready.Users[0].Username, "unknown@example.edu"}})
	must(tr, "identities by username", found, err)
	include := []gen.IdentityInclude{gen.IdentityIncludeIdentityProvider}
	params := gen.GetIdentitiesParams{Usernames: []string{"new@example.edu"}, Provision: true}
	found, err = tr.user.GetIdentities(tr.ctx, &params)
	must(tr, "provision", found, err)
	ids := []string{tr.ready.Users[0].IdentityID, tr.ready.Users[1].IdentityID, tr.ready.ConfidentialClientID}
	found, err = tr.user.GetIdentities(tr.ctx, &gen.GetIdentitiesParams{IDs: ids, Include: include})
	must(tr, "identities by ID", found, err)
	if len(found.Identities) != 3 || len(found.Included.IdentityProviders) == 0 {
		tr.t.Errorf("got %d identities and %d providers", len(found.Identities), len(found.Included.IdentityProviders))
	}
	one, err := tr.user.GetIdentity(tr.ctx, tr.ready.Users[0].IdentityID, &gen.GetIdentityParams{Include: include})
	must(tr, "identity", one, err)
	providers, err := tr.user.GetIdentityProviders(tr.ctx, &gen.GetIdentityProvidersParams{Domains: []string{tr.ready.IdentityProvider.Domain}})
	must(tr, "providers by domain", providers, err)
	providers, err = tr.user.GetIdentityProviders(tr.ctx, &gen.GetIdentityProvidersParams{IDs: []string{tr.ready.IdentityProvider.ID}})
	must(tr, "providers by ID", providers, err)
	consents, err := tr.user.GetConsents(tr.ctx, info.Sub, &gen.GetConsentsParams{All: true})
	must(tr, "consents", consents, err)
	if len(consents.Consents) == 0 {
		tr.t.Error("no consents after a login")
	}
}

func (tr *tour) grants() {
	tr.t.Helper()
	portal := tr.portal()
	set := tr.signIn(portal.Start())
	token, err := set.ByScopes(portal.Scopes...)
	must(tr, "the portal's token", token, err)
	options := flows.IntrospectOptions{IdentitySet: true, IdentitySetDetail: true, SessionInfo: true, Policies: []string{tr.ready.PolicyID}}
	introspection, err := portal.Introspect(tr.ctx, token.AccessToken, options)
	must(tr, "introspect", introspection, err)
	if !introspection.Active || len(introspection.IdentitySetDetail) == 0 || len(introspection.PolicyEvaluations) != 1 {
		tr.t.Errorf("introspection: active %v, %d identities, %d policies", introspection.Active, len(introspection.IdentitySetDetail), len(introspection.PolicyEvaluations))
	}
	introspection, err = portal.Introspect(tr.ctx, "no-token-at-all", flows.IntrospectOptions{})
	must(tr, "introspect an unknown token", introspection, err)
	dependent := must2(tr)(portal.DependentTokens(tr.ctx, token.AccessToken, flows.DependentOptions{RefreshTokens: true}))
	if got := len(dependent.All()); got != len(tr.ready.DependentGrant.Expect) {
		tr.t.Errorf("%d dependent tokens, want %d", got, len(tr.ready.DependentGrant.Expect))
	}
	must2(tr)(portal.Refresh(tr.ctx, token))
	service := portal
	service.Scopes = scopes.List{scopes.TransferAll, scopes.AuthOpenID}
	must2(tr)(service.ClientCredentials(tr.ctx))
	must(tr, "revoke", struct{}{}, portal.Revoke(tr.ctx, token.AccessToken))

	// The native client's tokens, by the plain operations.
	login, err := tr.native().Start()
	set = tr.signIn(login, err)
	transfer, _ := set.ByResourceServer(scopes.TransferResourceServer)
	must2(tr)(tr.native().Refresh(tr.ctx, transfer))
	must(tr, "revoke a native client's token", struct{}{}, tr.native().Revoke(tr.ctx, transfer.RefreshToken))
}

func (tr *tour) administration() {
	tr.t.Helper()
	projects, err := tr.user.GetProjects(tr.ctx)
	must(tr, "projects", projects, err)
	create := gen.ProjectCreate{DisplayName: "Tour", ContactEmail: "tour@example.edu", AdminIDs: []string{tr.ready.Users[0].IdentityID}}
	project, err := tr.user.CreateProject(tr.ctx, gen.CreateProjectBody{Project: create})
	must(tr, "create project", project, err)
	id := project.Project.ID
	project, err = tr.user.GetProject(tr.ctx, id)
	must(tr, "project", project, err)
	project, err = tr.user.UpdateProject(tr.ctx, id, gen.UpdateProjectBody{Project: gen.ProjectUpdate{DisplayName: value("Grand tour")}})
	must(tr, "update project", project, err)
	if project.Project.DisplayName != "Grand tour" {
		tr.t.Errorf("the project is called %q", project.Project.DisplayName)
	}
	tr.policies(id)
	tr.clients(id)
	project, err = tr.user.DeleteProject(tr.ctx, id)
	must(tr, "delete project", project, err)
}

func (tr *tour) policies(project string) {
	tr.t.Helper()
	policies, err := tr.user.GetPolicies(tr.ctx)
	must(tr, "policies", policies, err)
	create := gen.PolicyCreate{
		ProjectID: project, DisplayName: "Tour", Description: "For the tour.", HighAssurance: value(true),
		AuthenticationAssuranceTimeout: value(600), DomainConstraintsInclude: value([]string{"example.edu"}),
		DomainConstraintsExclude: null[[]string](),
	}
	policy, err := tr.user.CreatePolicy(tr.ctx, gen.CreatePolicyBody{Policy: create})
	must(tr, "create policy", policy, err)
	id := policy.Policy.ID
	policy, err = tr.user.GetPolicy(tr.ctx, id)
	must(tr, "policy", policy, err)
	update := gen.PolicyUpdate{RequiredMFA: value(true), DomainConstraintsInclude: null[[]string](), DomainConstraintsExclude: value([]string{})}
	policy, err = tr.user.UpdatePolicy(tr.ctx, id, gen.UpdatePolicyBody{Policy: update})
	must(tr, "update policy", policy, err)
	policy, err = tr.user.DeletePolicy(tr.ctx, id)
	must(tr, "delete policy", policy, err)
}

func (tr *tour) clients(project string) {
	tr.t.Helper()
	list, err := tr.user.GetClients(tr.ctx, nil)
	must(tr, "clients", list, err)
	list, err = tr.user.GetClients(tr.ctx, &gen.GetClientsParams{FQDN: tr.ready.FQDN})
	must(tr, "client by host name", list, err)
	if len(list.Clients) != 1 || list.Clients[0].ID != tr.ready.ConfidentialClientID {
		tr.t.Errorf("the owner of %s: %v", tr.ready.FQDN, list.Clients)
	}
	own, err := tr.app.GetClient(tr.ctx, tr.ready.ConfidentialClientID)
	must(tr, "own record", own, err)

	create := gen.ClientCreate{
		Name: "Tour", Project: project, ClientType: gen.ClientTypeHybridConfidentialClientResourceServer,
		Visibility: gen.ClientVisibilityPrivate, RedirectURIs: value([]string{"https://tour.example.edu/callback"}),
		Links: gen.ClientLinks{TermsAndConditions: "https://tour.example.edu/t", PrivacyPolicy: "https://tour.example.edu/p"},
	}
	client, err := tr.user.CreateClient(tr.ctx, gen.CreateClientBody{Client: create})
	must(tr, "create client", client, err)
	id := client.Client.ID
	got, err := tr.user.GetClient(tr.ctx, id)
	must(tr, "client", got, err)
	links := gen.ClientLinksUpdate{TermsAndConditions: null[string](), PrivacyPolicy: null[string]()}
	update := gen.ClientUpdate{Name: value("Tour bus"), RedirectURIs: value([]string{}), Links: value(links)}
	got, err = tr.user.UpdateClient(tr.ctx, id, gen.UpdateClientBody{Client: update})
	must(tr, "update client", got, err)
	host, err := tr.user.AddClientFQDN(tr.ctx, id, gen.AddClientFQDNBody{FQDN: "tour.example.edu"})
	must(tr, "add host name", host, err)
	tr.credentials(id)
	tr.scopes(id)

	child := gen.ClientCreate{Name: "Child", PublicClient: value(false)}
	childClient, err := tr.app.CreateClient(tr.ctx, gen.CreateClientBody{Client: child})
	must(tr, "create child client", childClient, err)
	instance := gen.ClientCreate{Name: "Instance", TemplateID: tr.ready.TemplateID}
	created, err := tr.public.CreateClient(tr.ctx, gen.CreateClientBody{Client: instance})
	must(tr, "create instance", created, err)
	if created.Included.ClientCredential.Secret == "" {
		tr.t.Error("the instance has no secret")
	}
	got, err = tr.user.DeleteClient(tr.ctx, id)
	must(tr, "delete client", got, err)
}

func (tr *tour) credentials(client string) {
	tr.t.Helper()
	body := gen.CreateClientCredentialBody{Credential: gen.ClientCredentialCreate{Name: "tour"}}
	created, err := tr.user.CreateClientCredential(tr.ctx, client, body)
	must(tr, "create credential", created, err)
	if created.Credential.Secret == "" {
		tr.t.Error("a new credential has no secret")
	}
	all, err := tr.user.GetClientCredentials(tr.ctx, client)
	must(tr, "credentials", all, err)
	for _, credential := range all.Credentials {
		if credential.Secret != "" {
			tr.t.Error("a listed credential shows its secret")
		}
	}
	deleted, err := tr.user.DeleteClientCredential(tr.ctx, client, created.Credential.ID)
	must(tr, "delete credential", deleted, err)
}

func (tr *tour) scopes(client string) {
	tr.t.Helper()
	create := gen.ScopeCreate{
		Name: "Tour", Description: "See the tour.", ScopeSuffix: "see", Advertised: value(true), AllowsRefreshToken: value(false),
		DependentScopes: value([]gen.DependentScope{{Scope: "73320ffe-4cb4-4b25-a0a3-83d53d59ce4f", Optional: true}}),
	}
	created, err := tr.user.CreateScope(tr.ctx, client, gen.CreateScopeBody{Scope: create})
	must(tr, "create scope", created, err)
	id := created.Scope.ID
	scope, err := tr.user.GetScope(tr.ctx, id)
	must(tr, "scope", scope, err)
	scope, err = tr.user.GetClientScope(tr.ctx, client, id)
	must(tr, "scope of a client", scope, err)
	list, err := tr.user.GetScopes(tr.ctx, nil)
	must(tr, "own scopes", list, err)
	list, err = tr.user.GetScopes(tr.ctx, &gen.GetScopesParams{ScopeStrings: []string{created.Scope.ScopeString, string(scopes.TransferAll)}})
	must(tr, "scopes by string", list, err)
	list, err = tr.user.GetScopes(tr.ctx, &gen.GetScopesParams{IDs: []string{id}})
	must(tr, "scopes by ID", list, err)
	update := gen.ScopeUpdate{Description: value("See it all."), DependentScopes: value([]gen.DependentScope{})}
	scope, err = tr.user.UpdateScope(tr.ctx, id, gen.UpdateScopeBody{Scope: update})
	must(tr, "update scope", scope, err)
	scope, err = tr.user.DeleteScope(tr.ctx, id)
	must(tr, "delete scope", scope, err)
}

func (tr *tour) pages() {
	tr.t.Helper()
	req, err := gen.NewAuthCodePageRequest(tr.ctx, tr.public.BaseURL(), &gen.AuthCodePageParams{Code: "CODE", State: "STATE"})
	must(tr, "code page", req, browse(tr.public, req, err))
	req, err = gen.NewLogoutPageRequest(tr.ctx, tr.public.BaseURL(), &gen.LogoutPageParams{Client: tr.ready.NativeClientID})
	must(tr, "logout page", req, browse(tr.public, req, err))
	login, err := tr.native().Start()
	if err != nil {
		tr.t.Fatal(err)
	}
	req, err = gen.NewAuthorizeRequest(tr.ctx, tr.public.BaseURL(), authorizeParams(tr.t, login.URL()))
	must(tr, "sign-in page", req, browse(tr.public, req, err))
	if last := tr.exchanges[len(tr.exchanges)-1].status; last != http.StatusOK {
		tr.t.Errorf("a browser gets status %d, want the sign-in page", last)
	}
}

// authorizeParams reads a login's URL.
func authorizeParams(t *testing.T, text string) *gen.AuthorizeParams {
	t.Helper()
	query := parseURL(t, text).Query()
	return &gen.AuthorizeParams{
		ClientID: query.Get("client_id"), RedirectURI: query.Get("redirect_uri"), Scope: query.Get("scope"),
		ResponseType: gen.ResponseType(query.Get("response_type")), State: query.Get("state"), Nonce: query.Get("nonce"),
		CodeChallenge: query.Get("code_challenge"), CodeChallengeMethod: gen.CodeChallengeMethod(query.Get("code_challenge_method")),
		AccessType: gen.AccessType(query.Get("access_type")),
	}
}

// TestAuthtest_ErrorResponsesConformToSpec makes requests that fail. Only the
// responses must conform.
func TestAuthtest_ErrorResponsesConformToSpec(t *testing.T) {
	t.Parallel()
	tr := newTour(t)
	set := tr.signIn(tr.native().Start())
	token, _ := set.ByResourceServer(scopes.AuthResourceServer)
	invalid := tr.public.WithCredentials(globusauth.Bearer("not-a-token"))
	user := tr.public.WithCredentials(globusauth.Bearer(token.AccessToken))
	wrongSecret := tr.public.WithCredentials(globusauth.Basic(tr.ready.ConfidentialClientID, "wrong"))
	const unknown = "00000000-0000-4000-8000-00000000dead"
	for _, test := range []struct {
		name   string
		call   func() error
		status int
	}{
		{"unknown token", func() error { return only(invalid.GetProjects(t.Context())) }, http.StatusUnauthorized},
		{"unknown token at userinfo", func() error { return only(invalid.GetUserinfo(t.Context())) }, http.StatusUnauthorized},
		{"wrong secret", func() error {
			return only(wrongSecret.Introspect(t.Context(), gen.IntrospectRequest{Token: "x"}))
		}, http.StatusUnauthorized},
		{"no project", func() error { return only(user.GetProject(t.Context(), unknown)) }, http.StatusNotFound},
		{"no policy", func() error { return only(user.GetPolicy(t.Context(), unknown)) }, http.StatusNotFound},
		{"no client", func() error { return only(user.GetClient(t.Context(), unknown)) }, http.StatusNotFound},
		{"no scope", func() error { return only(user.GetScope(t.Context(), unknown)) }, http.StatusNotFound},
		{"no identity", func() error { return only(user.GetIdentity(t.Context(), unknown, nil)) }, http.StatusNotFound},
		{"unknown code", func() error {
			return only(tr.public.Token(t.Context(), gen.TokenRequest{
				GrantType: gen.GrantTypeAuthorizationCode, ClientID: tr.ready.NativeClientID, Code: "unknown",
				CodeVerifier: strings.Repeat("v", 43), RedirectURI: "http://127.0.0.1:45678/callback",
			}))
		}, http.StatusBadRequest},
		{"unsupported grant", func() error {
			return only(tr.public.Token(t.Context(), gen.TokenRequest{GrantType: "password", ClientID: tr.ready.NativeClientID}))
		}, http.StatusBadRequest},
		{"both lists", func() error {
			params := gen.GetIdentityProvidersParams{IDs: []string{unknown}, Domains: []string{"example.edu"}}
			return only(user.GetIdentityProviders(t.Context(), &params))
		}, http.StatusBadRequest},
		{"client of both types", func() error {
			client := gen.ClientCreate{Name: "N", Project: tr.ready.ProjectID, PublicClient: value(true), ClientType: gen.ClientTypeConfidentialClient}
			return only(user.CreateClient(t.Context(), gen.CreateClientBody{Client: client}))
		}, http.StatusBadRequest},
		{"unregistered redirect URI", func() error {
			params := gen.AuthorizeParams{
				ClientID: tr.ready.ConfidentialClientID, RedirectURI: "https://attacker.example/", Scope: "openid", ResponseType: gen.ResponseTypeCode,
			}
			req, err := gen.NewAuthorizeRequest(t.Context(), tr.public.BaseURL(), &params)
			return browse(tr.public, req, err)
		}, http.StatusBadRequest},
	} {
		before := len(tr.exchanges)
		err := test.call()
		if err == nil {
			t.Errorf("%s: no error", test.name)
		}
		for _, x := range tr.exchanges[before:] {
			if x.status != test.status {
				t.Errorf("%s: status %d, want %d: %s", test.name, x.status, test.status, x.body)
			}
			for _, problem := range x.ofResponse {
				t.Errorf("%s: %s: %s", test.name, problem, x.body)
			}
		}
		if len(tr.exchanges) == before {
			t.Errorf("%s: nothing was sent: %v", test.name, err)
		}
	}
}
