package authtest

import (
	"context"
	"slices"
	"strings"

	"github.com/oapi-codegen/nullable"

	"github.com/globusauth/globusauth/internal/server"
)

func (c *client) document() server.ClientRecord {
	document := server.ClientRecord{
		ID: c.ID, Name: c.Name, ParentClient: orNull(c.Parent), PublicClient: c.public(), ClientType: c.kind(),
		GrantTypes: c.grants(), Visibility: c.visibility(), Scopes: []string{}, FQDNs: orEmpty(c.FQDNs),
		RedirectURIs: orEmpty(c.RedirectURIs), RequiredIDP: orNull(c.RequiredIDP), PreselectIDP: orNull(c.PreselectIDP),
		Links:                         server.ClientLinks{PrivacyPolicy: orNull(c.PrivacyPolicy), TermsAndConditions: orNull(c.TermsAndConditions)},
		UserinfoFromEffectiveIdentity: true, PromptForNamedGrant: c.public(), Project: orNull(c.Project),
	}
	for _, s := range c.scopes {
		document.Scopes = append(document.Scopes, s.id)
	}
	return document
}

func (c *client) response() server.ClientResponse { return server.ClientResponse{Client: c.document()} }

// projectOf returns the project that decides about a client: its own, or its
// parent's.
func (e *engine) projectOf(c *client) *Project {
	for range 16 { // no chain is longer
		if c.Project != "" || c.Parent == "" || c.Instance {
			break
		}
		parent := e.clients.get(c.Parent)
		if parent == nil {
			break
		}
		c = parent
	}
	return e.projects.get(c.Project)
}

// clientCaller returns the caller of an operation on a client: the client itself with
// its secret, or a token with manage_projects.
func (e *engine) clientCaller(ctx context.Context) (principal, error) {
	c := callFrom(ctx)
	if _, _, given := c.basicCredentials(); given {
		return e.authenticated(c)
	}
	return e.developer(ctx)
}

// findClient looks a client up and checks that the caller may see it.
func (e *engine) findClient(caller principal, id string) (*client, error) {
	found := e.clients.get(id)
	if found == nil {
		return nil, notFound("No client has the ID " + id)
	}
	if found.Public || e.owns(caller, found) {
		return found, nil
	}
	return nil, forbidden("You may not see this client")
}

// owns reports whether the caller is the client, its parent, or an administrator
// of its project.
func (e *engine) owns(caller principal, c *client) bool {
	if caller.token == nil {
		return caller.client == c || c.Parent == caller.client.ID && !c.Instance
	}
	return e.administers(caller, e.projectOf(c))
}

// mayChangeClient returns an error unless the caller may change a client.
func (e *engine) mayChangeClient(caller principal, c *client) error {
	if caller.token == nil {
		if !e.owns(caller, c) {
			return forbidden("A client can change itself and its children only")
		}
		return nil
	}
	return e.mayChange(caller, e.projectOf(c))
}

// changeable looks a client up that the caller wants to change.
func (e *engine) changeable(ctx context.Context, id string) (*client, error) {
	caller, err := e.clientCaller(ctx)
	if err != nil {
		return nil, err
	}
	found, err := e.findClient(caller, id)
	if err != nil {
		return nil, err
	}
	return found, e.mayChangeClient(caller, found)
}

// GetClients lists the clients in the caller's projects, or finds the one that
// has a host name.
func (a api) GetClients(ctx context.Context, request server.GetClientsRequestObject) (server.GetClientsResponseObject, error) {
	params := request.Params
	caller, err := a.developer(ctx)
	if err != nil {
		return nil, err
	}
	if params.FQDN != "" && params.ProjectID != "" {
		return nil, badRequest("'fqdn' and 'project_id' exclude each other")
	}
	if params.FQDN != "" {
		found := a.fqdns[strings.ToLower(params.FQDN)]
		if found == nil {
			return nil, notFound("No client has the host name " + params.FQDN)
		}
		if _, err := a.findClient(caller, found.ID); err != nil {
			return nil, err
		}
		return server.ClientList{Client: found.document()}, nil
	}
	return server.ClientList{Clients: documents(a.clients.all(), func(c *client) bool {
		of := a.projectOf(c)
		return a.administers(caller, of) && (params.ProjectID == "" || of.ID == strings.ToLower(params.ProjectID))
	}, (*client).document)}, nil
}

// GetClient reads one client.
func (a api) GetClient(ctx context.Context, request server.GetClientRequestObject) (server.GetClientResponseObject, error) {
	caller, err := a.clientCaller(ctx)
	if err != nil {
		return nil, err
	}
	found, err := a.findClient(caller, request.ClientID)
	if err != nil {
		return nil, err
	}
	return found.response(), nil
}

// CreateClient registers a client in a project, a child of the calling client,
// or an instance of a native app.
func (a api) CreateClient(ctx context.Context, request server.CreateClientRequestObject) (server.CreateClientResponseObject, error) {
	c := callFrom(ctx)
	body := request.Body.Client
	if body.TemplateID != "" {
		return a.createInstance(body)
	}
	added, err := a.newClient(body)
	if err != nil {
		return nil, err
	}
	if _, _, given := c.basicCredentials(); given {
		caller, err := a.authenticated(c)
		switch {
		case err != nil:
			return nil, err
		case body.Project != "":
			return nil, badRequest("A child client belongs to its parent; leave 'project' out")
		}
		added.Parent = caller.client.ID
	} else {
		caller, err := a.developer(ctx)
		if err != nil {
			return nil, err
		}
		if body.Project == "" {
			return nil, badRequest("project is required")
		}
		into, err := a.findProject(body.Project)
		if err != nil {
			return nil, err
		}
		if err := a.mayChange(caller, into); err != nil {
			return nil, err
		}
		added.Project = into.ID
	}
	added.ID = a.random.uuid()
	a.keepClient(added)
	return server.CreateClientResponse{Client: added.document()}, nil
}

