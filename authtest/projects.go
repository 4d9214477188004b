package authtest

import (
	"context"
	"slices"
	"strings"

	"github.com/oapi-codegen/nullable"

	"github.com/globusauth/globusauth/internal/server"
	"github.com/globusauth/globusauth/scopes"
)

// projectByAdminPolicy returns the project of a built-in policy, or nil.
func (e *engine) projectByAdminPolicy(id string) *Project {
	for p := range e.projects.all() {
		if p.AdminPolicy == id {
			return p
		}
	}
	return nil
}

// developer returns the caller of the developer API: a token with the scope
// manage_projects.
func (e *engine) developer(ctx context.Context) (principal, error) {
	return e.bearerWith(callFrom(ctx), scopes.AuthManageProjects)
}

// isAdmin reports whether an identity administers a project, itself or in a group.
func (e *engine) isAdmin(of *Project, i *identity) bool {
	return slices.Contains(of.AdminIDs, i.ID) || slices.ContainsFunc(of.AdminGroupIDs, func(id string) bool {
		g := e.groups.get(id)
		return g != nil && slices.Contains(g.Members, i.ID)
	})
}

// administers reports whether an identity linked to the caller's is an
// administrator of a project.
func (e *engine) administers(p principal, of *Project) bool {
	return of != nil && p.identity != nil && slices.ContainsFunc(p.identity.identitySet(), func(i *identity) bool {
		return e.isAdmin(of, i)
	})
}

// mayRead returns an error unless the caller is an administrator.
func (e *engine) mayRead(p principal, of *Project) error {
	if !e.administers(p, of) {
		return forbidden("You are not an administrator of the project")
	}
	return nil
}

// mayChange returns an error unless the caller is an administrator and its session has
// one that signed in recently. The error has the parameters for a login.
func (e *engine) mayChange(p principal, of *Project) error {
	if err := e.mayRead(p, of); err != nil {
		return err
	}
	if p.identity.client != nil || e.adminInSession(of, p.token.session) {
		return nil
	}
	const message = "To access this project you must have an identity with admin privileges in session within the last 30 minutes."
	refused := forbidden(message)
	refused.parameters = server.AuthorizationParameters{
		SessionRequiredPolicies: []string{of.AdminPolicy}, SessionMessage: nullable.NewNullableWithValue(message),
	}
	return refused
}

// changeableProject looks a project up that the caller wants to change, or to put
// something into.
func (e *engine) changeableProject(ctx context.Context, id string) (*Project, error) {
	return e.projectFor(ctx, id, e.mayChange)
}

// projectFor looks a project up about which the caller may do something.
func (e *engine) projectFor(ctx context.Context, id string, may func(principal, *Project) error) (*Project, error) {
	caller, err := e.developer(ctx)
	if err != nil {
		return nil, err
	}
	found, err := e.findProject(id)
	if err != nil {
		return nil, err
	}
	return found, may(caller, found)
}

// findProject looks a project up by its ID.
func (e *engine) findProject(id string) (*Project, error) {
	if id == "" {
		return nil, badRequest("project_id is required")
	}
	found := e.projects.get(id)
	if found == nil {
		return nil, notFound("No project has the ID " + id)
	}
	return found, nil
}

func (e *engine) projectDocument(p *Project) server.Project {
	document := server.Project{
		ID: p.ID, DisplayName: p.Name, ProjectName: p.Name, ContactEmail: p.ContactEmail,
		AdminIDs: listOrNull(p.AdminIDs), AdminGroupIDs: listOrNull(p.AdminGroupIDs),
		Admins: server.ProjectAdmins{Identities: []server.Identity{}, Groups: []server.ProjectAdminGroup{}},
	}
	for _, id := range p.AdminIDs {
		if admin := e.identities[id]; admin != nil {
			document.Admins.Identities = append(document.Admins.Identities, admin.document(true))
		}
	}
	for _, id := range p.AdminGroupIDs {
		shown := Group{ID: id, Name: "Group " + id}
		if known := e.groups.get(id); known != nil {
			shown = *known
		}
		document.Admins.Groups = append(document.Admins.Groups, server.ProjectAdminGroup{
			ID: shown.ID, Name: orNull(shown.Name), Description: orNull(shown.Description), Organization: orNull(""),
		})
	}
	return document
}

