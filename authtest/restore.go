package authtest

import (
	"fmt"
	"slices"
	"strings"
)

// reader rebuilds what a snapshot holds.
type reader struct {
	engine   *engine
	sessions map[string]*session
	consents map[int64]*consent
	grants   map[int]*grant
	families map[int]*family
}

// restore puts a state back into a loaded world. A reference to something that
// is not there is an error.
func (e *engine) restore(state State) error {
	r := reader{
		engine: e, sessions: map[string]*session{}, consents: map[int64]*consent{},
		grants: map[int]*grant{}, families: map[int]*family{},
	}
	e.advanced = state.Advanced
	e.lastConsent = max(e.lastConsent, state.LastConsent)
	if len(state.Random) > 0 && e.config.Deterministic {
		if err := e.random.source.UnmarshalBinary(state.Random); err != nil {
			return fmt.Errorf("authtest: snapshot: random: %w", err)
		}
	}
	if len(state.Keys) > 0 {
		e.keys = nil
		for _, entry := range state.Keys {
			key, err := parseKey([]byte(entry.PEM))
			if err != nil {
				return err
			}
			key.id = entry.ID
			e.keys = append(e.keys, key)
		}
	}
	return firstError(
		each(state.Sessions, r.session), each(state.Consents, r.consent), each(state.Refresh, r.refresh),
		each(state.Access, r.access), each(state.Codes, r.code),
	)
}

