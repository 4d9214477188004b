package authtest

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// state is what a server did since it started, within a [World]. Its fields are for
// programs that read and write whole snapshots; their meaning may change.
type state struct {
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
	ID  string `yaml:"id,omitempty"` // empty: the service names no key
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
	Revocable     bool      `yaml:"atomically_revocable,omitempty"` // alone, because it is an optional dependency
	Automatic     bool      `yaml:"auto_approved,omitempty"`
	Label         string    `yaml:"label,omitempty"` // that the user gave it
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
	Ends       time.Time `yaml:"ends,omitempty"`
	Login      int64     `yaml:"login,omitempty"`  // tokens of one login have the same number
	Family     int64     `yaml:"family,omitempty"` // so have a refresh token and those that came of it
	Replaced   bool      `yaml:"replaced,omitempty"`
}

type codeState struct {
	tokenState  `yaml:",inline"` // Login is 0 until the code was used
	RedirectURI string           `yaml:"redirect_uri"`
	Challenge   string           `yaml:"code_challenge,omitempty"`
	Nonce       string           `yaml:"nonce,omitempty"`
	State       string           `yaml:"state,omitempty"`
	Offline     bool             `yaml:"offline,omitempty"`
}

// Snapshot returns the state of the server as a document for [Config.World]: a
// server made with it continues where this one was. It holds every secret. Requests
// wait only while the records are copied.
func (s *Server) Snapshot() World {
	world, copied := s.engine.copied()
	copied.describeTokens(world.State)
	world.State.sort()
	return world
}

// Changes counts the changes of the state: while it stays the same, so does
// [Server.Snapshot], the counts of faults aside.
func (s *Server) Changes() uint64 {
	s.engine.mu.Lock()
	defer s.engine.mu.Unlock()
	return s.engine.version
}

// liveTokens are copies of what is valid. Access tokens never change, so that
// pointers to them are enough.
type liveTokens struct {
	access  []*token
	refresh []token
	codes   []code
}

// copied copies the world and of the state what changes. It takes the lock itself.
func (e *engine) copied() (World, liveTokens) {
	e.mu.Lock()
	defer e.mu.Unlock()
	world := World{
		Providers: documents(e.providers.all(), nil, (*Provider).copied),
		Groups:    documents(e.groups.all(), nil, (*Group).copied),
		Clients:   documents(e.clients.all(), nil, (*client).entry),
		Projects:  documents(e.projects.all(), nil, (*Project).copied),
		Policies:  documents(e.policies.all(), nil, (*Policy).copied),
		Users:     documents(e.persons(), nil, func(person *account) User { return person.identities[0].entry() }),
		State:     e.state(),
	}
	for _, f := range e.faults {
		world.Faults = append(world.Faults, *f)
	}
	return world, e.copyTokens(world.State)
}

func (p *Provider) copied() Provider {
	c := *p
	c.AlternativeNames, c.Domains = slices.Clone(p.AlternativeNames), slices.Clone(p.Domains)
	return c
}

func (g *Group) copied() Group {
	c := *g
	c.Members = slices.Clone(g.Members)
	return c
}

func (p *Project) copied() Project {
	c := *p
	c.AdminIDs, c.AdminGroupIDs = slices.Clone(p.AdminIDs), slices.Clone(p.AdminGroupIDs)
	return c
}

func (p *Policy) copied() Policy {
	c := *p
	c.Include, c.Exclude = slices.Clone(p.Include), slices.Clone(p.Exclude)
	if p.Timeout != nil {
		c.Timeout = new(*p.Timeout)
	}
	return c
}

// entry describes the person of an identity, the identity itself first.
func (i *identity) entry() User {
	user := i.User
	for _, linked := range i.identitySet()[1:] {
		user.Linked = append(user.Linked, linked.User)
	}
	return user
}

