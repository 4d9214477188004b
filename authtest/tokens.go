package authtest

import (
	"container/heap"
	"slices"
	"time"

	"github.com/globusauth/globusauth/scopes"
)

// grant is what tokens have in common that are revoked together: the tokens of one
// login, when its code is used a second time (RFC 6749 section 4.1.2); or a refresh
// token with those that replaced it and the access tokens that they gave.
type grant struct {
	id      int64
	revoked bool
}

func (e *engine) newGrant() *grant {
	e.lastGrant++
	return &grant{id: e.lastGrant}
}

// token is an access token or a refresh token for one resource server.
type token struct {
	value      string
	client     *client
	credential *credential // that the client used; nil for public clients
	identity   *identity
	session    *session // nil for clients that act on their own
	server     string
	scopes     []*scope
	consents   []*consent // one for each scope
	issued     time.Time
	ends       time.Time // of a refresh token: unless it is used before
	login      *grant
	family     *grant // of a refresh token and of the access tokens with one; nil without
	replaced   bool   // of a refresh token: by rotation
	position   int    // in the queue
}

const (
	defaultAccessLifetime = 48 * time.Hour
	refreshIdle           = 182 * 24 * time.Hour // six months
)

// live reports whether a token, which may be nil, is valid now: so is everything that
// it depends on.
func (e *engine) live(t *token) bool {
	return t != nil && e.now().Before(t.ends) && !t.login.revoked && (t.family == nil || !t.family.revoked) &&
		(t.credential == nil || !t.credential.deleted) &&
		!slices.ContainsFunc(t.consents, func(c *consent) bool { return c.revoked })
}

// has reports whether a token has a scope.
func (t *token) has(name scopes.Scope) bool {
	return slices.ContainsFunc(t.scopes, func(s *scope) bool { return s.text == string(name) })
}

// liveToken returns a valid access token, or nil.
func (e *engine) liveToken(value string) *token {
	if t := e.access.byValue[value]; e.live(t) {
		return t
	}
	return nil
}

// keep stores a token and discards those that have expired, or end first where there
// are too many.
func (e *engine) keep(store *tokenStore, added *token) {
	now := e.now()
	for len(store.queue) > 0 && (!now.Before(store.queue[0].ends) || len(store.queue) >= e.config.MaxTokens) {
		store.drop(store.queue[0])
	}
	store.byValue[added.value] = added
	heap.Push(&store.queue, added)
	e.changed()
}

// touch notes that a refresh token was used. Its first use with rotation is the one
// that begins its grace.
func (e *engine) touch(t *token, rotate bool) {
	switch {
	case !rotate:
		t.ends = e.now().Add(refreshIdle)
	case !t.replaced:
		t.replaced = true
		t.ends = e.now().Add(e.config.RefreshTokenGrace)
	}
	heap.Fix(&e.refresh.queue, t.position)
	e.changed()
}

// tokenStore finds tokens by their value and by when they end.
type tokenStore struct {
	byValue map[string]*token
	queue   tokenQueue
}

func newTokenStore() tokenStore { return tokenStore{byValue: map[string]*token{}} }

func (s *tokenStore) drop(t *token) {
	heap.Remove(&s.queue, t.position)
	delete(s.byValue, t.value)
}

// tokenQueue is a [heap.Interface] with the token that ends first at its front.
type tokenQueue []*token

func (q tokenQueue) Len() int           { return len(q) }
func (q tokenQueue) Less(i, j int) bool { return q[i].ends.Before(q[j].ends) }
func (q tokenQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].position, q[j].position = i, j
}

func (q *tokenQueue) Push(added any) {
	t, _ := added.(*token)
	t.position = len(*q)
	*q = append(*q, t)
}

func (q *tokenQueue) Pop() any {
	last := len(*q) - 1
	t := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return t
}