// firstError runs steps until one fails.
func firstError(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func each[T any](entries []T, restore func(T) error) func() error {
	return func() error {
		for _, entry := range entries {
			if err := restore(entry); err != nil {
				return err
			}
		}
		return nil
	}
}

func lost(kind, id, what, missing string) error {
	return fmt.Errorf("authtest: snapshot: %s %q: there is no %s %q", kind, shortened(id), what, missing)
}

// shortened keeps a secret from being shown whole.
func shortened(secret string) string {
	const shown = 16
	if len(secret) <= shown || !strings.HasPrefix(secret, "fake-") {
		return secret
	}
	return secret[:shown] + "…"
}

func (r reader) session(entry sessionState) error {
	s := &session{
		id: entry.ID, cookie: entry.Cookie, lastSeen: entry.LastSeen, authentications: map[*identity]authentication{},
	}
	if entry.Primary != "" {
		if s.primary = r.engine.identities[entry.Primary]; s.primary == nil {
			return lost("session", entry.ID, "identity", entry.Primary)
		}
		s.account = s.primary.account
	}
	for _, last := range entry.Authentications {
		i := r.engine.identities[last.Identity]
		if i == nil {
			return lost("session", entry.ID, "identity", last.Identity)
		}
		s.authentications[i] = authentication{at: last.At, mfa: last.MFA}
	}
	r.sessions[s.id] = s
	if entry.Known {
		r.engine.sessions.byCookie[s.cookie] = s
		r.engine.sessions.cookies = append(r.engine.sessions.cookies, s.cookie)
	}
	return nil
}

func (r reader) consent(entry consentState) error {
	e := r.engine
	c := &consent{
		id: entry.ID, identity: e.identities[entry.Identity], client: e.clients[entry.Client], scope: e.scopes[entry.Scope],
		parent: r.consents[entry.Parent], allowsRefresh: entry.AllowsRefresh, revocable: entry.Revocable,
		automatic: entry.Automatic, label: entry.Label, created: entry.Created, updated: entry.Updated, lastUsed: entry.LastUsed,
	}
	id := fmt.Sprint(entry.ID)
	switch {
	case c.identity == nil:
		return lost("consent", id, "identity", entry.Identity)
	case c.client == nil:
		return lost("consent", id, "client", entry.Client)
	case c.scope == nil:
		return lost("consent", id, "scope", entry.Scope)
	case c.parent == nil && entry.Parent != 0:
		return lost("consent", id, "consent", fmt.Sprint(entry.Parent))
	}
	if c.parent != nil {
		c.path = slices.Clone(c.parent.path)
	}
	c.path = append(c.path, c.id)
	r.consents[c.id] = c
	e.lastConsent = max(e.lastConsent, c.id)
	e.keepConsent(c)
	return nil
}

// holder is what access tokens, refresh tokens and codes have in common.
type holder struct {
	client     *client
	credential *credential
	identity   *identity
	session    *session
	consents   []*consent
	grant      *grant
}

func (r reader) holder(kind string, entry tokenState) (holder, error) {
	e := r.engine
	h := holder{client: e.clients[entry.Client], identity: e.identities[entry.Identity], session: r.sessions[entry.Session]}
	switch {
	case h.client == nil:
		return h, lost(kind, entry.Value, "client", entry.Client)
	case h.identity == nil:
		return h, lost(kind, entry.Value, "identity", entry.Identity)
	case h.session == nil && entry.Session != "":
		return h, lost(kind, entry.Value, "session", entry.Session)
	case len(entry.Consents) == 0:
		return h, lost(kind, entry.Value, "consent", "")
	}
	if entry.Credential != "" {
		at := slices.IndexFunc(h.client.credentials, func(c *credential) bool { return c.id == entry.Credential })
		if at < 0 {
			return h, lost(kind, entry.Value, "credential", entry.Credential)
		}
		h.credential = h.client.credentials[at]
	}
	for _, id := range entry.Consents {
		c := r.consents[id]
		if c == nil {
			return h, lost(kind, entry.Value, "consent", fmt.Sprint(id))
		}
		h.consents = append(h.consents, c)
	}
	if entry.Grant != 0 {
		if r.grants[entry.Grant] == nil {
			r.grants[entry.Grant] = &grant{}
		}
		h.grant = r.grants[entry.Grant]
	}
	return h, nil
}

func (h holder) scopes() []*scope {
	list := make([]*scope, len(h.consents))
	for n, c := range h.consents {
		list[n] = c.scope
	}
	return list
}

func (r reader) family(number int) *family {
	if r.families[number] == nil {
		r.families[number] = &family{}
	}
	return r.families[number]
}

func (r reader) refresh(entry tokenState) error {
	h, err := r.holder("refresh token", entry)
	if err != nil {
		return err
	}
	if h.grant == nil {
		h.grant = &grant{}
	}
	r.engine.keepRefresh(&refreshToken{
		value: entry.Value, client: h.client, credential: h.credential, identity: h.identity, session: h.session,
		server: h.consents[0].scope.server, scopes: h.scopes(), consents: h.consents, issued: entry.Issued,
		lastUsed: entry.LastUsed, dies: entry.Ends, spent: entry.Spent, grant: h.grant, family: r.family(entry.Family),
	})
	return nil
}

func (r reader) access(entry tokenState) error {
	h, err := r.holder("access token", entry)
	if err != nil {
		return err
	}
	if h.grant == nil {
		h.grant = &grant{}
	}
	token := &accessToken{
		value: entry.Value, client: h.client, credential: h.credential, identity: h.identity, session: h.session,
		server: h.consents[0].scope.server, scopes: h.scopes(), consents: h.consents, issued: entry.Issued,
		expires: entry.Ends, grant: h.grant,
	}
	if entry.Parent != "" {
		if token.parent = r.engine.refresh[entry.Parent]; token.parent == nil { // replaced and forgotten
			token.parent = &refreshToken{value: entry.Parent, family: r.family(entry.Family)}
		}
	}
	r.engine.keepAccess(token)
	return nil
}

func (r reader) code(entry codeState) error {
	h, err := r.holder("code", tokenState{
		Value: entry.Value, Client: entry.Client, Identity: entry.Identity, Session: entry.Session,
		Consents: entry.Consents, Grant: entry.Grant,
	})
	if err != nil {
		return err
	}
	if h.session == nil {
		return lost("code", entry.Value, "session", entry.Session)
	}
	a := &authorization{client: h.client, offline: entry.Offline}
	a.params.RedirectURI, a.params.CodeChallenge = entry.RedirectURI, entry.Challenge
	a.params.Nonce, a.params.State = entry.Nonce, entry.State
	r.engine.keepCode(&code{
		value: entry.Value, authorization: a, session: h.session, identity: h.identity, consents: h.consents,
		issued: entry.Issued, grant: h.grant, used: entry.Grant != 0,
	})
	return nil
}
