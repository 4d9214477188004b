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
	minSearchInterval = time.Minute // between fetches that a token caused which no known key fits
	minRetryDelay     = time.Second // after a failed fetch, doubled by each further one
	maxRetryDelay     = time.Minute
)

// source holds the provider's keys and fetches them when that is needed. It is safe
// for concurrent use.
type source struct {
	client  *http.Client
	now     func() time.Time
	timeout time.Duration
	cache   cachePolicy

	issuer           string
	configurationURL string
	allowHTTP        bool           // also off the loopback hosts
	jwksURL          string         // empty: as the configuration says
	allowed          []string       // names of the algorithms that the verifier allows
	fixed            *configuration // given by hand

	known atomic.Pointer[keySet] // the last good keys; nil before the first fetch

	mu       sync.Mutex // guards the fields below
	flight   *flight    // the fetch under way, if any
	failures int        // failed fetches since the last good one
	failure  error      // the last of them
	retryAt  time.Time  // no fetch before this, because of failures
	searchAt time.Time  // no fetch before this for want of a fitting key
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
func newSource(config Config, algorithms []algorithm) (*source, error) {
	s := &source{
		client:           boundedClient(config.HTTPClient),
		now:              config.Now,
		timeout:          config.FetchTimeout,
		cache:            cachePolicy{config.MinFreshness, config.MaxFreshness, config.StaleIfError},
		issuer:           config.Issuer,
		configurationURL: config.ConfigurationURL,
		allowHTTP:        config.UnsafeAllowHTTP,
		jwksURL:          config.JWKSURL,
	}
	for _, a := range algorithms {
		s.allowed = append(s.allowed, a.name)
	}
	if config.Configuration != nil {
		fixed, err := s.parseConfiguration(config.Configuration, config.JWKS == nil)
		if err != nil {
			return nil, fmt.Errorf("Configuration: %w", err) //nolint:staticcheck // It is the name of a field.
		}
		s.fixed = fixed
	}
	if config.JWKS == nil {
		return s, nil
	}
	keys, err := parseGivenKeys(config.JWKS)
	if err != nil {
		return nil, fmt.Errorf("JWKS: %w", err)
	}
	if s.fixed == nil {
		s.fixed = &configuration{algorithms: s.allowed}
		if len(config.Algorithms) == 0 {
			s.fixed.algorithms = []string{"RS512"}
		}
	}
	s.known.Store(&keySet{configuration: s.fixed, keys: keys})
	return s, nil
}

// current gives keys that are fresh or, when the provider cannot be reached, the last
// good ones for as long as the configuration allows. Only the first caller to find the
// provider out of reach waits for that to show.
func (s *source) current(ctx context.Context) (*keySet, error) {
	if known := s.known.Load(); known != nil && known.lifetime.fresh(s.now()) {
		return known, nil
	}
	now := s.now()
	s.mu.Lock()
	known := s.known.Load()
	if known != nil && known.lifetime.fresh(now) {
		s.mu.Unlock()
		return known, nil
	}
	usable := known != nil && known.lifetime.usable(now)
	outage := s.failures > 0
	if s.flight == nil && now.Before(s.retryAt) {
		failure := s.failure
		s.mu.Unlock()
		if usable {
			return known, nil
		}
		return nil, fmt.Errorf("%w; the next attempt is made after %s", failure, timestamp(s.retryAt))
	}
	under := s.startLocked(ctx)
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

// newer gives keys other than those tried, for a token that none of those fits. It
// fetches at most once a minute; nil means that there are no others now.
func (s *source) newer(ctx context.Context, tried *keySet) (*keySet, error) {
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
		if now.Before(s.searchAt) {
			s.mu.Unlock()
			return nil, nil //nolint:nilnil // There is no newer set and nothing went wrong.
		}
		s.searchAt = now.Add(minSearchInterval)
		under = s.startLocked(ctx)
	}
	s.mu.Unlock()
	if err := under.wait(ctx); err != nil {
		return nil, err
	}
	return s.known.Load(), nil
}

// startLocked joins the fetch under way or begins one. The fetch does not end with
// the caller's context, since others may wait for it, but within the time limit.
func (s *source) startLocked(ctx context.Context) *flight {
	if s.flight != nil {
		return s.flight
	}
	begun := &flight{done: make(chan struct{})}
	s.flight = begun
	detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.timeout)
	go func() {
		defer cancel()
		fetched, err := s.fetch(detached, s.known.Load())
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
		delay := maxRetryDelay
		if s.failures < 6 {
			delay = min(minRetryDelay<<s.failures, maxRetryDelay)
		}
		s.retryAt = s.now().Add(delay)
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
func (k *keySet) verify(chosen *algorithm, token *compactToken, signature []byte) error {
	if !slices.Contains(k.configuration.algorithms, chosen.name) {
		return refuse(errAlgorithm, "the token is signed with %s and the provider signs with %s",
			chosen.name, quote(strings.Join(k.configuration.algorithms, " ")))
	}
	tried := 0
	for _, key := range k.keys {
		if !key.fits(chosen) || (key.id != "" && token.header.KeyID != "" && key.id != token.header.KeyID) {
			continue
		}
		tried++
		if chosen.verifier.Verify(token.signed, signature, key.raw) == nil {
			return nil
		}
	}
	if tried == 0 {
		return refuse(errKey, "none of the provider's %d keys fits algorithm %s and key ID %s",
			len(k.keys), chosen.name, quote(token.header.KeyID))
	}
	return refuse(errSignature, "it is not by any of the %d keys that fit; the token was changed or comes from elsewhere", tried)
}
