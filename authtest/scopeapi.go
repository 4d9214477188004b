package authtest

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/globusauth/globusauth/internal/server"
)

func (s *scope) document() server.Scope {
	document := server.Scope{
		ID: s.id, Client: s.client.ID, ScopeString: s.text, Name: s.name, Description: s.description,
		DependentScopes: []server.DependentScope{}, Advertised: s.advertised, AllowsRefreshToken: s.allowsRefresh,
		RequiredDomains: orEmpty(s.requiredDomains),
	}
	for _, d := range s.dependents {
		document.DependentScopes = append(document.DependentScopes, server.DependentScope{
			Scope: d.scope.id, Optional: d.optional, RequiresRefreshToken: d.requiresRefresh,
		})
	}
	return document
}

// dependsOn returns a scope that depends on another one, or nil. The scopes of a
// client that is deleted as well do not count.
func (e *engine) dependsOn(target *scope, except *client) *scope {
	for s := range e.scopes.all() {
		if s.client != except && slices.ContainsFunc(s.dependents, func(d dependency) bool { return d.scope == target }) {
			return s
		}
	}
	return nil
}

// removeScope deletes a scope. Consents to it are revoked.
func (e *engine) removeScope(s *scope) {
	e.scopes.remove(s.id)
	delete(e.byScope, s.text)
	e.patterns = slices.DeleteFunc(e.patterns, func(each *scope) bool { return each == s })
	s.client.scopes = slices.DeleteFunc(slices.Clone(s.client.scopes), func(each *scope) bool { return each == s })
	e.dropConsents(func(given *consent) bool { return given.scope == s })
	e.changed()
}

// sees reports whether the caller may see a scope: an advertised one, one of a
// public client, and those of the caller's clients.
func (e *engine) sees(caller principal, s *scope) bool {
	return s.advertised || s.client.Public || e.owns(caller, s.client)
}

// GetScopes looks scopes up by ID or string, or lists those in the caller's
// projects.
func (a api) GetScopes(ctx context.Context, request server.GetScopesRequestObject) (server.GetScopesResponseObject, error) {
	params := request.Params
	caller, err := a.clientCaller(ctx)
	if err != nil {
		return nil, err
	}
	if len(params.IDs) > 0 && len(params.ScopeStrings) > 0 {
		return nil, badRequest("'ids' and 'scope_strings' exclude each other")
	}
	if err := checkUUIDs("ids", params.IDs); err != nil {
		return nil, err
	}
	var found []*scope
	may := func(s *scope) bool { return a.sees(caller, s) }
	for _, id := range params.IDs {
		found = append(found, a.scopes.get(id))
	}
	for _, text := range params.ScopeStrings {
		found = append(found, a.scopeNamed(text))
	}
	if len(found) == 0 {
		may = func(s *scope) bool { return a.owns(caller, s.client) }
		found = slices.Collect(a.scopes.all())
	}
	first := once[scope]()
	return server.ScopeList{Scopes: documents(slices.Values(found), func(s *scope) bool { return first(s) && may(s) }, (*scope).document)}, nil
}

// findScope looks a scope up that the caller may see.
func (e *engine) findScope(caller principal, id string) (*scope, error) {
	found := e.scopes.get(id)
	if found == nil {
		return nil, notFound("No scope has the ID " + id)
	}
	if !e.sees(caller, found) {
		return nil, forbidden("You may not see this scope")
	}
	return found, nil
}

func (s *scope) response() server.ScopeResponse { return server.ScopeResponse{Scope: s.document()} }

// GetScope reads one scope.
func (a api) GetScope(ctx context.Context, request server.GetScopeRequestObject) (server.GetScopeResponseObject, error) {
	caller, err := a.developer(ctx)
	if err != nil {
		return nil, err
	}
	found, err := a.findScope(caller, request.ScopeID)
	if err != nil {
		return nil, err
	}
	return found.response(), nil
}

// GetClientScope reads one scope of a client.
func (a api) GetClientScope(ctx context.Context, request server.GetClientScopeRequestObject) (server.GetClientScopeResponseObject, error) {
	caller, err := a.clientCaller(ctx)
	if err != nil {
		return nil, err
	}
	found, err := a.findScope(caller, request.ScopeID)
	if err != nil {
		return nil, err
	}
	if found.client.ID != strings.ToLower(request.ClientID) {
		return nil, notFound("The client has no scope with the ID " + request.ScopeID)
	}
	return found.response(), nil
}

var suffixPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9_]+$`) })

// CreateScope makes a scope for the client's ID, and one for each of its host
// names. Sources disagree on the response: it has the first one as "scope" and all
// as "scopes".
func (a api) CreateScope(ctx context.Context, request server.CreateScopeRequestObject) (server.CreateScopeResponseObject, error) {
	body := request.Body.Scope
	owner, err := a.changeable(ctx, request.ClientID)
	if err != nil {
		return nil, err
	}
	if !suffixPattern().MatchString(body.ScopeSuffix) {
		return nil, badRequest("scope_suffix must be lower-case letters, digits and _")
	}
	change := server.ScopeUpdate{
		Advertised: body.Advertised, AllowsRefreshToken: body.AllowsRefreshToken, DependentScopes: body.DependentScopes,
		RequiredDomains: body.RequiredDomains,
	}
	change.Name.Set(body.Name)
	change.Description.Set(body.Description)
	var added []*scope
	for _, authority := range append([]string{owner.ID}, owner.FQDNs...) {
		made := &scope{text: scopeURL + authority + "/" + body.ScopeSuffix, client: owner, allowsRefresh: true}
		made.server = authority
		if authority == owner.ID {
			made.server = serverOf(made.text, owner)
		}
		if a.byScope[made.text] != nil {
			return nil, conflict("The scope " + made.text + " exists already")
		}
		if err := a.applyScope(made, change); err != nil {
			return nil, err
		}
		added = append(added, made)
	}
	for _, made := range added {
		made.id = a.random.uuid()
		a.keepScope(made)
	}
	all := documents(slices.Values(added), nil, (*scope).document)
	return server.ScopeResponse{Scope: all[0], Scopes: all}, nil
}

// applyScope checks a change of a scope and makes it.
func (e *engine) applyScope(s *scope, body server.ScopeUpdate) error {
	set(&s.name, body.Name)
	set(&s.description, body.Description)
	set(&s.advertised, body.Advertised)
	set(&s.allowsRefresh, body.AllowsRefreshToken)
	set(&s.requiredDomains, body.RequiredDomains)
	if s.name == "" || s.description == "" {
		return badRequest("name and description are required")
	}
	if body.DependentScopes.IsSpecified() {
		s.dependents = nil
		for _, d := range given(body.DependentScopes) {
			if err := e.addDependency(s, e.scopes.get(d.Scope), Dependency{d.Scope, d.Optional, d.RequiresRefreshToken}); err != nil {
				return err
			}
		}
	}
	return nil
}

// reaches reports whether a scope depends on another one, directly or not.
func reaches(from *scope, id string) bool {
	return slices.ContainsFunc(from.dependents, func(d dependency) bool {
		return d.scope.id == id || reaches(d.scope, id)
	})
}

// changeableScope looks a scope up that the caller wants to change.
func (e *engine) changeableScope(ctx context.Context, id string) (*scope, error) {
	caller, err := e.developer(ctx)
	if err != nil {
		return nil, err
	}
	found, err := e.findScope(caller, id)
	if err != nil {
		return nil, err
	}
	return found, e.mayChangeClient(caller, found.client)
}

// UpdateScope changes a scope.
func (a api) UpdateScope(ctx context.Context, request server.UpdateScopeRequestObject) (server.UpdateScopeResponseObject, error) {
	body := request.Body.Scope
	found, err := a.changeableScope(ctx, request.ScopeID)
	if err != nil {
		return nil, err
	}
	next := *found
	if body.ScopeSuffix.IsSpecified() {
		suffix := given(body.ScopeSuffix)
		if !suffixPattern().MatchString(suffix) {
			return nil, badRequest("scope_suffix must be lower-case letters, digits and _")
		}
		next.text = next.text[:strings.LastIndexAny(next.text, "/:")+1] + suffix
		if other := a.byScope[next.text]; other != nil && other != found {
			return nil, conflict("The scope " + next.text + " exists already")
		}
	}
	if err := a.applyScope(&next, body); err != nil {
		return nil, err
	}
	delete(a.byScope, found.text)
	*found = next
	a.byScope[found.text] = found
	a.changed()
	return found.response(), nil
}

// DeleteScope deletes a scope that no other one depends on.
func (a api) DeleteScope(ctx context.Context, request server.DeleteScopeRequestObject) (server.DeleteScopeResponseObject, error) {
	found, err := a.changeableScope(ctx, request.ScopeID)
	if err != nil {
		return nil, err
	}
	if user := a.dependsOn(found, nil); user != nil {
		return nil, conflict("The scope " + user.text + " depends on this one")
	}
	a.removeScope(found)
	return found.response(), nil
}
