package authtest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/globusauth/globusauth/internal/server"
	"github.com/globusauth/globusauth/scopes"
)

// consent is one node of a consent tree: a client may use a scope for an
// identity. A dependency's client is the resource server that needs it.
type consent struct {
	consentState
	identity *identity
	client   *client
	scope    *scope
	parent   *consent // nil at the root
	children []*consent
	revoked  bool // with everything below it
}

// consentKey finds a consent again.
type consentKey struct {
	identity, client, scope string
	parent                  int64
}

func (c *consent) root() *consent {
	for c.parent != nil {
		c = c.parent
	}
	return c
}

func (e *engine) consentFor(i *identity, c *client, s *scope, parent *consent) *consent {
	key := consentKey{identity: i.ID, client: c.ID, scope: s.id}
	if parent != nil {
		key.parent = parent.ID
	}
	return e.consents[key]
}

// approved reports whether an identity has consented to all of a request.
func (e *engine) approved(i *identity, c *client, r requested, offline bool, parent *consent) bool {
	given := e.consentFor(i, c, r.scope, parent)
	if given == nil || (offline || r.refresh) && r.scope.allowsRefresh && !given.AllowsRefresh {
		return false
	}
	for _, below := range r.needs {
		if !e.approved(i, r.scope.client, below, offline, given) {
			return false
		}
	}
	return true
}

// approve records the consent to a request and to everything below it, and
// returns the node of the request itself.
func (e *engine) approve(i *identity, c *client, r requested, offline, automatic bool, parent *consent) *consent {
	now := e.now()
	refresh := (offline || r.refresh) && r.scope.allowsRefresh
	given := e.consentFor(i, c, r.scope, parent)
	switch {
	case given == nil:
		e.lastConsent++
		given = &consent{
			consentState: consentState{
				ID: e.lastConsent, Identity: i.ID, Client: c.ID, Scope: r.scope.id, AllowsRefresh: refresh, Revocable: r.optional,
				Automatic: automatic, Created: now, Updated: now, LastUsed: now,
			},
			identity: i, client: c, scope: r.scope, parent: parent,
		}
		if parent != nil {
			given.Parent = parent.ID
		}
		e.keepConsent(given)
	case refresh && !given.AllowsRefresh:
		given.AllowsRefresh = true
		given.Updated, given.LastUsed = now, now
	default:
		given.LastUsed = now
	}
	for _, below := range r.needs {
		e.approve(i, r.scope.client, below, offline, automatic, given)
	}
	return given
}

func (c *consent) key() consentKey { return consentKey{c.Identity, c.Client, c.Scope, c.Parent} }

func (e *engine) keepConsent(c *consent) {
	e.consents[c.key()] = c
	c.identity.consents = append(c.identity.consents, c)
	if c.parent != nil {
		c.parent.children = append(c.parent.children, c)
	}
	e.changed()
}

// revokeConsent revokes a consent with everything below it. The tokens that depend
// on it become invalid.
func (e *engine) revokeConsent(revoked *consent) {
	if revoked.parent != nil {
		revoked.parent.children = without(revoked.parent.children, revoked)
	}
	e.forgetConsent(revoked)
	e.changed()
}

func (e *engine) forgetConsent(c *consent) {
	c.revoked = true
	delete(e.consents, c.key())
	c.identity.consents = without(c.identity.consents, c)
	for _, below := range c.children {
		e.forgetConsent(below)
	}
}

func without(list []*consent, gone *consent) []*consent {
	return slices.DeleteFunc(slices.Clone(list), func(c *consent) bool { return c == gone })
}

// dropConsents revokes every consent for which a condition holds.
func (e *engine) dropConsents(condition func(*consent) bool) {
	for _, c := range e.sortedConsents() {
		if !c.revoked && condition(c) {
			e.revokeConsent(c)
		}
	}
}

// sortedConsents returns all consents in the order in which they were given.
func (e *engine) sortedConsents() []*consent {
	all := slices.Collect(maps.Values(e.consents))
	slices.SortFunc(all, func(a, b *consent) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// timestamp writes a time as the service does: in microseconds and with an offset,
// not with a Z.
func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000-07:00") }

func (c *consent) document() server.Consent {
	path := []int64{c.ID}
	for above := c.parent; above != nil; above = above.parent {
		path = slices.Insert(path, 0, above.ID)
	}
	return server.Consent{
		ID: c.ID, Client: c.Client, Scope: c.Scope, ScopeName: c.scope.text, EffectiveIdentity: c.Identity,
		DependencyPath: path, Created: timestamp(c.Created), Updated: timestamp(c.Updated),
		LastUsed: timestamp(c.LastUsed), Status: server.ConsentStatusApproved, AllowsRefresh: c.AllowsRefresh,
		AutoApproved: c.Automatic, AtomicallyRevocable: c.Revocable,
	}
}

// GetConsents lists an identity's consents: those below the calling client, or
// all with the scope view_consents.
func (a api) GetConsents(ctx context.Context, request server.GetConsentsRequestObject) (server.GetConsentsResponseObject, error) {
	token, err := a.bearer(callFrom(ctx))
	if err != nil {
		return nil, err
	}
	caller := principal{token: token, client: token.client, identity: token.identity}
	if request.Params.All && !caller.has(scopes.AuthViewConsents) {
		return nil, forbidden("The access token lacks the scope " + string(scopes.AuthViewConsents) + ", which 'all' needs")
	}
	owner := a.identities[strings.ToLower(request.IdentityID)]
	if owner == nil {
		return nil, notFound("No identity has the ID " + request.IdentityID)
	}
	if !token.identity.linkedWith(owner) {
		return nil, forbidden("The consents of another user are not visible")
	}
	return server.ConsentList{Consents: documents(slices.Values(owner.consents), func(c *consent) bool {
		return request.Params.All || c.root().client == token.client
	}, (*consent).document)}, nil
}