// checkAdmins checks administrators that a request names.
func (e *engine) checkAdmins(ids []string) ([]string, error) {
	if err := checkUUIDs("admin_ids", ids); err != nil {
		return nil, err
	}
	var known []string
	for _, id := range ids {
		id = strings.ToLower(id)
		if e.identities[id] == nil {
			return nil, badRequest("No identity has the ID '" + id + "' in admin_ids")
		}
		if !slices.Contains(known, id) {
			known = append(known, id)
		}
	}
	return known, nil
}

// GetProjects lists the projects that the caller administers.
func (a api) GetProjects(ctx context.Context, _ server.GetProjectsRequestObject) (server.GetProjectsResponseObject, error) {
	caller, err := a.developer(ctx)
	if err != nil {
		return nil, err
	}
	return server.ProjectList{Projects: documents(a.projects.all(), func(p *Project) bool { return a.administers(caller, p) }, a.projectDocument)}, nil
}

// GetProject reads one project.
func (a api) GetProject(ctx context.Context, request server.GetProjectRequestObject) (server.GetProjectResponseObject, error) {
	found, err := a.projectFor(ctx, request.ProjectID, a.mayRead)
	if err != nil {
		return nil, err
	}
	return a.projectResponse(found), nil
}

func (e *engine) projectResponse(p *Project) server.ProjectResponse {
	return server.ProjectResponse{Project: e.projectDocument(p)}
}

// CreateProject makes a project. The caller administers it only when it is named.
func (a api) CreateProject(ctx context.Context, request server.CreateProjectRequestObject) (server.CreateProjectResponseObject, error) {
	if _, err := a.developer(ctx); err != nil {
		return nil, err
	}
	body := request.Body.Project
	added := &Project{Name: body.DisplayName, ContactEmail: body.ContactEmail}
	if err := a.setAdmins(added, body.AdminIDs, body.AdminGroupIDs); err != nil {
		return nil, err
	}
	added.ID, added.AdminPolicy = a.random.uuid(), a.random.uuid()
	a.projects.add(added.ID, added)
	a.changed()
	return a.projectResponse(added), nil
}

// setAdmins checks a project and names its administrators.
func (e *engine) setAdmins(p *Project, ids, groupIDs []string) error {
	admins, err := e.checkAdmins(ids)
	if err != nil {
		return err
	}
	if err := checkUUIDs("admin_group_ids", groupIDs); err != nil {
		return err
	}
	p.AdminIDs, p.AdminGroupIDs = admins, slices.Clone(groupIDs)
	switch {
	case p.Name == "":
		return badRequest("display_name is required")
	case !strings.Contains(p.ContactEmail, "@"):
		return badRequest("contact_email must be an email address")
	case len(p.AdminIDs)+len(p.AdminGroupIDs) == 0:
		return badRequest("At least one of admin_ids and admin_group_ids is required")
	}
	return nil
}

// UpdateProject changes a project.
func (a api) UpdateProject(ctx context.Context, request server.UpdateProjectRequestObject) (server.UpdateProjectResponseObject, error) {
	found, err := a.changeableProject(ctx, request.ProjectID)
	if err != nil {
		return nil, err
	}
	body, next := request.Body.Project, *found
	set(&next.Name, body.DisplayName)
	set(&next.ContactEmail, body.ContactEmail)
	ids, groupIDs := next.AdminIDs, next.AdminGroupIDs
	set(&ids, body.AdminIDs)
	set(&groupIDs, body.AdminGroupIDs)
	if err := a.setAdmins(&next, ids, groupIDs); err != nil {
		return nil, err
	}
	*found = next
	a.changed()
	return a.projectResponse(found), nil
}

// DeleteProject deletes a project that has no clients and no policies.
func (a api) DeleteProject(ctx context.Context, request server.DeleteProjectRequestObject) (server.DeleteProjectResponseObject, error) {
	found, err := a.changeableProject(ctx, request.ProjectID)
	if err != nil {
		return nil, err
	}
	for c := range a.clients.all() {
		if c.Project == found.ID {
			return nil, conflict("The project still has clients; delete them first")
		}
	}
	for p := range a.policies.all() {
		if p.Project == found.ID {
			return nil, conflict("The project still has policies; delete them first")
		}
	}
	response := a.projectResponse(found)
	a.projects.remove(found.ID)
	a.changed()
	return response, nil
}
