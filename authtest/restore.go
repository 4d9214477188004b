package authtest

import (
	"fmt"
	"slices"
	"strings"
)

// reader rebuilds what a snapshot holds.
type reader struct {
	*engine
	sessionIDs map[string]*session
	consentIDs map[int64]*consent
	grants     map[int64]*grant
}

// restore puts a state into a loaded world. A reference to something that does not
// exist is an error.
func (e *engine) restore(s state) error {
	r := reader{engine: e, sessionIDs: map[string]*session{}, consentIDs: map[int64]*consent{}, grants: map[int64]*grant{}}
	e.advanced = s.Advanced
	e.lastConsent = max(e.lastConsent, s.LastConsent)
	if len(s.Random) > 0 && e.config.Deterministic {
		if err := e.random.source.UnmarshalBinary(s.Random); err != nil {
			return fmt.Errorf("authtest: snapshot: random: %w", err)
		}
	}
	if len(s.Keys) > 0 {
		e.keys = nil
		for _, entry := range s.Keys {
			key, err := parseKey([]byte(entry.PEM))
			if err != nil {
				return err
			}
			key.ID = entry.ID
			e.keys = append(e.keys, key)
		}
	}
	var err error
	each(&err, s.Sessions, r.session)
	each(&err, s.Consents, r.consent)
	each(&err, s.Refresh, func(entry tokenState) (*token, error) { return r.storeToken(&e.refresh, "refresh token", entry) })
	each(&err, s.Access, func(entry tokenState) (*token, error) { return r.storeToken(&e.access, "access token", entry) })
	each(&err, s.Codes, r.code)
	return err
}

// lost is the error of a reference to something that does not exist. It does not
// show a secret whole.
func lost(kind, id, what, missing string) error {
	const shown = 16
	if len(id) > shown && strings.HasPrefix(id, "fake-") {
		id = id[:shown] + "…"
	}
	return fmt.Errorf("authtest: snapshot: %s %q: there is no %s %q", kind, id, what, missing)
}

func (r reader) session(entry sessionState) (*session, error) {
	s := &session{id: entry.ID, cookie: entry.Cookie, lastSeen: entry.LastSeen, authentications: map[*identity]authentication{}}
	if entry.Primary != "" {
		if s.primary = r.identities[entry.Primary]; s.primary == nil {
			return nil, lost("session", entry.ID, "identity", entry.Primary)
		}
		s.account = s.primary.account
	}
	for _, last := range entry.Authentications {
		i := r.identities[last.Identity]
		if i == nil {
			return nil, lost("session", entry.ID, "identity", last.Identity)
		}
		s.authentications[i] = authentication{at: last.At, mfa: last.MFA}
	}
	r.sessionIDs[s.id] = s
	if entry.Known {
		r.sessions.byCookie[s.cookie] = s
		r.sessions.cookies = append(r.sessions.cookies, s.cookie)
	}
	return s, nil
}

func (r reader) consent(entry consentState) (*consent, error) {
	c := &consent{
		consentState: entry, identity: r.identities[entry.Identity], client: r.clients.get(entry.Client), scope: r.scopes.get(entry.Scope),
		parent: r.consentIDs[entry.Parent],
	}
	id := fmt.Sprint(entry.ID)
	switch {
	case c.identity == nil:
		return nil, lost("consent", id, "identity", entry.Identity)
	case c.client == nil:
		return nil, lost("consent", id, "client", entry.Client)
	case c.scope == nil:
		return nil, lost("consent", id, "scope", entry.Scope)
	case c.parent == nil && entry.Parent != 0:
		return nil, lost("consent", id, "consent", fmt.Sprint(entry.Parent))
	}
	r.consentIDs[c.ID] = c
	r.lastConsent = max(r.lastConsent, c.ID)
	r.keepConsent(c)
	return c, nil
}

// token reads what access tokens, refresh tokens and codes have in common.
func (r reader) token(kind string, entry tokenState) (*token, error) {
	t := &token{
		value: entry.Value, client: r.clients.get(entry.Client), identity: r.identities[entry.Identity],
		session: r.sessionIDs[entry.Session], issued: entry.Issued, ends: entry.Ends, replaced: entry.Replaced,
		login: r.grant(entry.Login), family: r.grant(entry.Family),
	}
	switch {
	case t.client == nil:
		return nil, lost(kind, entry.Value, "client", entry.Client)
	case t.identity == nil:
		return nil, lost(kind, entry.Value, "identity", entry.Identity)
	case t.session == nil && entry.Session != "":
		return nil, lost(kind, entry.Value, "session", entry.Session)
	case len(entry.Consents) == 0:
		return nil, lost(kind, entry.Value, "consent", "")
	}
	if entry.Credential != "" {
		at := slices.IndexFunc(t.client.credentials, func(c *credential) bool { return c.ID == entry.Credential })
		if at < 0 {
			return nil, lost(kind, entry.Value, "credential", entry.Credential)
		}
		t.credential = t.client.credentials[at]
	}
	for _, id := range entry.Consents {
		c := r.consentIDs[id]
		if c == nil {
			return nil, lost(kind, entry.Value, "consent", fmt.Sprint(id))
		}
		t.consents = append(t.consents, c)
		t.scopes = append(t.scopes, c.scope)
	}
	t.server = t.scopes[0].server
	return t, nil
}

// grant returns the grant with a number; 0 is none.
func (r reader) grant(id int64) *grant {
	if id != 0 && r.grants[id] == nil {
		r.grants[id] = &grant{id: id}
		r.lastGrant = max(r.lastGrant, id)
	}
	return r.grants[id]
}

func (r reader) storeToken(store *tokenStore, kind string, entry tokenState) (*token, error) {
	t, err := r.token(kind, entry)
	if err != nil {
		return nil, err
	}
	if t.login == nil {
		t.login = r.newGrant()
	}
	if t.family == nil && store == &r.refresh {
		t.family = r.newGrant()
	}
	r.keep(store, t)
	return t, nil
}

func (r reader) code(entry codeState) (*code, error) {
	t, err := r.token("code", entry.tokenState)
	if err != nil {
		return nil, err
	}
	if t.session == nil {
		return nil, lost("code", entry.Value, "session", entry.Session)
	}
	a := &authorization{client: t.client, offline: entry.Offline}
	a.params.RedirectURI, a.params.CodeChallenge = entry.RedirectURI, entry.Challenge
	a.params.Nonce, a.params.State = entry.Nonce, entry.State
	c := &code{token: *t, authorization: a}
	r.keepCode(c)
	return c, nil
}
