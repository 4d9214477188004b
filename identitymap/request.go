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
		m.calls[p.key.text] = c
		b.calls = append(b.calls, c)
	}
	return b
}

// run sends a batch and hands out its answers.
func (m *Map) run(ctx context.Context, b *batch) {
	defer close(b.ended)
	defer b.cancel()
	entries, errs := m.askApart(ctx, b)
	m.cache.learn(b, entries)
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.running, b)
	var again []*call
	for i, c := range b.calls {
		switch err := errs[i]; {
		case err == nil:
			m.answer(c, entries[i], nil)
			m.unnote(entries[i])
		case len(c.waiting) > 0 && c.refusals < maxRefusals && comesAgain(err):
			c.refusals++
			c.batch = nil
			again = append(again, c)
		default:
			m.detach(c)
			m.answer(c, nil, err)
		}
	}
	if len(again) > 0 {
		m.queue[b.kind].unshift(again)
	}
	m.adapt(errs)
	m.pump() //nolint:contextcheck // a request carries the values of the oldest call that it is about
}

// comesAgain says whether the service refused a request only for now, and for
// no longer than is waited for.
func comesAgain(err error) bool {
	refusal, ok := errors.AsType[*apierror.Error](err)
	return ok && errors.Is(err, apierror.ErrRateLimited) && refusal.RetryAfter > 0 && refusal.RetryAfter <= maxPause
}

// adapt tells the throttle how a batch went.
func (m *Map) adapt(errs []error) {
	failed := false
	for _, err := range errs {
		if refusal, ok := errors.AsType[*apierror.Error](err); ok && errors.Is(err, apierror.ErrRateLimited) {
			m.throttle.refused(time.Now(), refusal.RetryAfter, err)
			return
		}
		failed = failed || err != nil
	}
	if !failed {
		m.throttle.succeeded()
	}
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

// paused is called when the client is about to repeat a request after a pause.
func (m *Map) paused(status int, pause time.Duration) {
	if status != http.StatusTooManyRequests {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.throttle.refused(time.Now(), pause, nil)
}

// maxApart is how many requests more a batch may take when the service refuses
// it whole: enough to find one key among a hundred.
const maxApart = 16

// askApart asks for a batch and returns an entry or an error for each call. A
// batch that the service calls malformed is asked for in halves, so that a key
// that it does not like costs itself its answer and not all the others.
func (m *Map) askApart(ctx context.Context, b *batch) ([]*entry, []error) {
	entries, errs := make([]*entry, len(b.calls)), make([]error, len(b.calls))
	more := maxApart
	var ask func(from, to int)
	ask = func(from, to int) {
		got, err := m.ask(ctx, b.kind, b.calls[from:to])
		switch {
		case err == nil:
			copy(entries[from:], got)
		case to-from > 1 && more >= 2 && malformed(err):
			more -= 2
			middle := (from + to) / 2
			ask(from, middle)
			ask(middle, to)
		default:
			for i := from; i < to; i++ {
				errs[i] = err
			}
		}
	}
	ask(0, len(b.calls))
	return entries, errs
}

// malformed says whether the service took exception to what it was sent.
func malformed(err error) bool {
	refusal, ok := errors.AsType[*apierror.Error](err)
	return ok && (refusal.StatusCode == http.StatusBadRequest || refusal.StatusCode == http.StatusRequestURITooLong)
}

// ask sends one request and returns what it says about each call.
func (m *Map) ask(ctx context.Context, k kind, calls []*call) ([]*entry, error) {
	m.requests.Add(1)
	keys := make([]string, len(calls))
	for i, c := range calls {
		keys[i] = c.key.text
	}
	var params gen.GetIdentitiesParams
	if k == username {
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
	return m.match(k, calls, list)
}

// match finds the record of each call.
func (m *Map) match(k kind, calls []*call, list *gen.IdentityList) ([]*entry, error) {
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
		if k == username {
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
	entries := make([]*entry, len(calls))
	for i, c := range calls {
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
