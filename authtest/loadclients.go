package authtest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/globusauth/globusauth/internal/server"
)

// addClient adds a client without its scopes.
func (e *engine) addClient(c Client) (_ *client, err error) {
	if c.ID, err = e.newID("client", c.ID, e.identities[strings.ToLower(c.ID)] != nil || e.clients.get(c.ID) != nil); err != nil {
		return nil, err
	}
	credentials, fqdns := c.Credentials, c.FQDNs
	if c.Secret != "" {
		credentials = append([]Credential{{Name: "seeded", Secret: c.Secret}}, credentials...)
	}
	if c.Type == "" {
		c.Type = string(server.ClientTypePublicInstalledClient)
		if len(credentials) > 0 {
			c.Type = string(server.ClientTypeConfidentialClient)
		}
	}
	c.RedirectURIs, c.Project = orEmpty(c.RedirectURIs), strings.ToLower(c.Project)
	c.Secret, c.Credentials, c.FQDNs, c.Scopes = "", nil, nil, nil
	added := &client{Client: c}
	if err := e.checkSeed(added, credentials, fqdns); err != nil {
		return nil, fmt.Errorf("authtest: client %q: %w", c.Name, err)
	}
	for _, given := range credentials {
		if given.ID, err = e.newID("credential", given.ID, false); err != nil {
			return nil, err
		}
		if given.Created.IsZero() {
			given.Created = e.now()
		}
		added.credentials = append(added.credentials, &credential{Credential: given, client: added})
	}
	e.keepClient(added)
	for _, fqdn := range fqdns {
		e.giveFQDN(added, fqdn)
	}
	return added, nil
}

// checkSeed checks what only a world has.
func (e *engine) checkSeed(c *client, credentials []Credential, fqdns []string) error {
	switch {
	case c.public() && len(credentials) > 0:
		return fmt.Errorf("a client of the type %q has no secret", c.Type)
	case slices.ContainsFunc(credentials, func(each Credential) bool { return each.Secret == "" }):
		return errors.New("a credential needs a secret")
	case c.Project != "" && e.projects.get(c.Project) == nil:
		return fmt.Errorf("there is no project %q", c.Project)
	}
	for _, fqdn := range fqdns {
		if e.fqdns[strings.ToLower(fqdn)] != nil {
			return fmt.Errorf("the host name %q is taken", fqdn)
		}
	}
	return e.checkClient(c)
}

// checkClient checks what a world and a request may say of a client.
func (e *engine) checkClient(c *client) error {
	switch {
	case c.Name == "" || strings.ContainsAny(c.Name, "\r\n"):
		return badRequest("name is required, without line breaks")
	case !c.kind().Valid():
		return badRequest("There is no client_type '" + c.Type + "'")
	case (c.PrivacyPolicy == "") != (c.TermsAndConditions == ""):
		return badRequest("links needs both terms_and_conditions and privacy_policy, or neither")
	}
	for _, id := range []string{c.RequiredIDP, c.PreselectIDP} {
		if id != "" && e.providers.get(id) == nil {
			return badRequest("There is no identity provider '" + id + "'")
		}
	}
	for _, uri := range c.RedirectURIs {
		if err := checkRedirectURI(uri); err != nil {
			return err
		}
	}
	return nil
}

// keepClient adds a client. A client that can authenticate has an identity.
func (e *engine) keepClient(c *client) {
	e.clients.add(c.ID, c)
	if !c.public() {
		c.identity = &identity{
			User: User{
				ID: c.ID, Username: c.ID + "@clients.auth.globus.org", Name: c.Name, Status: string(server.IdentityStatusUsed),
			},
			provider: e.providers.get(clientProviderID), client: c,
		}
		e.addIdentity(c.identity)
	}
	e.changed()
}

func (e *engine) giveFQDN(c *client, fqdn string) {
	fqdn = strings.ToLower(fqdn)
	c.FQDNs = append(c.FQDNs, fqdn)
	e.fqdns[fqdn] = c
	e.changed()
}

// addScope adds a scope without its dependencies.
func (e *engine) addScope(owner *client, s Scope) (*scope, error) {
	text := s.Scope
	if text == "" && s.Suffix != "" {
		text = scopeURL + owner.ID + "/" + s.Suffix
	}
	if text == "" || strings.ContainsAny(text, "[]* ") {
		return nil, fmt.Errorf("authtest: scope %q of client %q: a scope string or a suffix is required, without []* and spaces", text, owner.Name)
	}
	if e.byScope[text] != nil || text == offlineAccess {
		return nil, fmt.Errorf("authtest: scope %q of client %q: the string is taken", text, owner.Name)
	}
	id, err := e.newID("scope", s.ID, e.scopes.get(s.ID) != nil)
	if err != nil {
		return nil, err
	}
	added := &scope{
		id: id, text: text, server: serverOf(text, owner), client: owner, name: s.Name, description: s.Description,
		advertised: !s.Hidden, allowsRefresh: !s.DenyRefreshTokens, requiredDomains: orEmpty(s.RequiredDomains),
	}
	if added.name == "" {
		added.name = text[strings.LastIndexAny(text, "/:")+1:]
	}
	if added.description == "" {
		added.description = added.name + "."
	}
	e.keepScope(added)
	return added, nil
}

func (e *engine) keepScope(s *scope) {
	e.scopes.add(s.id, s)
	if strings.Contains(s.text, anyUUID) {
		e.patterns = append(e.patterns, s)
	} else {
		e.byScope[s.text] = s
	}
	s.client.scopes = append(s.client.scopes, s)
	e.changed()
}

// addDependencies connects a scope with those that it depends on, named by
// string or ID.
func (e *engine) addDependencies(s *scope, list []Dependency) error {
	for _, d := range list {
		target := e.scopeNamed(d.Scope)
		if target == nil {
			target = e.scopes.get(d.Scope)
		}
		if err := e.addDependency(s, target, d); err != nil {
			return fmt.Errorf("authtest: scope %q: %w", s.text, err)
		}
	}
	return nil
}

func (e *engine) addDependency(s, target *scope, d Dependency) error {
	if target == nil {
		return badRequest("There is no scope '" + d.Scope + "' to depend on")
	}
	if target.id == s.id || reaches(target, s.id) {
		return badRequest("The scope " + target.text + " depends on this one; dependencies must not be circular")
	}
	s.dependents = append(s.dependents, dependency{scope: target, optional: d.Optional, requiresRefresh: d.RequiresRefreshToken})
	return nil
}
