package authtest

import (
	"iter"
	"slices"
	"strings"

	"github.com/globusauth/globusauth/internal/server"
)

// identity is one way in which a person, or a client, is known.
type identity struct {
	User     // without those linked to it
	provider *Provider
	account  *account
	consents []*consent // in the order in which they were given
	client   *client    // not nil: the identity of a client
}

func (i *identity) closed() bool { return i.Status == string(server.IdentityStatusClosed) }

// account is a person: the identities linked to each other, the first is the
// primary one.
type account struct {
	identities []*identity
}

// domain returns the part of the username behind its last @.
func (i *identity) domain() string {
	return i.Username[strings.LastIndexByte(i.Username, '@')+1:]
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
	e.identities[added.ID] = added
	e.usernames[strings.ToLower(added.Username)] = added
}

// provision makes the identity of a username at its provider, with the status unused
// until its first login. It returns nil when no provider has the domain.
func (e *engine) provision(username string) *identity {
	_, domain, _ := strings.Cut(username, "@")
	at := e.providerOf(domain)
	if at == nil {
		return nil
	}
	added := &identity{provider: at, User: User{
		ID: e.random.uuid(), Username: username, Provider: at.ID, Status: string(server.IdentityStatusUnused), Type: string(server.IdentityTypeLogin),
	}}
	added.account = &account{identities: []*identity{added}}
	e.people = append(e.people, added.account)
	e.addIdentity(added)
	e.changed()
	return added
}

// providerOf returns the provider of a domain; accounts.google.com and the like
// have usernames with two @, of which the last counts.
func (e *engine) providerOf(domain string) *Provider {
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

// firstPerson returns the user who is signed in by default.
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
		ID: i.ID, Username: i.Username, Name: orNull(i.Name), Status: server.IdentityStatus(i.Status), Email: orNull(""), Organization: orNull(""),
		IdentityProvider: orNull(i.provider.ID), IdentityType: orNull(server.IdentityType(i.Type)),
	}
	if full {
		document.Email, document.Organization = orNull(i.Email), orNull(i.Organization)
	}
	return document
}

func (p *Provider) document() server.IdentityProvider {
	return server.IdentityProvider{
		ID: p.ID, Name: p.Name, ShortName: p.ShortName,
		AlternativeNames: orEmpty(p.AlternativeNames), Domains: orEmpty(p.Domains),
	}
}
