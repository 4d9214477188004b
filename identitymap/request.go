package identitymap

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/gen"
)

// pump starts requests while there are keys to ask for and requests to spare.
// The caller holds mu.
func (m *Map) pump() {
	for len(m.running) < m.throttle.limit {
		oldest := m.oldest()
		if oldest == nil || !m.open() {
			return
		}
		b := m.gather(oldest.key.kind)
		// The request is everybody's: it carries the values of one caller's
		// context, and ends when nobody waits any more.
		ctx, cancel := context.WithCancel(context.WithoutCancel(oldest.ctx))
		b.cancel = cancel
		m.running[b] = struct{}{}
		m.cache.begin(b)
		go m.run(ctx, b)
	}
}

// oldest returns the call that has waited longest for a request to take it.
func (m *Map) oldest() *call {
	var oldest *call
	for i := range m.queue {
		if c := m.queue[i].front(); c != nil && (oldest == nil || c.number < oldest.number) {
			oldest = c
		}
	}
	return oldest
}

// open says whether requests may be sent now. If not, it sees to it that what
// is queued goes on when they may, or fails when that is too far away.
func (m *Map) open() bool {
	pause := m.throttle.closed(time.Now())
	switch {
	case pause <= 0:
		return true
	case m.throttle.hopeless(pause):
		for c := m.oldest(); c != nil; c = m.oldest() {
			m.queue[c.key.kind].pop()
			m.answer(c, nil, m.throttle.refusal)
		}
	case m.alarm == nil:
		m.alarm = time.AfterFunc(pause, func() {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.alarm = nil
			m.pump()
		})
	}
	return false
}

// gather makes a batch of the oldest calls of a kind, topped up with keys that
// were added.
func (m *Map) gather(k kind) *batch {
	b := &batch{kind: k, ended: make(chan struct{})}
	space := newRoom(m.batchSize)
	q := &m.queue[k]
	for c := q.front(); c != nil && space.take(c.key); c = q.front() {
		q.pop()
		c.batch = b
		b.calls = append(b.calls, c)
		b.waiting += len(c.waiting)
	}
	for _, p := range m.pending[k].take(space.take) {
		c := &call{key: p.key, added: p.text, batch: b}
		m.calls[p.key] = c
		b.calls = append(b.calls, c)
	}
	return b
}

// run sends a batch and hands out its answers.
func (m *Map) run(ctx context.Context, b *batch) {
	defer close(b.ended)
	defer b.cancel()
	m.requests.Add(1)
	entries, err := m.ask(ctx, b)
	m.cache.learn(b, entries)
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.running, b)
	if err == nil {
		m.throttle.succeeded()
		for i, c := range b.calls {
			m.answer(c, entries[i], nil)
			m.unnote(entries[i])
		}
	} else if !m.refused(b, err) {
		for _, c := range b.calls {
			m.detach(c)
			m.answer(c, nil, err)
		}
	}
	m.pump()
}

// unnote drops added keys that became known under another key.
func (m *Map) unnote(e *entry) {
	for i, text := range [kinds]string{username: e.identity.Username, identityID: e.identity.ID} {
		if len(m.pending[i].noted) == 0 || e.missing {
			continue
		}
		if k := (key{lower(text), kind(i)}); m.pending[i].has(k) && m.knows(k) {
			m.pending[i].drop(k)
		}
	}
}

// refused sends the calls of a batch back into the queue when the service
// asked to come again later, and says whether it did.
func (m *Map) refused(b *batch, err error) bool {
	refusal, ok := errors.AsType[*apierror.Error](err)
	if !ok || !errors.Is(err, apierror.ErrRateLimited) {
		return false
	}
	m.throttle.refused(time.Now(), refusal.RetryAfter, err)
	if refusal.RetryAfter <= 0 || refusal.RetryAfter > maxPause {
		return false
	}
	var again []*call
	for _, c := range b.calls {
		c.refusals++
		switch {
		case len(c.waiting) == 0:
			m.detach(c)
		case c.refusals > maxRefusals:
			m.answer(c, nil, err)
		default:
			c.batch = nil
			again = append(again, c)
		}
	}
	m.queue[b.kind].unshift(again)
	return true
}

// paused is called when the client is about to repeat a request after a pause.
func (m *Map) paused(status int, pause time.Duration) {
	if status != http.StatusTooManyRequests {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.throttle.refused(time.Now(), pause, nil)
}

// ask sends the request of a batch and returns what it says about each call.
func (m *Map) ask(ctx context.Context, b *batch) ([]*entry, error) {
	keys := make([]string, len(b.calls))
	for i, c := range b.calls {
		keys[i] = c.key.text
	}
	var params gen.GetIdentitiesParams
	if b.kind == username {
		params.Usernames, params.Provision = keys, m.provision
	} else {
		params.IDs = keys
	}
	if m.providers {
		params.Include = []gen.IdentityInclude{gen.IdentityIncludeIdentityProvider}
	}
	list, err := m.client.GetIdentities(ctx, &params, globusauth.WithPauseNotice(m.paused))
	if err != nil {
		return nil, err
	}
	return m.match(b, list)
}

// match finds the record of each call.
func (m *Map) match(b *batch, list *gen.IdentityList) ([]*entry, error) {
	if list.Identities == nil {
		// Not an empty list: nobody is missing for want of a member.
		return nil, fmt.Errorf("GetIdentities: %w: it holds no list of identities", globusauth.ErrMalformedResponse)
	}
	providers := make(map[string]*gen.IdentityProvider, len(list.Included.IdentityProviders))
	for i := range list.Included.IdentityProviders {
		p := &list.Included.IdentityProviders[i]
		providers[p.ID] = p
	}
	found := make(map[string]*gen.Identity, len(list.Identities))
	nameless := 0
	for i := range list.Identities {
		who := &list.Identities[i]
		text := who.ID
		if b.kind == username {
			text = who.Username
		}
		if who.ID == "" || text == "" {
			nameless++
			continue
		}
		if text = lower(text); found[text] == nil {
			found[text] = who
		}
	}
	entries := make([]*entry, len(b.calls))
	for i, c := range b.calls {
		who := found[c.key.text]
		switch {
		case who != nil:
			entries[i] = newEntry(*who, providers[who.IdentityProvider], m.providers)
		case nameless > 0:
			// Which of the keys it is about cannot be told.
			return nil, fmt.Errorf("%d of %d identities came without their ID or username, so that it cannot be told who they are; a token with the scope view_identities sees them", nameless, len(list.Identities))
		default:
			entries[i] = &entry{missing: true, provisioned: m.provision}
		}
	}
	return entries, nil
}
