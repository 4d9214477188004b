package authtest

import (
	"path"
	"slices"
	"strings"
	"time"

	"github.com/oapi-codegen/nullable"

	"github.com/globusauth/globusauth/internal/server"
)

// session is a person's sign-in: which identities authenticated, when and how.
// Tokens point to it, so that introspection shows its present state.
type session struct {
	id              string
	cookie          string // what the browser holds; the ID is known to resource servers
	account         *account
	primary         *identity // that signed in last
	authentications map[*identity]authentication
	lastSeen        time.Time
}

// authentication is one sign-in of one identity.
type authentication struct {
	at  time.Time
	mfa bool
}

// sessionStore finds a browser's session by the value of its cookie.
type sessionStore struct {
	byCookie map[string]*session
	cookies  []string // oldest first
}

const (
	sessionLifetime = 24 * time.Hour
	maxSessions     = 10000
	adminTimeout    = 30 * time.Minute
)

func newSessionStore() sessionStore { return sessionStore{byCookie: map[string]*session{}} }

// newSession starts an empty session.
func (e *engine) newSession() *session {
	return &session{
		id: e.random.uuid(), cookie: e.random.secret("fake-session-"),
		authentications: map[*identity]authentication{}, lastSeen: e.now(),
	}
}

// keepSession makes a session findable by its cookie.
func (e *engine) keepSession(s *session) {
	now := e.now()
	s.lastSeen = now
	if e.sessions.byCookie[s.cookie] != nil {
		return
	}
	for len(e.sessions.cookies) > 0 {
		oldest := e.sessions.byCookie[e.sessions.cookies[0]]
		if oldest != nil && len(e.sessions.cookies) < maxSessions && now.Sub(oldest.lastSeen) < sessionLifetime {
			break
		}
		delete(e.sessions.byCookie, e.sessions.cookies[0])
		e.sessions.cookies = e.sessions.cookies[1:]
	}
	e.sessions.byCookie[s.cookie] = s
	e.sessions.cookies = append(e.sessions.cookies, s.cookie)
	e.changed()
}

// sessionOf returns the session of a browser, or nil.
func (e *engine) sessionOf(c *call) *session {
	cookie, err := c.request.Cookie(sessionCookie)
	if err != nil {
		return nil
	}
	found := e.sessions.byCookie[cookie.Value]
	if found == nil || e.now().Sub(found.lastSeen) >= sessionLifetime {
		return nil
	}
	return found
}

// authenticate signs an identity in.
func (e *engine) authenticate(s *session, i *identity, mfa bool) {
	if s.account != i.account { // another user
		s.account = i.account
		s.authentications = map[*identity]authentication{}
	}
	now := e.now()
	s.primary = i
	s.authentications[i] = authentication{at: now, mfa: mfa}
	i.LastLogin = now.Unix()
	if i.Status == string(server.IdentityStatusUnused) {
		i.Status = string(server.IdentityStatusUsed)
	}
	e.changed()
}

// matchesAny reports whether a domain fits one of some patterns, which may begin with "*.".
func matchesAny(patterns []string, domain string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		matched, err := path.Match(strings.ToLower(pattern), strings.ToLower(domain))
		return err == nil && matched
	})
}

// admits reports whether a policy could be met by signing in with an identity.
func (p *Policy) admits(i *identity) bool {
	return (len(p.Include) == 0 || matchesAny(p.Include, i.domain())) && !matchesAny(p.Exclude, i.domain())
}

// satisfied reports whether a session meets a policy for the identity that a
// token is for. An identity in session must have authenticated recently enough,
// with a second factor where the policy requires it, and be of the right domain; with
// high assurance it must be the token's own identity. No identity in session may
// be of an excluded domain. An empty list of domains constrains nothing.
func (e *engine) satisfied(p *Policy, s *session, effective *identity) bool {
	if s == nil {
		return false
	}
	for i := range s.authentications {
		if matchesAny(p.Exclude, i.domain()) {
			return false
		}
	}
	for i, last := range s.authentications {
		if p.admits(i) && (!p.HighAssurance || i == effective) && e.recent(last, p.Timeout) && (last.mfa || !p.RequiredMFA) {
			return true
		}
	}
	return false
}

func (e *engine) recent(last authentication, timeout *int) bool {
	return timeout == nil || e.now().Sub(last.at) <= time.Duration(*timeout)*time.Second
}

// adminInSession reports whether an administrator of a project has authenticated
// in the session within the last 30 minutes.
func (e *engine) adminInSession(p *Project, s *session) bool {
	if s == nil {
		return false
	}
	for i, last := range s.authentications {
		if e.isAdmin(p, i) && e.now().Sub(last.at) <= adminTimeout {
			return true
		}
	}
	return false
}

// infoDocument is the session at introspection. Clients that act on their own
// have no session: nothing is authenticated in theirs.
func (s *session) infoDocument() server.SessionInfo {
	authentications := map[string]server.SessionAuthentication{}
	document := server.SessionInfo{Authentications: nullable.NewNullableWithValue(authentications)}
	if s == nil {
		return document
	}
	document.SessionID.Set(s.id)
	for i, last := range s.authentications {
		amr := []string{"pwd"}
		if last.mfa {
			amr = []string{"mfa", "pwd"}
		}
		authentications[i.ID] = server.SessionAuthentication{
			IDP: orNull(i.provider.ID), AuthTime: orNull(unixSeconds(last.at)), ACR: orNull(""),
			AMR: nullable.NewNullableWithValue(amr), CustomClaims: nullable.NewNullableWithValue(map[string]any{}),
		}
	}
	return document
}