// newClient checks the body of a creation.
func (e *engine) newClient(body server.ClientCreate) (*client, error) {
	added := &client{Client: Client{Type: string(body.ClientType)}}
	typed := body.PublicClient.IsSpecified() && !body.PublicClient.IsNull()
	if typed == (body.ClientType != "") {
		return nil, badRequest("Exactly one of public_client and client_type is required")
	}
	if typed {
		added.Type = string(server.ClientTypeHybridConfidentialClientResourceServer)
		if body.PublicClient.MustGet() {
			added.Type = string(server.ClientTypePublicInstalledClient)
		}
	}
	update := server.ClientUpdate{RedirectURIs: body.RedirectURIs}
	update.Name.Set(body.Name)
	if body.Visibility != "" {
		update.Visibility.Set(body.Visibility)
	}
	update.RequiredIDP, update.PreselectIDP = body.RequiredIDP, body.PreselectIDP
	update.Links = nullable.NewNullableWithValue(server.ClientLinksUpdate(body.Links))
	return added, e.applyClient(added, update)
}

// applyClient checks a change and makes it.
func (e *engine) applyClient(c *client, body server.ClientUpdate) error {
	set(&c.Name, body.Name)
	set(&c.RedirectURIs, body.RedirectURIs)
	set(&c.RequiredIDP, body.RequiredIDP)
	set(&c.PreselectIDP, body.PreselectIDP)
	visibility := c.visibility()
	set(&visibility, body.Visibility)
	c.Public = visibility == server.ClientVisibilityPublic
	if body.Links.IsSpecified() {
		links := given(body.Links)
		set(&c.PrivacyPolicy, links.PrivacyPolicy)
		set(&c.TermsAndConditions, links.TermsAndConditions)
	}
	if !visibility.Valid() {
		return badRequest("visibility must be public or private")
	}
	return e.checkClient(c)
}

// createInstance makes a confidential client of a native app, with its first
// secret. It needs no authorization.
func (e *engine) createInstance(body server.ClientCreate) (server.CreateClientResponseObject, error) {
	template := e.clients.get(body.TemplateID)
	if template == nil || !template.Template {
		return nil, badRequest("There is no template '" + body.TemplateID + "'")
	}
	added := &client{Client: Client{
		Name: body.Name, Type: string(server.ClientTypeConfidentialClient), Parent: template.ID, Instance: true, RedirectURIs: []string{},
	}}
	if err := e.applyClient(added, server.ClientUpdate{}); err != nil {
		return nil, err
	}
	added.ID = e.random.uuid()
	e.keepClient(added)
	first := e.addCredential(added, "Auto-created at client creation").document(true)
	first.Created = "" // the service leaves it out here
	return server.CreateClientResponse{Client: added.document(), Included: server.ClientIncluded{ClientCredential: first}}, nil
}

// UpdateClient changes a client.
func (a api) UpdateClient(ctx context.Context, request server.UpdateClientRequestObject) (server.UpdateClientResponseObject, error) {
	found, err := a.changeable(ctx, request.ClientID)
	if err != nil {
		return nil, err
	}
	next := *found
	if err := a.applyClient(&next, request.Body.Client); err != nil {
		return nil, err
	}
	*found = next
	if found.identity != nil {
		found.identity.Name = found.Name
	}
	a.changed()
	return found.response(), nil
}

// DeleteClient deletes a client and what it owns. A client with children, or with
// scopes that others depend on, is in use.
func (a api) DeleteClient(ctx context.Context, request server.DeleteClientRequestObject) (server.DeleteClientResponseObject, error) {
	found, err := a.changeable(ctx, request.ClientID)
	if err != nil {
		return nil, err
	}
	for other := range a.clients.all() {
		if other.Parent == found.ID && !other.Instance {
			return nil, conflict("The client still has child clients; delete them first")
		}
	}
	for _, s := range found.scopes {
		if user := a.dependsOn(s, found); user != nil {
			return nil, conflict("The scope " + user.text + " depends on a scope of the client")
		}
	}
	response := found.response()
	a.removeClient(found)
	return response, nil
}

// removeClient deletes a client. Its tokens become invalid.
func (e *engine) removeClient(c *client) {
	for _, s := range slices.Clone(c.scopes) {
		e.removeScope(s)
	}
	for _, used := range c.credentials {
		used.deleted = true
	}
	for _, fqdn := range c.FQDNs {
		delete(e.fqdns, fqdn)
	}
	if c.identity != nil {
		delete(e.identities, c.identity.ID)
		delete(e.usernames, c.identity.Username)
	}
	e.clients.remove(c.ID)
	e.dropConsents(func(given *consent) bool { return given.client == c || given.identity == c.identity })
	for p := range e.projects.all() {
		p.AdminIDs = slices.DeleteFunc(slices.Clone(p.AdminIDs), func(id string) bool { return id == c.ID })
	}
	e.changed()
}
