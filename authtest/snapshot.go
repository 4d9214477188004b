package authtest

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/globusauth/globusauth/internal/server"
)

// State is what a server did since it started, within a [World]. Its members are
// for programs that read and write snapshots whole; what they mean may change.
type State struct {
	Advanced    time.Duration  `yaml:"advanced,omitempty"`
	Random      []byte         `yaml:"random,omitempty"` // of a deterministic server
	LastConsent int64          `yaml:"last_consent"`
	Keys        []keyState     `yaml:"keys"`
	Sessions    []sessionState `yaml:"sessions,omitempty"`
	Consents    []consentState `yaml:"consents,omitempty"`
	Refresh     []tokenState   `yaml:"refresh_tokens,omitempty"`
	Access      []tokenState   `yaml:"access_tokens,omitempty"`
	Codes       []codeState    `yaml:"codes,omitempty"`
}

type keyState struct {
	PEM string `yaml:"pem"`
	ID  string `yaml:"id,omitempty"`
}

type sessionState struct {
	ID              string                `yaml:"id"`
	Cookie          string                `yaml:"cookie"`
	Known           bool                  `yaml:"known,omitempty"` // by its cookie
	Primary         string                `yaml:"primary,omitempty"`
	LastSeen        time.Time             `yaml:"last_seen"`
	Authentications []authenticationState `yaml:"authentications,omitempty"`
}

type authenticationState struct {
	Identity string    `yaml:"identity"`
	At       time.Time `yaml:"at"`
	MFA      bool      `yaml:"mfa,omitempty"`
}

type consentState struct {
	ID            int64     `yaml:"id"`
	Identity      string    `yaml:"identity"`
	Client        string    `yaml:"client"`
	Scope         string    `yaml:"scope"`
	Parent        int64     `yaml:"parent,omitempty"`
	AllowsRefresh bool      `yaml:"allows_refresh,omitempty"`
	Revocable     bool      `yaml:"atomically_revocable,omitempty"`
	Automatic     bool      `yaml:"auto_approved,omitempty"`
	Label         string    `yaml:"label,omitempty"`
	Created       time.Time `yaml:"created"`
	Updated       time.Time `yaml:"updated"`
	LastUsed      time.Time `yaml:"last_used"`
}

type tokenState struct {
	Value      string    `yaml:"value"`
	Client     string    `yaml:"client"`
	Credential string    `yaml:"credential,omitempty"`
	Identity   string    `yaml:"identity"`
	Session    string    `yaml:"session,omitempty"`
	Consents   []int64   `yaml:"consents,flow"`
	Issued     time.Time `yaml:"issued"`
	Ends       time.Time `yaml:"ends"`
	Grant      int       `yaml:"grant"`
	Parent     string    `yaml:"parent,omitempty"`    // refresh token of an access token
	LastUsed   time.Time `yaml:"last_used,omitempty"` // of a refresh token, as the rest
	Spent      time.Time `yaml:"spent,omitempty"`
	Family     int       `yaml:"family,omitempty"`
}

type codeState struct {
	Value       string    `yaml:"value"`
	Client      string    `yaml:"client"`
	Identity    string    `yaml:"identity"`
	Session     string    `yaml:"session"`
	RedirectURI string    `yaml:"redirect_uri"`
	Challenge   string    `yaml:"code_challenge,omitempty"`
	Nonce       string    `yaml:"nonce,omitempty"`
	State       string    `yaml:"state,omitempty"`
	Offline     bool      `yaml:"offline,omitempty"`
	Consents    []int64   `yaml:"consents,flow"`
	Issued      time.Time `yaml:"issued"`
	Grant       int       `yaml:"grant,omitempty"` // not 0: it was used
}

// Snapshot returns the state of the server as a document that [Config.World]
// takes again: a server made with it goes on where this one was. It holds every
// secret. Requests wait only while the records are copied.
func (s *Server) Snapshot() World {
	world, w := s.engine.copied()
	w.addTokens()
	w.state.order()
	world.State = w.state
	return world
}

// Changes counts the changes of the state: while it stays the same, so does
// [Server.Snapshot], the counts of faults aside.
func (s *Server) Changes() uint64 {
	s.engine.mu.Lock()
	defer s.engine.mu.Unlock()
	return s.engine.version
}

// copied copies the world and of the state what changes. It takes the lock itself.
func (e *engine) copied() (World, *writer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	world := World{Users: make([]User, 0, len(e.people)), Clients: make([]Client, 0, len(e.clients))}
	for _, id := range e.ordered.providers {
		p := e.providers[id]
		world.Providers = append(world.Providers, Provider{
			ID: p.id, Name: p.name, ShortName: p.shortName, AlternativeNames: slices.Clone(p.alternativeNames),
			Domains: slices.Clone(p.domains),
		})
	}
	for person := range e.persons() {
		user := person.identities[0].entry()
		for _, linked := range person.identities[1:] {
			user.Linked = append(user.Linked, linked.entry())
		}
		world.Users = append(world.Users, user)
	}
	for _, id := range e.ordered.groups {
		g := e.groups[id]
		world.Groups = append(world.Groups, Group{ID: g.id, Name: g.name, Description: g.description, Members: slices.Clone(g.members)})
	}
	for _, id := range e.ordered.clients {
		world.Clients = append(world.Clients, e.clients[id].entry())
	}
	for _, id := range e.ordered.projects {
		world.Projects = append(world.Projects, e.projects[id].entry())
	}
	for _, id := range e.ordered.policies {
		world.Policies = append(world.Policies, e.policies[id].entry())
	}
	for _, f := range e.faults {
		world.Faults = append(world.Faults, *f)
	}
	return world, e.state()
}

