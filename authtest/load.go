package authtest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/globusauth/globusauth/internal/server"
)

// load fills the state with a world. A mistake is an error that names the entry.
func (e *engine) load(world World) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !slices.ContainsFunc(world.Providers, func(p Provider) bool { return p.ID == clientProviderID }) {
		world.Providers = append([]Provider{{
			ID: clientProviderID, Name: "Globus Auth", ShortName: "clients.auth.globus.org",
			Domains: []string{"clients.auth.globus.org"},
		}}, world.Providers...)
	}
	world.Clients = append(missingServices(e, world.Clients), world.Clients...)
	if err := e.add(world); err != nil {
		return err
	}
	for _, fault := range world.Faults {
		if err := fault.check(); err != nil {
			return err
		}
		if fault.ID == "" {
			fault.ID = e.random.uuid()
		}
		e.faults = append(e.faults, &fault)
	}
	if world.State != nil {
		return e.restore(*world.State)
	}
	return nil
}

// missingServices returns the resource servers of Globus that a world leaves out.
func missingServices(e *engine, given []Client) []Client {
	there := map[string]bool{}
	for _, c := range given {
		there[c.ID] = true
	}
	var missing []Client
	for _, c := range services() {
		if !there[c.ID] && e.clients[c.ID] == nil {
			missing = append(missing, c)
		}
	}
	return missing
}

// add registers what a world has besides faults and state, in an order in which
// everything that an entry names is there.
func (e *engine) add(world World) error {
	for _, p := range world.Providers {
		if _, err := e.addProvider(p); err != nil {
			return err
		}
	}
	for _, u := range world.Users {
		if _, err := e.addUser(u); err != nil {
			return err
		}
	}
	projects := make([]*project, len(world.Projects))
	for n, p := range world.Projects {
		added, err := e.addProject(p)
		if err != nil {
			return err
		}
		projects[n] = added
	}
	clients := make([]*client, len(world.Clients))
	for n, c := range world.Clients {
		added, err := e.addClient(c)
		if err != nil {
			return err
		}
		clients[n] = added
	}
	for n, p := range world.Projects {
		if err := e.nameAdmins(projects[n], p.AdminIDs); err != nil {
			return err
		}
	}
	for _, g := range world.Groups {
		if err := e.addGroup(g); err != nil {
			return err
		}
	}
	for n, c := range world.Clients {
		for _, s := range c.Scopes {
			if _, err := e.addScope(clients[n], s); err != nil {
				return err
			}
		}
	}
	for n, c := range world.Clients {
		for at, s := range c.Scopes {
			if err := e.addDependencies(clients[n].scopes[at], s.DependsOn); err != nil {
				return err
			}
		}
	}
	for _, p := range world.Policies {
		if _, err := e.addPolicy(p); err != nil {
			return err
		}
	}
	return nil
}

// newID checks an ID that was given, or makes one up.
func (e *engine) newID(kind, given string, taken bool) (string, error) {
	if given == "" {
		return e.random.uuid(), nil
	}
	if !uuidPattern.MatchString(given) {
		return "", fmt.Errorf("authtest: %s %q: the ID is not a UUID", kind, given)
	}
	if taken {
		return "", fmt.Errorf("authtest: %s %q: the ID is taken", kind, given)
	}
	return strings.ToLower(given), nil
}

func (e *engine) addProvider(p Provider) (*provider, error) {
	id, err := e.newID("identity provider", p.ID, e.providers[strings.ToLower(p.ID)] != nil)
	if err != nil {
		return nil, err
	}
	if len(p.Domains) == 0 || p.Name == "" {
		return nil, fmt.Errorf("authtest: identity provider %q: a name and at least one domain are required", p.Name)
	}
	added := &provider{
		id: id, name: p.Name, shortName: p.ShortName, alternativeNames: p.AlternativeNames, domains: orEmpty(p.Domains),
	}
	if added.shortName == "" {
		added.shortName = p.Domains[0]
	}
	for _, domain := range p.Domains {
		if e.domains[strings.ToLower(domain)] != nil {
			return nil, fmt.Errorf("authtest: identity provider %q: the domain %q has one already", p.Name, domain)
		}
	}
	for _, domain := range p.Domains {
		e.domains[strings.ToLower(domain)] = added
	}
	e.providers[id] = added
	e.ordered.providers = append(e.ordered.providers, id)
	e.changed()
	return added, nil
}

