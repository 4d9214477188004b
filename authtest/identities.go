package authtest

import (
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/globusauth/globusauth/internal/server"
)

// provider is an identity provider.
type provider struct {
	id, name, shortName string
	alternativeNames    []string
	domains             []string
}

// identity is one way of a person, or a client, to be known.
type identity struct {
	id, username              string
	name, email, organization string
	provider                  *provider
	status                    server.IdentityStatus
	kind                      server.IdentityType
	lastLogin                 time.Time
	account                   *account
	consents                  []*consent // in the order in which they were given
	client                    *client    // not nil: the identity of a client
	deleted                   bool
}

// account is a person: the identities linked to each other, the first is the
// primary one.
type account struct {
	identities []*identity
}

// domain returns the part of the username behind its last @.
func (i *identity) domain() string {
	return i.username[strings.LastIndexByte(i.username, '@')+1:]
}

// identitySet returns the linked identities, the identity itself first.
func (i *identity) identitySet() []*identity {
	if i.account == nil {
		return []*identity{i}
	}
	set := []*identity{i}
	for _, linked := range i.account.identities {
		if linked != i {
			set = append(set, linked)
		}
	}
	return set
}

// linkedWith reports whether two identities are the same person's.
func (i *identity) linkedWith(other *identity) bool {
	return i == other || i.account != nil && i.account == other.account
}

// findIdentity looks an identity up by its ID, its username, or the URN that
// requirement errors may hold.
func (e *engine) findIdentity(text string) *identity {
	text = strings.TrimPrefix(text, "urn:globus:auth:identity:")
	if found := e.identities[strings.ToLower(text)]; found != nil {
		return found
	}
	return e.usernames[strings.ToLower(text)]
}

// addIdentity registers an identity; its ID and username must be free.
func (e *engine) addIdentity(added *identity) {
	e.identities[added.id] = added
	e.usernames[strings.ToLower(added.username)] = added
}

// provision makes the identity of a username at its provider, unused as long as
// nobody signs in with it. It returns nil when no provider has the domain.
func (e *engine) provision(username string) *identity {
	_, domain, _ := strings.Cut(username, "@")
	at := e.providerOf(domain)
	if at == nil {
		return nil
	}
	added := &identity{id: e.random.uuid(), username: username, provider: at, status: server.IdentityStatusUnused, kind: server.IdentityTypeLogin}
	added.account = &account{identities: []*identity{added}}
	e.people = append(e.people, added.account)
	e.addIdentity(added)
	e.changed()
	return added
}

// providerOf returns the provider of a domain; accounts.google.com and the like
// have usernames with two @, of which the last counts.
func (e *engine) providerOf(domain string) *provider {
	return e.domains[strings.ToLower(domain[strings.LastIndexByte(domain, '@')+1:])]
}

// link makes two people one.
func (e *engine) link(first, second *identity) {
	if first.account == second.account {
		return
	}
	gone := second.account
	for _, moved := range gone.identities {
		moved.account = first.account
		first.account.identities = append(first.account.identities, moved)
	}
	gone.identities = nil
	if e.gone++; e.gone > len(e.people)/2 {
		e.people, e.gone = slices.Collect(e.persons()), 0
	}
	e.changed()
}

// persons returns the people in the order of their appearance.
func (e *engine) persons() iter.Seq[*account] {
	return func(yield func(*account) bool) {
		for _, person := range e.people {
			if len(person.identities) > 0 && !yield(person) {
				return
			}
		}
	}
}

// firstPerson returns who is signed in when nobody is named.
func (e *engine) firstPerson() *identity {
	for person := range e.persons() {
		return person.identities[0]
	}
	return nil
}

// document describes the identity. Callers that may not see identities in full get
// no email address and no organization.
func (i *identity) document(full bool) server.Identity {
	document := server.Identity{
		ID: i.id, Username: i.username, Name: orNull(i.name), Status: i.status, Email: orNull(""), Organization: orNull(""),
		IdentityProvider: orNull(i.provider.id), IdentityType: orNull(i.kind),
	}
	if full {
		document.Email, document.Organization = orNull(i.email), orNull(i.organization)
	}
	return document
}

func (p *provider) document() server.IdentityProvider {
	return server.IdentityProvider{
		ID: p.id, Name: p.name, ShortName: p.shortName,
		AlternativeNames: orEmpty(p.alternativeNames), Domains: orEmpty(p.domains),
	}
}