func (c *client) entry() Client {
	entry := c.Client
	entry.RedirectURIs, entry.FQDNs = slices.Clone(c.RedirectURIs), slices.Clone(c.FQDNs)
	for _, each := range c.credentials {
		entry.Credentials = append(entry.Credentials, each.Credential)
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

// state describes all but the tokens and their sessions.
func (e *engine) state() *state {
	s := &state{Advanced: e.advanced, LastConsent: e.lastConsent, Consents: make([]consentState, 0, len(e.consents))}
	if e.config.Deterministic {
		s.Random, _ = e.random.source.MarshalBinary() // never fails
	}
	for _, key := range e.keys {
		s.Keys = append(s.Keys, key.keyState)
	}
	for _, c := range e.consents {
		s.Consents = append(s.Consents, c.consentState)
	}
	return s
}

// copyTokens copies the tokens, and describes their sessions.
func (e *engine) copyTokens(s *state) liveTokens {
	sessions := map[*session]bool{nil: true}
	describe := func(each *session, known bool) {
		if !sessions[each] {
			sessions[each] = true
			s.Sessions = append(s.Sessions, each.state(known))
		}
	}
	for _, cookie := range e.sessions.cookies {
		describe(e.sessions.byCookie[cookie], true)
	}
	copied := liveTokens{access: make([]*token, 0, len(e.access.queue)), refresh: make([]token, 0, len(e.refresh.queue))}
	for _, t := range e.refresh.queue {
		if e.live(t) {
			describe(t.session, false)
			copied.refresh = append(copied.refresh, *t)
		}
	}
	for _, t := range e.access.queue {
		if e.live(t) {
			describe(t.session, false)
			copied.access = append(copied.access, t)
		}
	}
	for _, c := range e.codeList {
		if (c.login == nil || !c.login.revoked) && e.clients.get(c.client.ID) != nil {
			describe(c.session, false)
			copied.codes = append(copied.codes, *c)
		}
	}
	return copied
}

// describeTokens needs no lock.
func (l liveTokens) describeTokens(s *state) {
	s.Refresh, s.Access = make([]tokenState, 0, len(l.refresh)), make([]tokenState, 0, len(l.access))
	for n := range l.refresh {
		s.Refresh = append(s.Refresh, l.refresh[n].state())
	}
	for _, t := range l.access {
		s.Access = append(s.Access, t.state())
	}
	for _, c := range l.codes {
		params := c.authorization.params
		s.Codes = append(s.Codes, codeState{
			tokenState: c.state(), RedirectURI: params.RedirectURI, Challenge: params.CodeChallenge, Nonce: params.Nonce,
			State: params.State, Offline: c.authorization.offline,
		})
	}
}

func (t *token) state() tokenState {
	s := tokenState{
		Value: t.value, Client: t.client.ID, Identity: t.identity.ID, Issued: t.issued, Ends: t.ends, Replaced: t.replaced,
		Consents: make([]int64, len(t.consents)),
	}
	for n, c := range t.consents {
		s.Consents[n] = c.ID
	}
	if t.credential != nil {
		s.Credential = t.credential.ID
	}
	if t.session != nil {
		s.Session = t.session.id
	}
	if t.login != nil {
		s.Login = t.login.id
	}
	if t.family != nil {
		s.Family = t.family.id
	}
	return s
}

func (s *session) state(known bool) sessionState {
	described := sessionState{ID: s.id, Cookie: s.cookie, Known: known, LastSeen: s.lastSeen}
	if s.primary != nil {
		described.Primary = s.primary.ID
	}
	for i, last := range s.authentications {
		described.Authentications = append(described.Authentications, authenticationState{Identity: i.ID, At: last.at, MFA: last.mfa})
	}
	return described
}

// sort orders what was copied in the order of heaps and maps, so that the same
// state is always the same document. Sessions with a cookie are in order already.
func (s *state) sort() {
	known := 0
	for _, session := range s.Sessions {
		slices.SortFunc(session.Authentications, func(a, b authenticationState) int { return strings.Compare(a.Identity, b.Identity) })
		if session.Known {
			known++
		}
	}
	slices.SortFunc(s.Sessions[known:], func(a, b sessionState) int { return strings.Compare(a.ID, b.ID) })
	slices.SortFunc(s.Consents, func(a, b consentState) int { return cmp.Compare(a.ID, b.ID) })
	for _, tokens := range [][]tokenState{s.Refresh, s.Access} {
		slices.SortFunc(tokens, func(a, b tokenState) int {
			return cmp.Or(a.Issued.Compare(b.Issued), strings.Compare(a.Value, b.Value))
		})
	}
}