// addUser registers a person with all identities.
func (e *engine) addUser(u User) (*identity, error) {
	person := &account{identities: make([]*identity, 0, 1+len(u.Linked))}
	for n, entry := range append([]User{u}, u.Linked...) {
		added, err := e.newIdentity(entry)
		if err != nil {
			for _, undo := range person.identities[:n] {
				delete(e.identities, undo.id)
				delete(e.usernames, strings.ToLower(undo.username))
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

func (e *engine) newIdentity(u User) (*identity, error) {
	name, domain, _ := strings.Cut(u.Username, "@")
	if name == "" || domain == "" || strings.ContainsAny(u.Username, ", \t\r\n") {
		return nil, fmt.Errorf("authtest: user %q: the username must be name@domain, without blanks and commas", u.Username)
	}
	if e.usernames[strings.ToLower(u.Username)] != nil {
		return nil, fmt.Errorf("authtest: user %q: the username is taken", u.Username)
	}
	id, err := e.newID("user", u.ID, e.identities[strings.ToLower(u.ID)] != nil)
	if err != nil {
		return nil, err
	}
	added := &identity{
		id: id, username: u.Username, name: u.Name, email: u.Email, organization: u.Organization,
		status: server.IdentityStatus(u.Status), kind: server.IdentityType(u.Type),
	}
	if added.status == "" {
		added.status = server.IdentityStatusUsed
	}
	if added.kind == "" {
		added.kind = server.IdentityTypeLogin
	}
	if u.LastLogin != 0 {
		added.lastLogin = time.Unix(u.LastLogin, 0).UTC()
	}
	if u.Provider != "" {
		if added.provider = e.providers[strings.ToLower(u.Provider)]; added.provider == nil {
			return nil, fmt.Errorf("authtest: user %q: there is no identity provider %q", u.Username, u.Provider)
		}
		return added, nil
	}
	if added.provider = e.providerOf(domain); added.provider == nil {
		domain = domain[strings.LastIndexByte(domain, '@')+1:]
		if added.provider, err = e.addProvider(Provider{Name: domain, Domains: []string{domain}}); err != nil {
			return nil, err
		}
	}
	return added, nil
}

func (e *engine) addGroup(g Group) error {
	id, err := e.newID("group", g.ID, e.groups[strings.ToLower(g.ID)] != nil)
	if err != nil {
		return err
	}
	added := &group{id: id, name: g.Name, description: g.Description}
	for _, text := range g.Members {
		member := e.findIdentity(text)
		if member == nil {
			return fmt.Errorf("authtest: group %q: there is no member %q", g.Name, text)
		}
		added.members = append(added.members, member.id)
	}
	e.groups[id] = added
	e.ordered.groups = append(e.ordered.groups, id)
	e.changed()
	return nil
}

func (e *engine) addProject(p Project) (*project, error) {
	id, err := e.newID("project", p.ID, e.projects[strings.ToLower(p.ID)] != nil)
	if err != nil {
		return nil, err
	}
	added := &project{
		id: id, name: p.Name, contactEmail: p.ContactEmail, adminGroupIDs: p.AdminGroupIDs, adminPolicy: p.AdminPolicy,
	}
	if added.adminPolicy == "" {
		added.adminPolicy = e.random.uuid()
	}
	if added.contactEmail == "" {
		added.contactEmail = "contact@example.org"
	}
	e.keepProject(added)
	return added, nil
}

// nameAdmins sets a project's administrators, which may be people and clients.
func (e *engine) nameAdmins(p *project, admins []string) error {
	for _, text := range admins {
		admin := e.findIdentity(text)
		if admin == nil {
			return fmt.Errorf("authtest: project %q: there is no administrator %q", p.name, text)
		}
		p.adminIDs = append(p.adminIDs, admin.id)
	}
	return nil
}

func (e *engine) keepProject(p *project) {
	e.projects[p.id] = p
	e.ordered.projects = append(e.ordered.projects, p.id)
	e.changed()
}

func (e *engine) addPolicy(p Policy) (*policy, error) {
	id, err := e.newID("policy", p.ID, e.policies[strings.ToLower(p.ID)] != nil)
	if err != nil {
		return nil, err
	}
	added := &policy{
		id: id, project: e.projects[strings.ToLower(p.Project)], name: p.Name, description: p.Description,
		highAssurance: p.HighAssurance, timeout: p.Timeout, requiredMFA: p.RequiredMFA, include: p.Include, exclude: p.Exclude,
	}
	if added.project == nil {
		return nil, fmt.Errorf("authtest: policy %q: there is no project %q", p.Name, p.Project)
	}
	if err := added.check(); err != nil {
		return nil, fmt.Errorf("authtest: policy %q: %w", p.Name, err)
	}
	e.keepPolicy(added)
	return added, nil
}

func (e *engine) keepPolicy(p *policy) {
	e.policies[p.id] = p
	e.ordered.policies = append(e.ordered.policies, p.id)
	e.changed()
}