func (i *identity) entry() User {
	user := User{
		ID: i.id, Username: i.username, Name: i.name, Email: i.email, Organization: i.organization,
		Provider: i.provider.id, Status: string(i.status), Type: string(i.kind),
	}
	if !i.lastLogin.IsZero() {
		user.LastLogin = i.lastLogin.Unix()
	}
	return user
}

func (p *project) entry() Project {
	return Project{
		ID: p.id, Name: p.name, ContactEmail: p.contactEmail, AdminIDs: slices.Clone(p.adminIDs),
		AdminGroupIDs: slices.Clone(p.adminGroupIDs), AdminPolicy: p.adminPolicy,
	}
}

func (p *policy) entry() Policy {
	return Policy{
		ID: p.id, Project: p.project.id, Name: p.name, Description: p.description, HighAssurance: p.highAssurance,
		Timeout: p.timeout, RequiredMFA: p.requiredMFA, Include: slices.Clone(p.include), Exclude: slices.Clone(p.exclude),
	}
}

func (c *client) entry() Client {
	entry := Client{
		ID: c.id, Name: c.name, Type: string(c.kind), Parent: c.parent, Template: c.template, Instance: c.instance,
		Public: c.visibility == server.ClientVisibilityPublic, RedirectURIs: slices.Clone(c.redirectURIs), FQDNs: slices.Clone(c.fqdns),
		ResourceServer: c.resourceServer, RequiredIDP: c.requiredIDP, PreselectIDP: c.preselectIDP,
		TermsAndConditions: c.termsAndConditions, PrivacyPolicy: c.privacyPolicy,
	}
	if c.project != nil {
		entry.Project = c.project.id
	}
	for _, each := range c.credentials {
		entry.Credentials = append(entry.Credentials, Credential{
			ID: each.id, Name: each.name, Secret: each.secret, Created: each.created.Format(time.RFC3339Nano),
		})
	}
	for _, s := range c.scopes {
		owned := Scope{
			ID: s.id, Scope: s.text, Name: s.name, Description: s.description, Hidden: !s.advertised,
			DenyRefreshTokens: !s.allowsRefresh, RequiredDomains: slices.Clone(s.requiredDomains),
		}
		for _, d := range s.dependents {
			owned.DependsOn = append(owned.DependsOn, Dependency{
				Scope: d.scope.text, Optional: d.optional, RequiresRefreshToken: d.requiresRefresh,
			})
		}
		entry.Scopes = append(entry.Scopes, owned)
	}
	return entry
}

// numbers gives pointers numbers from 1, in the order in which they are met.
type numbers[T any] map[*T]int

func (n numbers[T]) of(pointer *T) int {
	if pointer == nil {
		return 0
	}
	if n[pointer] == 0 {
		n[pointer] = len(n) + 1
	}
	return n[pointer]
}

// writer collects the state; only what is alive is kept. Of tokens it keeps the
// records themselves: what of them never changes is read after the lock was given
// back.
type writer struct {
	state    *State
	sessions map[*session]bool
	access   []*accessToken
	refresh  []refreshToken
	codes    []*code
	used     []*grant // of the codes
	grants   numbers[grant]
	families numbers[family]
}

func (e *engine) state() *writer {
	w := &writer{
		state: &State{
			Advanced: e.advanced, LastConsent: e.lastConsent,
			Consents: make([]consentState, 0, len(e.consents)), Sessions: make([]sessionState, 0, len(e.sessions.cookies)),
		},
		sessions: map[*session]bool{}, grants: numbers[grant]{}, families: numbers[family]{},
		access: make([]*accessToken, 0, len(e.expiries)), refresh: make([]refreshToken, 0, len(e.idle)),
	}
	if e.config.Deterministic {
		w.state.Random, _ = e.random.source.MarshalBinary() // never fails
	}
	for _, key := range e.keys {
		if text, err := key.pem(); err == nil { // an RSA key can always be written
			w.state.Keys = append(w.state.Keys, keyState{PEM: text, ID: key.id})
		}
	}
	for _, cookie := range e.sessions.cookies {
		w.session(e.sessions.byCookie[cookie], true)
	}
	for _, c := range e.consents {
		if c.alive() {
			w.consent(c)
		}
	}
	for _, t := range e.idle {
		if e.usable(t) {
			w.session(t.session, false)
			w.refresh = append(w.refresh, *t)
		}
	}
	for _, t := range e.expiries {
		if e.alive(t) {
			w.session(t.session, false)
			w.access = append(w.access, t)
		}
	}
	for _, c := range e.codeList {
		if !c.authorization.client.deleted && (c.grant == nil || !c.grant.revoked) {
			w.session(c.session, false)
			w.codes, w.used = append(w.codes, c), append(w.used, c.grant)
		}
	}
	return w
}

