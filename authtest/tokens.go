package authtest

import (
	"container/heap"
	"time"
)

// grant is what the tokens of one login have in common: when its code is used a
// second time, all of them die (RFC 6749 section 4.1.2).
type grant struct{ revoked bool }

// accessToken is an access token for one resource server.
type accessToken struct {
	value      string
	client     *client
	credential *credential // that the client used; nil for public clients
	identity   *identity
	session    *session // nil for clients that act on their own
	server     string
	scopes     []*scope
	consents   []*consent // one for each scope
	issued     time.Time
	expires    time.Time
	grant      *grant
	parent     *refreshToken // that it was made with, or that came with it
	revoked    bool
	position   int // in the queue
}

// refreshToken gives access tokens for one resource server.
type refreshToken struct {
	value      string
	client     *client
	credential *credential
	identity   *identity
	session    *session
	server     string
	scopes     []*scope
	consents   []*consent
	issued     time.Time
	lastUsed   time.Time
	grant      *grant
	revoked    bool
	spent      time.Time // when rotation replaced it; zero: it is current
	dies       time.Time // unless it is used before
	family     *family
	position   int
}

// family are a refresh token and those that replaced it.
type family struct{ revoked bool }

const (
	defaultAccessLifetime = 48 * time.Hour
	refreshIdle           = 182 * 24 * time.Hour // six months
)

// sound reports whether what a token stands on is still there.
func sound(c *client, used *credential, i *identity, g *grant, consents []*consent) bool {
	if c.deleted || i.deleted || used != nil && used.deleted || g.revoked {
		return false
	}
	for _, given := range consents {
		if !given.alive() {
			return false
		}
	}
	return true
}

// liveToken returns an access token that is good now, or nil.
func (e *engine) liveToken(value string) *accessToken {
	token := e.access[value]
	if token == nil || !e.alive(token) {
		return nil
	}
	return token
}

func (e *engine) alive(token *accessToken) bool {
	if token.revoked || token.parent != nil && token.parent.family.revoked || !e.now().Before(token.expires) {
		return false
	}
	return sound(token.client, token.credential, token.identity, token.grant, token.consents)
}

// usable reports whether a refresh token can be used now.
func (e *engine) usable(token *refreshToken) bool {
	return !token.revoked && !token.family.revoked && e.now().Before(token.dies) &&
		sound(token.client, token.credential, token.identity, token.grant, token.consents)
}

// keepAccess stores a token and forgets those whose life is over.
func (e *engine) keepAccess(token *accessToken) {
	now := e.now()
	for len(e.expiries) > 0 && (!now.Before(e.expiries[0].expires) || len(e.expiries) >= e.config.MaxTokens) {
		e.dropAccess(e.expiries[0])
	}
	e.access[token.value] = token
	heap.Push(&e.expiries, token)
	e.changed()
}

func (e *engine) dropAccess(token *accessToken) {
	heap.Remove(&e.expiries, token.position)
	delete(e.access, token.value)
}

// keepRefresh stores a refresh token and forgets those that nobody used for six
// months, and the spent ones whose grace is over.
func (e *engine) keepRefresh(token *refreshToken) {
	now := e.now()
	for len(e.idle) > 0 && (!now.Before(e.idle[0].dies) || len(e.idle) >= e.config.MaxTokens) {
		e.dropRefresh(e.idle[0])
	}
	e.refresh[token.value] = token
	heap.Push(&e.idle, token)
	e.changed()
}

func (e *engine) dropRefresh(token *refreshToken) {
	heap.Remove(&e.idle, token.position)
	delete(e.refresh, token.value)
}

// touch notes that a refresh token was used, or was spent by its first use.
func (e *engine) touch(token *refreshToken, rotate bool) {
	now := e.now()
	token.lastUsed = now
	switch {
	case !rotate:
		token.dies = now.Add(refreshIdle)
	case token.spent.IsZero():
		token.spent = now
		token.dies = now.Add(e.config.RefreshTokenGrace)
	}
	heap.Fix(&e.idle, token.position)
	e.changed()
}

func (t *accessToken) ends() time.Time  { return t.expires }
func (t *accessToken) place() *int      { return &t.position }
func (t *refreshToken) ends() time.Time { return t.dies }
func (t *refreshToken) place() *int     { return &t.position }

// queue has the token that ends first at its front, and tells each its place. It is
// a [heap.Interface].
type queue[T interface {
	ends() time.Time
	place() *int
}] []T

func (q queue[T]) Len() int           { return len(q) }
func (q queue[T]) Less(i, j int) bool { return q[i].ends().Before(q[j].ends()) }
func (q queue[T]) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	*q[i].place(), *q[j].place() = i, j
}

func (q *queue[T]) Push(added any) {
	token, _ := added.(T)
	*token.place() = len(*q)
	*q = append(*q, token)
}

func (q *queue[T]) Pop() any {
	last := len(*q) - 1
	token := (*q)[last]
	clear((*q)[last:])
	*q = (*q)[:last]
	return token
}
