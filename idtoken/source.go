package idtoken

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	fetchTimeout   = 10 * time.Second
	searchInterval = 10 * time.Second // between two searches for newer keys
	minRetryDelay  = time.Second      // after a failed fetch, doubled by each further one
	maxRetryDelay  = time.Minute
)

// The reasons to fetch, each with one fetch at a time. A search is for a token that no
// known key verifies. Tokens with the nonce of their login, which a forger does not know,
// have searches of their own, which other tokens cannot use up.
const (
	refresh = iota
	search
	searchWithNonce
)

// source holds the provider's keys and fetches them when that is needed. It is safe
// for concurrent use.
type source struct {
	config  Config                // complete
	allowed map[string]*algorithm // those that the verifier allows

	known   atomic.Pointer[keySet] // the last good keys; nil before the first fetch
	flights singleflight.Group     // by the reason

	mu       sync.Mutex // guards the fields below
	fetches  int        // begun so far
	failures int        // failed fetches since the last good one
	failure  error      // the last of them
	retryAt  time.Time  // no refresh before this, because of failures
	searchAt [searchWithNonce + 1]time.Time
}

// keySet is what one fetch learned. It is never changed.
type keySet struct {
	fetch         int // its number, in the order in which they began
	configuration configuration
	keys          []publicKey
	lifetime      lifetime
}

// current returns keys that are fresh or, while the provider cannot be reached, the last
// good ones for as long as they may be used. Only the first caller of an outage waits for
// the failure.
func (s *source) current(ctx context.Context) (*keySet, error) {
	now, known := s.config.Now(), s.known.Load()
	if known != nil && known.lifetime.fresh(now) {
		return known, nil
	}
	usable := known != nil && known.lifetime.usable(now)
	s.mu.Lock()
	failure, retryAt := s.failure, s.retryAt
	s.mu.Unlock()
	if now.Before(retryAt) {
		failure = fmt.Errorf("%w; the next attempt is made after %s", failure, timestamp(retryAt))
	} else if landed := s.fetchOnce(ctx, known, refresh); failure == nil || !usable {
		var fetched *keySet
		if fetched, failure = wait(ctx, landed); failure == nil {
			return fetched, nil
		}
	}
	if usable && ctx.Err() == nil {
		return known, nil
	}
	return nil, failure
}

// newer returns keys other than those tried, for a token that these do not verify; nil
// means that there are no others now. It fetches at most once in a searchInterval for
// each reason.
func (s *source) newer(ctx context.Context, tried *keySet, reason int) (*keySet, error) {
	known := s.known.Load()
	if !tried.lifetime.forever() && known == tried {
		var err error
		if known, err = wait(ctx, s.fetchOnce(ctx, tried, reason)); err != nil {
			return nil, err
		}
	}
	if known == tried {
		return nil, nil //nolint:nilnil // There is no newer set and nothing went wrong.
	}
	return known, nil
}

// fetchOnce joins the fetch in flight or begins one, unless the keys have changed
// meanwhile. The fetch does not end with the caller's context, since others may wait for
// it, but within the time limit.
func (s *source) fetchOnce(ctx context.Context, before *keySet, reason int) <-chan singleflight.Result {
	return s.flights.DoChan(strconv.Itoa(reason), func() (any, error) {
		number, ok := s.begin(before, reason)
		if !ok {
			return s.known.Load(), nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
		defer cancel()
		fetched, err := s.fetch(ctx, before, reason != refresh)
		return s.land(number, fetched, err)
	})
}

// begin numbers a fetch, if one is due.
func (s *source) begin(before *keySet, reason int) (number int, ok bool) {
	now := s.config.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known.Load() != before {
		return 0, false
	}
	if reason != refresh {
		if now.Before(s.searchAt[reason]) {
			return 0, false
		}
		s.searchAt[reason] = now.Add(searchInterval)
	}
	s.fetches++
	return s.fetches, true
}

// land records the result of a fetch and returns the keys known now: those of the fetch
// that began last, which an older response never replaces.
func (s *source) land(number int, fetched *keySet, err error) (*keySet, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.failure = fmt.Errorf("%w: %w", ErrUnavailable, err)
		s.retryAt = s.config.Now().Add(min(minRetryDelay<<min(s.failures, 10), maxRetryDelay))
		s.failures++
		return nil, s.failure
	}
	fetched.fetch = number
	if known := s.known.Load(); known != nil && known.fetch > number {
		return known, nil
	}
	s.known.Store(fetched)
	s.failures, s.failure, s.retryAt = 0, nil, time.Time{}
	return fetched, nil
}

func wait(ctx context.Context, landed <-chan singleflight.Result) (*keySet, error) {
	select {
	case result := <-landed:
		keys, _ := result.Val.(*keySet)
		return keys, result.Err
	case <-ctx.Done():
		if cause := context.Cause(ctx); !errors.Is(cause, ctx.Err()) {
			return nil, fmt.Errorf("waiting for signing keys: %w: %w", ctx.Err(), cause)
		}
		return nil, fmt.Errorf("waiting for signing keys: %w", ctx.Err())
	}
}

// verify tries the keys that fit the token in turn. A key without an ID fits any
// token, and a token without an ID any key: Globus Auth uses no key IDs.
func (k *keySet) verify(token *compactToken) error {
	chosen, id := token.algorithm, token.header.KeyID
	if announced := k.configuration.algorithms; announced != nil && !slices.Contains(announced, chosen.name.String()) {
		return refuse("alg", "the token is signed with %s and the provider signs with %s",
			chosen.name, quote(strings.Join(announced, " ")))
	}
	tried := 0
	for _, key := range k.keys {
		if !slices.Contains(key.algorithms, chosen.name) || (key.id != "" && id != "" && key.id != id) {
			continue
		}
		tried++
		if chosen.verifier.Verify(token.signed, token.signature, key.raw) == nil {
			return nil
		}
	}
	if tried == 0 {
		return refuse("signature", "no key of the provider's %d fits algorithm %s and key ID %s", len(k.keys), chosen.name, quote(id))
	}
	return refuse("signature", "no key of the provider verifies the signature (%d tried); the token was changed or is from another issuer", tried)
}
