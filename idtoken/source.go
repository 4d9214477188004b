package idtoken

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	fetchTimeout   = 10 * time.Second
	searchInterval = 10 * time.Second // between two searches for newer keys
	minRetryDelay  = time.Second      // after a failed fetch, doubled by each further one
	maxRetryDelay  = time.Minute
	staleIfError   = 24 * time.Hour // how much longer keys are used while fetching fails
)

// The reasons to fetch. A search is for a token that no known key verifies. Tokens with
// the nonce of their login, which a forger does not know, have searches of their own,
// which other tokens cannot use up.
const (
	refresh = iota
	search
	searchWithNonce
)

// source holds the provider's keys and fetches them when that is needed. It is safe
// for concurrent use.
type source struct {
	config  Config                // complete
	trusted []string              // where keys may be: the origins of issuer and configuration
	allowed map[string]*algorithm // those that the verifier allows

	known   atomic.Pointer[keySet] // the last good keys; nil before the first fetch
	outage  atomic.Pointer[outage] // nil while the last fetch has not failed
	flights singleflight.Group     // by the reason
	// turn is held while fetching, so that an older response never replaces newer keys.
	turn     chan struct{}
	searchAt [searchWithNonce + 1]time.Time // whose turn it is may change it
}

// keySet is what one fetch learned. It is never changed.
type keySet struct {
	configuration configuration
	keys          []publicKey
	freshUntil    time.Time // zero for pinned keys
}

func (k *keySet) fresh(now time.Time) bool {
	return k != nil && (k.freshUntil.IsZero() || now.Before(k.freshUntil))
}

// outage is what failed fetches leave behind.
type outage struct {
	failures int
	err      error     // the last of them
	retryAt  time.Time // no refresh before this
}

// current returns keys that are fresh or, while the provider cannot be reached, the last
// good ones for as long as they may be used. Only the first caller of an outage waits for
// the failure.
func (s *source) current(ctx context.Context) (*keySet, error) {
	now, known := s.config.Now(), s.known.Load()
	if known.fresh(now) {
		return known, nil
	}
	usable := known != nil && now.Before(known.freshUntil.Add(staleIfError))
	var failure error
	if down := s.outage.Load(); down != nil && now.Before(down.retryAt) {
		failure = fmt.Errorf("%w; the next attempt is made after %s", down.err, timestamp(down.retryAt))
	} else if landed := s.fetchOnce(ctx, refresh); down == nil || !usable {
		var fetched *keySet
		if fetched, failure = wait(ctx, landed); failure == nil {
			return fetched, nil
		}
	}
	if usable && ctx.Err() == nil {
		return known, nil
	}
	return nil, cmp.Or(failure, ctx.Err())
}

// newer returns the keys known now, for a token that those tried do not verify. It fetches
// at most once in a searchInterval for each reason.
func (s *source) newer(ctx context.Context, tried *keySet, reason int) (*keySet, error) {
	if tried.freshUntil.IsZero() {
		return tried, nil
	}
	return wait(ctx, s.fetchOnce(ctx, reason))
}

// fetchOnce joins the fetch in flight or begins one, if one is due. The fetch does not end with the caller's context, since others may wait for
// it, but within the time limit.
func (s *source) fetchOnce(ctx context.Context, reason int) <-chan singleflight.Result {
	return s.flights.DoChan(strconv.Itoa(reason), func() (any, error) {
		s.turn <- struct{}{}
		defer func() { <-s.turn }()
		now, known := s.config.Now(), s.known.Load()
		if reason == refresh && known.fresh(now) || now.Before(s.searchAt[reason]) {
			return known, nil
		}
		if reason != refresh {
			s.searchAt[reason] = now.Add(searchInterval)
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
		defer cancel()
		fetched, err := s.fetch(ctx, known, reason != refresh)
		if err != nil {
			down := &outage{err: fmt.Errorf("%w: %w", ErrUnavailable, err)}
			if last := s.outage.Load(); last != nil {
				down.failures = last.failures + 1
			}
			down.retryAt = s.config.Now().Add(min(minRetryDelay<<min(down.failures, 10), maxRetryDelay))
			s.outage.Store(down)
			return nil, down.err
		}
		s.known.Store(fetched)
		s.outage.Store(nil)
		return fetched, nil
	})
}

func wait(ctx context.Context, landed <-chan singleflight.Result) (*keySet, error) {
	select {
	case result := <-landed:
		keys, _ := result.Val.(*keySet)
		return keys, result.Err
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for signing keys: %w", ctx.Err())
	}
}
