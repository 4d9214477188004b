package authtest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/globusauth/globusauth/internal/server"
	"github.com/globusauth/globusauth/internal/uuid"
)

// load fills the state with a world. The error names the entry that is wrong.
func (e *engine) load(world World) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.add(world.withServices()); err != nil {
		return err
	}
	if world.State != nil {
		return e.restore(*world.State)
	}
	return nil
}

// add adds what a world has besides its state, in an order in which everything that
// an entry refers to exists.
func (e *engine) add(world World) (err error) {
	each(&err, world.Providers, e.addProvider)
	each(&err, world.Users, e.addUser)
	projects := each(&err, world.Projects, e.addProject)
	clients := each(&err, world.Clients, e.addClient)
	for n, p := range world.Projects {
		if err == nil {
			projects[n].AdminIDs, err = e.identityIDs(p.AdminIDs, "project", p.Name)
		}
	}
	each(&err, world.Groups, e.addGroup)
	for n, c := range world.Clients {
		each(&err, c.Scopes, func(s Scope) (*scope, error) { return e.addScope(clients[n], s) })
	}
	for n, c := range world.Clients {
		for at, s := range c.Scopes {
			if err == nil {
				err = e.addDependencies(clients[n].scopes[at], s.DependsOn)
			}
		}
	}
	each(&err, world.Policies, e.addPolicy)
	each(&err, world.Faults, e.inject)
	return err
}

// each calls a function for each entry of a list until one fails, and returns its results. It does
// nothing after an error.
func each[T, R any](err *error, entries []T, do func(T) (R, error)) (results []R) {
	for n := 0; *err == nil && n < len(entries); n++ {
		var result R
		result, *err = do(entries[n])
		results = append(results, result)
	}
	return results
}

// newID checks the ID of an entry, or generates one.
func (e *engine) newID(kind, given string, taken bool) (string, error) {
	switch {
	case given == "":
		return e.random.uuid(), nil
	case !uuid.Valid(given):
		return "", fmt.Errorf("authtest: %s %q: the ID is not a UUID", kind, given)
	case taken:
		return "", fmt.Errorf("authtest: %s %q: the ID is taken", kind, given)
	}
	return strings.ToLower(given), nil
}

// identityIDs returns the IDs of identities that an entry names by ID or username.
func (e *engine) identityIDs(named []string, kind, name string) ([]string, error) {
	var ids []string
	for _, text := range named {
		found := e.findIdentity(text)
		if found == nil {
			return nil, fmt.Errorf("authtest: %s %q: there is no user or client %q", kind, name, text)
		}
		ids = append(ids, found.ID)
	}
	return ids, nil
}

func (e *engine) addProvider(p Provider) (_ *Provider, err error) {
	if p.ID, err = e.newID("identity provider", p.ID, e.providers.get(p.ID) != nil); err != nil {
		return nil, err
	}
	if len(p.Domains) == 0 || p.Name == "" {
		return nil, fmt.Errorf("authtest: identity provider %q: a name and at least one domain are required", p.Name)
	}
	for _, domain := range p.Domains {
		if e.domains[strings.ToLower(domain)] != nil {
			return nil, fmt.Errorf("authtest: identity provider %q: the domain %q has one already", p.Name, domain)
		}
	}
	p = p.copied()
	if p.ShortName == "" {
		p.ShortName = p.Domains[0]
	}
	for _, domain := range p.Domains {
		e.domains[strings.ToLower(domain)] = &p
	}
	e.providers.add(p.ID, &p)
	e.changed()
	return &p, nil
}

// addUser adds a person with all identities.
func (e *engine) addUser(u User) (*identity, error) {
	person := &account{identities: make([]*identity, 0, 1+len(u.Linked))}
	for n, entry := range append([]User{u}, u.Linked...) {
		added, err := e.newIdentity(entry)
		if err != nil {
			for _, undo := range person.identities[:n] {
				delete(e.identities, undo.ID)
				delete(e.usernames, strings.ToLower(undo.Username))
			}
			return nil, err
		}
		added.account = person
		person.identities = append(person.identities, added)
		e.addIdentity(added)
	}
	e.people = append(e.people, person)
	e.changed()
	return person.identities[0], nil
}

func (e *engine) newIdentity(u User) (_ *identity, err error) {
	name, domain, _ := strings.Cut(u.Username, "@")
	if name == "" || domain == "" || strings.ContainsAny(u.Username, ", \t\r\n") {
		return nil, fmt.Errorf("authtest: user %q: the username must be name@domain, without spaces and commas", u.Username)
	}
	if e.usernames[strings.ToLower(u.Username)] != nil {
		return nil, fmt.Errorf("authtest: user %q: the username is taken", u.Username)
	}
	if u.ID, err = e.newID("user", u.ID, e.identities[strings.ToLower(u.ID)] != nil); err != nil {
		return nil, err
	}
	u.Linked = nil
	u.Status = cmp.Or(u.Status, string(server.IdentityStatusUsed))
	u.Type = cmp.Or(u.Type, string(server.IdentityTypeLogin))
	at := e.providerOf(domain)
	if u.Provider != "" {
		if at = e.providers.get(u.Provider); at == nil {
			return nil, fmt.Errorf("authtest: user %q: there is no identity provider %q", u.Username, u.Provider)
		}
	}
	if at == nil {
		domain = domain[strings.LastIndexByte(domain, '@')+1:]
		if at, err = e.addProvider(Provider{Name: domain, Domains: []string{domain}}); err != nil {
			return nil, err
		}
	}
	u.Provider = at.ID
	return &identity{User: u, provider: at}, nil
}

func (e *engine) addGroup(g Group) (_ *Group, err error) {
	if g.ID, err = e.newID("group", g.ID, e.groups.get(g.ID) != nil); err != nil {
		return nil, err
	}
	if g.Members, err = e.identityIDs(g.Members, "group", g.Name); err != nil {
		return nil, err
	}
	e.groups.add(g.ID, &g)
	e.changed()
	return &g, nil
}

// addProject adds a project without its administrators, which may be clients.
func (e *engine) addProject(p Project) (_ *Project, err error) {
	if p.ID, err = e.newID("project", p.ID, e.projects.get(p.ID) != nil); err != nil {
		return nil, err
	}
	p.AdminIDs, p.AdminGroupIDs = nil, slices.Clone(p.AdminGroupIDs)
	p.ContactEmail = cmp.Or(p.ContactEmail, "contact@example.org")
	if p.AdminPolicy == "" {
		p.AdminPolicy = e.random.uuid()
	}
	e.projects.add(p.ID, &p)
	e.changed()
	return &p, nil
}

func (e *engine) addPolicy(p Policy) (_ *Policy, err error) {
	if p.ID, err = e.newID("policy", p.ID, e.policies.get(p.ID) != nil); err != nil {
		return nil, err
	}
	p = p.copied()
	if p.Project = strings.ToLower(p.Project); e.projects.get(p.Project) == nil {
		return nil, fmt.Errorf("authtest: policy %q: there is no project %q", p.Name, p.Project)
	}
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("authtest: policy %q: %w", p.Name, err)
	}
	e.policies.add(p.ID, &p)
	e.changed()
	return &p, nil
}
