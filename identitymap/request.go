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
	for {
		oldest := m.oldest()
		if oldest == nil || !m.open() || len(m.running) >= m.throttle.limit {
			return
		}
		b := m.gather(oldest.key.kind)
		if len(b.calls) == 0 {
			continue
		}
		// The request is everybody's: it carries the values of one caller's
		// context, and ends when nobody waits any more.
		ctx, cancel := context.WithCancel(context.WithoutCancel(b.calls[0].ctx))
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
// were added. Those that became known while they waited get their answer.
func (m *Map) gather(k kind) *batch {
	b := &batch{kind: k, ended: make(chan struct{})}
	space := newRoom(m.batchSize)
	q := &m.queue[k]
	for c := q.front(); c != nil; c = q.front() {
		if e := m.cache.quietly(c.key.text); e != nil && e.answers(m, c.key.text) {
			q.pop()
			m.shared.Add(1)
			m.answer(c, e, nil)
			continue
		}
		if !space.take(c.key) {
			break
		}
		q.pop()
		if !c.asked {
			c.asked = true
			m.misses.Add(1)
		}
		c.batch = b
		b.calls = append(b.calls, c)
		b.waiting += c.live
	}
	if len(b.calls) == 0 {
		return b
	}
	for _, p := range m.pending[k].take(space.take) {
		if !m.knows(p.key) {
			c := &call{key: p.key, added: p.text, batch: b}
			m.calls[p.key.text] = c
			b.calls = append(b.calls, c)
		}
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
		case c.live > 0 && c.comesAgain(err):
			if c := m.again(c); c != nil {
				again = append(again, c)
			}
		default:
			m.detach(c)
			m.answer(c, nil, err)
		}
	}
	// Until here somebody could have joined one of its calls.
	m.cache.end(b)
	if len(again) > 0 {
		m.queue[b.kind].unshift(again)
	}
	m.adapt(errs)
	m.pump() //nolint:contextcheck // a request carries the values of the oldest call that it is about
}

// errHeldBack is why a part of a batch was not sent: the service wants a pause.
var errHeldBack = errors.New("held back")

// comesAgain says whether a call failed only for now. If the service wants a
// pause that is too long, it fails when it is about to be sent.
func (c *call) comesAgain(err error) bool {
	if errors.Is(err, errHeldBack) {
		return true
	}
	refusal, ok := errors.AsType[*apierror.Error](err)
	if !ok || !errors.Is(err, apierror.ErrRateLimited) || refusal.RetryAfter <= 0 || c.refusals == maxRefusals {
		return false
	}
	c.refusals++
	return true
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

// splitCredit is how many more of a batch's requests may be refused than
// answered. A bad key among a hundred takes seven; a service that refuses
// everything is left alone soon.
const splitCredit = 12

// askApart asks for a batch and returns an entry or an error for each call. A
// batch that the service calls malformed is asked for in halves, so that a key
// that it does not like costs itself its answer and not all the others.
func (m *Map) askApart(ctx context.Context, b *batch) ([]*entry, []error) {
	entries, errs := make([]*entry, len(b.calls)), make([]error, len(b.calls))
	credit := splitCredit
	var held error // why nothing more is sent
	var ask func(from, to int)
	ask = func(from, to int) {
		err := held
		if err == nil {
			var got []*entry
			got, err = m.ask(ctx, b.kind, b.calls[from:to])
			copy(entries[from:], got)
		}
		switch {
		case err == nil:
			credit++
			return
		case errors.Is(err, apierror.ErrRateLimited):
			held = err
		case to-from > 1 && credit > 0 && malformed(err):
			credit--
			middle := (from + to) / 2
			for _, half := range [][2]int{{from, middle}, {middle, to}} {
				if held == nil && m.isClosed() {
					held = errHeldBack
				}
				ask(half[0], half[1])
			}
			return
		}
		for i := from; i < to; i++ {
			if entries[i] == nil {
				errs[i] = err
			}
		}
	}
	ask(0, len(b.calls))
	return entries, errs
}

// isClosed says whether the service wants a pause.
func (m *Map) isClosed() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.throttle.closed(time.Now()) > 0
}

// malformed says whether the service took exception to what it was sent.
func malformed(err error) bool {
	refusal, ok := errors.AsType[*apierror.Error](err)
	return ok && (refusal.StatusCode == http.StatusBadRequest || refusal.StatusCode == http.StatusRequestURITooLong)
}

// ask sends one request and returns what it says about each call. An error is
// about those for which it returns nil.
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
	var err error
	for i, c := range calls {
		who := found[c.key.text]
		switch {
		case who != nil:
			entries[i] = &entry{identity: *who, provider: providers[who.IdentityProvider], withProvider: m.providers}
		case nameless == 0:
			entries[i] = &entry{missing: true, provisioned: m.provision}
		case err == nil:
			// It may be one of those; which, cannot be told.
			err = fmt.Errorf("%d of %d identities came without their ID or username, so that it cannot be told who they are; a token with the scope view_identities sees them", nameless, len(list.Identities))
		}
	}
	return entries, err
}
