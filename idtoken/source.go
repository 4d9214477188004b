package idtoken

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	fetchTimeout   = 10 * time.Second
	searchInterval = 10 * time.Second // between searches for newer keys
	minRetryDelay  = time.Second      // after a failed fetch, doubled by each further one
	maxRetryDelay  = time.Minute
)

// source holds the provider's keys and fetches them when that is needed. It is safe
// for concurrent use.
type source struct {
	client           *http.Client
	now              func() time.Time
	issuer           string
	configurationURL string
	allowHTTP        bool     // also off the loopback hosts
	allowed          []string // names of the algorithms that the verifier allows

	known atomic.Pointer[keySet] // the last good keys; nil before the first fetch

	mu       sync.Mutex // guards the fields below
	flight   *flight    // the fetch under way, if any
	failures int        // failed fetches since the last good one
	failure  error      // the last of them
	retryAt  time.Time  // no fetch before this, because of failures
	// No search before these. Tokens with the nonce of their login, which a forger does
	// not know, have a budget that others cannot use up.
	searchAt, searchWithNonceAt time.Time
}

// keySet is what one fetch learned. It is never changed.
type keySet struct {
	configuration *configuration
	keys          []publicKey
	lifetime      lifetime
}

// flight is one fetch that any number of callers wait for.
type flight struct {
	done chan struct{} // closed at the end
	err  error         // to be read after that
}

// newSource expects a configuration that is complete.
func newSource(config Config, algorithms []algorithm) *source {
	s := &source{
		client:           boundedClient(config.HTTPClient),
		now:              config.Now,
		issuer:           config.Issuer,
		configurationURL: config.ConfigurationURL,
		allowHTTP:        config.UnsafeAllowHTTP,
	}
	for _, a := range algorithms {
		s.allowed = append(s.allowed, a.name)
	}
	return s
}

// pinned has the caller's keys for ever.
func pinned(options Options, now func() time.Time) (*source, error) {
	keys, err := parseGivenKeys(options.JWKS)
	if err != nil {
		return nil, fmt.Errorf("JWKS: %w", err)
	}
	algorithms := slices.Clone(options.Algorithms)
	if len(algorithms) == 0 {
		algorithms = []string{"RS512"}
	}
	s := &source{now: now}
	s.known.Store(&keySet{configuration: &configuration{algorithms: algorithms}, keys: keys})
	return s, nil
}

// current returns keys that are fresh or, when the provider cannot be reached, the last
// good ones for as long as they may be used. Only the first caller to find the provider
// out of reach waits for that to show.
func (s *source) current(ctx context.Context) (*keySet, error) {
	now := s.now()
	if known := s.known.Load(); known != nil && known.lifetime.fresh(now) {
		return known, nil
	}
	s.mu.Lock()
	known := s.known.Load()
	if known != nil && known.lifetime.fresh(now) {
		s.mu.Unlock()
		return known, nil
	}
	usable := known != nil && known.lifetime.usable(now)
	outage := s.failures > 0
	if s.flight == nil && now.Before(s.retryAt) {
		defer s.mu.Unlock()
		if usable {
			return known, nil
		}
		return nil, fmt.Errorf("%w; the next attempt is made after %s", s.failure, timestamp(s.retryAt))
	}
	under := s.startLocked(ctx, false)
	s.mu.Unlock()
	if usable && outage {
		return known, nil
	}
	if err := under.wait(ctx); err != nil {
		if usable && ctx.Err() == nil {
			return known, nil
		}
		return nil, err
	}
	return s.known.Load(), nil
}

// newer returns keys other than those tried, for a token that none of those fits; nil
// means that there are no others now. It fetches at most once in a searchInterval for
// tokens with a nonce that was expected, and once for all others.
func (s *source) newer(ctx context.Context, tried *keySet, withNonce bool) (*keySet, error) {
	if tried.lifetime.forever() {
		return nil, nil //nolint:nilnil // There is no newer set and nothing went wrong.
	}
	now := s.now()
	s.mu.Lock()
	if known := s.known.Load(); known != tried {
		s.mu.Unlock()
		return known, nil
	}
	under := s.flight
	if under == nil {
		next := &s.searchAt
		if withNonce {
			next = &s.searchWithNonceAt
		}
		if now.Before(*next) {
			s.mu.Unlock()
			return nil, nil //nolint:nilnil // There is no newer set and nothing went wrong.
		}
		*next = now.Add(searchInterval)
		under = s.startLocked(ctx, true)
	}
	s.mu.Unlock()
	if err := under.wait(ctx); err != nil {
		return nil, err
	}
	return s.known.Load(), nil
}

// startLocked joins the fetch under way or begins one. The fetch does not end with
// the caller's context, since others may wait for it, but within the time limit.
func (s *source) startLocked(ctx context.Context, search bool) *flight {
	if s.flight != nil {
		return s.flight
	}
	begun := &flight{done: make(chan struct{})}
	s.flight = begun
	detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
	go func() {
		defer cancel()
		fetched, err := s.fetch(detached, s.known.Load(), search)
		s.land(begun, fetched, err)
	}()
	return begun
}

// land records the result of a fetch and lets the waiting callers go on.
func (s *source) land(begun *flight, fetched *keySet, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flight = nil
	if err != nil {
		begun.err = fmt.Errorf("%w: %w", ErrUnavailable, err)
		s.failure = begun.err
		s.retryAt = s.now().Add(min(minRetryDelay<<min(s.failures, 10), maxRetryDelay))
		s.failures++
	} else {
		s.known.Store(fetched)
		s.failures, s.failure, s.retryAt = 0, nil, time.Time{}
	}
	close(begun.done)
}

func (f *flight) wait(ctx context.Context) error {
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		if cause := context.Cause(ctx); !errors.Is(cause, ctx.Err()) {
			return fmt.Errorf("waiting for signing keys: %w: %w", ctx.Err(), cause)
		}
		return fmt.Errorf("waiting for signing keys: %w", ctx.Err())
	}
}

// verify tries the keys that fit the token in turn. A key without an ID fits any
// token, and a token without one any key: Globus Auth uses none.
func (k *keySet) verify(token *compactToken) error {
	chosen := token.algorithm
	if !slices.Contains(k.configuration.algorithms, chosen.name) {
		return refuse("alg", "the token is signed with %s and the provider signs with %s",
			chosen.name, quote(strings.Join(k.configuration.algorithms, " ")))
	}
	tried := 0
	for _, key := range k.keys {
		if !key.fits(chosen) || (key.id != "" && token.header.KeyID != "" && key.id != token.header.KeyID) {
			continue
		}
		tried++
		if chosen.verifier.Verify(token.signed, token.signature, key.raw) == nil {
			return nil
		}
	}
	if tried == 0 {
		return refuse("key", "none of the provider's %d keys fits algorithm %s and key ID %s",
			len(k.keys), chosen.name, quote(token.header.KeyID))
	}
	return refuse("signature", "it is not by any of the %d keys that fit; the token was changed or comes from elsewhere", tried)
}