// order sorts what was copied in the order of heaps and maps, so that the same
// state is always the same document.
func (s *State) order() {
	slices.SortStableFunc(s.Sessions, func(a, b sessionState) int {
		switch {
		case a.Known && b.Known: // oldest first already
			return 0
		case a.Known:
			return -1
		case b.Known:
			return 1
		}
		return strings.Compare(a.ID, b.ID)
	})
	for _, session := range s.Sessions {
		slices.SortFunc(session.Authentications, func(a, b authenticationState) int { return strings.Compare(a.Identity, b.Identity) })
	}
	slices.SortFunc(s.Consents, func(a, b consentState) int { return cmp.Compare(a.ID, b.ID) })
	grants, families := renumbering{}, renumbering{}
	for _, tokens := range [][]tokenState{s.Refresh, s.Access} {
		slices.SortFunc(tokens, func(a, b tokenState) int {
			return cmp.Or(a.Issued.Compare(b.Issued), strings.Compare(a.Value, b.Value))
		})
		for n := range tokens {
			tokens[n].Grant, tokens[n].Family = grants.of(tokens[n].Grant), families.of(tokens[n].Family)
		}
	}
	for n := range s.Codes {
		s.Codes[n].Grant = grants.of(s.Codes[n].Grant)
	}
}

// renumbering gives numbers new ones from 1, in the order in which they are met.
// 0 stays 0.
type renumbering map[int]int

func (r renumbering) of(number int) int {
	if number != 0 && r[number] == 0 {
		r[number] = len(r) + 1
	}
	return r[number]
}

func (w *writer) session(s *session, known bool) {
	if s == nil || w.sessions[s] {
		return
	}
	w.sessions[s] = true
	entry := sessionState{ID: s.id, Cookie: s.cookie, Known: known, LastSeen: s.lastSeen}
	if s.primary != nil {
		entry.Primary = s.primary.id
	}
	for i, last := range s.authentications {
		entry.Authentications = append(entry.Authentications, authenticationState{Identity: i.id, At: last.at, MFA: last.mfa})
	}
	w.state.Sessions = append(w.state.Sessions, entry)
}

func (s *session) idOrNone() string {
	if s == nil {
		return ""
	}
	return s.id
}

func (w *writer) consent(c *consent) {
	entry := consentState{
		ID: c.id, Identity: c.identity.id, Client: c.client.id, Scope: c.scope.id, AllowsRefresh: c.allowsRefresh,
		Revocable: c.revocable, Automatic: c.automatic, Label: c.label, Created: c.created, Updated: c.updated, LastUsed: c.lastUsed,
	}
	if c.parent != nil {
		entry.Parent = c.parent.id
	}
	w.state.Consents = append(w.state.Consents, entry)
}

func consentIDs(consents []*consent) []int64 {
	ids := make([]int64, len(consents))
	for n, c := range consents {
		ids[n] = c.id
	}
	return ids
}

func credentialID(c *credential) string {
	if c == nil {
		return ""
	}
	return c.id
}

// addTokens describes the tokens and codes. It needs no lock.
func (w *writer) addTokens() {
	w.state.Refresh = make([]tokenState, 0, len(w.refresh))
	for n := range w.refresh {
		t := &w.refresh[n]
		w.state.Refresh = append(w.state.Refresh, tokenState{
			Value: t.value, Client: t.client.id, Credential: credentialID(t.credential), Identity: t.identity.id,
			Session: t.session.idOrNone(), Consents: consentIDs(t.consents), Issued: t.issued, Ends: t.dies,
			Grant: w.grants.of(t.grant), LastUsed: t.lastUsed, Spent: t.spent, Family: w.families.of(t.family),
		})
	}
	w.state.Access = make([]tokenState, 0, len(w.access))
	for _, t := range w.access {
		entry := tokenState{
			Value: t.value, Client: t.client.id, Credential: credentialID(t.credential), Identity: t.identity.id,
			Session: t.session.idOrNone(), Consents: consentIDs(t.consents), Issued: t.issued, Ends: t.expires,
			Grant: w.grants.of(t.grant),
		}
		if t.parent != nil {
			entry.Parent, entry.Family = t.parent.value, w.families.of(t.parent.family)
		}
		w.state.Access = append(w.state.Access, entry)
	}
	for n, c := range w.codes {
		params := c.authorization.params
		w.state.Codes = append(w.state.Codes, codeState{
			Value: c.value, Client: c.authorization.client.id, Identity: c.identity.id, Session: c.session.idOrNone(),
			RedirectURI: params.RedirectURI, Challenge: params.CodeChallenge, Nonce: params.Nonce, State: params.State,
			Offline: c.authorization.offline, Consents: consentIDs(c.consents), Issued: c.issued, Grant: w.grants.of(w.used[n]),
		})
	}
}
