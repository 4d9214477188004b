package identitymap_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/identitymap"
)

// limited accepts a number of requests per second and rejects the others
// with 429.
type limited struct {
	perSecond  int
	retryAfter string

	mu      sync.Mutex
	second  int64
	served  int
	refused int
}

func (l *limited) fault(context.Context, int, request) *http.Response {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now().Unix(); now != l.second {
		l.second, l.served = now, 0
	}
	if l.served++; l.served <= l.perSecond {
		return nil
	}
	l.refused++
	return refuse(http.StatusTooManyRequests, "RATE_LIMITED", "Retry-After", l.retryAfter)
}

// TestMapGetMany_RateLimit resolves 6,000 keys where two requests a second are served:
// every key has a result, and few requests are refused.
func TestMapGetMany_RateLimit(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		retries int
		refused int
	}{
		{"the client waits", 0, 120},
		{"the map waits", -1, 120},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newService(crowd(6000)...)
				s.latency = 10 * time.Millisecond
				limit := &limited{perSecond: 2, retryAfter: "1"}
				s.fault = limit.fault
				m := s.newMap(t, identitymap.Config{Client: s.clientWith(t, test.retries)})
				start := time.Now()
				results, err := m.GetMany(t.Context(), names(6000))
				if err != nil {
					t.Fatal(err)
				}
				for key, r := range results {
					if r.Identity.Username != key {
						t.Fatalf("%q: %+v", key, r)
					}
				}
				took := time.Since(start)
				t.Logf("%v, %d requests refused", took, limit.refused)
				if took > 40*time.Second {
					t.Errorf("took %v where 30 s are needed", took)
				}
				if limit.refused > test.refused {
					t.Errorf("%d requests were refused", limit.refused)
				}
			})
		})
	}
}

// Nothing is sent before the time that the service names.
func TestMapGetMany_WaitsForRetryAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(crowd(300)...)
		start := time.Now()
		var sent []time.Duration
		s.fault = func(context.Context, int, request) *http.Response {
			sent = append(sent, time.Since(start))
			if len(sent) == 1 {
				return refuse(http.StatusTooManyRequests, "RATE_LIMITED", "Retry-After", "45")
			}
			return nil
		}
		// The client's own policy waits for 10 s at most.
		m := s.newMap(t, identitymap.Config{Client: s.clientWith(t, 0), Concurrency: 1})
		m.Add(id(299))
		if _, err := m.GetMany(t.Context(), names(300)); err != nil {
			t.Error(err)
		}
		if want := []time.Duration{0, 45 * time.Second, 45 * time.Second, 45 * time.Second}; !slices.Equal(sent, want) {
			t.Errorf("requests after %v, want %v", sent, want)
		}
		if got := m.Added(); len(got) != 0 {
			t.Errorf("pending %q", got)
		}
	})
}

// A caller whose deadline is too early returns.
func TestMapGet_ContextEndsDuringRetryAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(crowd(3)...)
		s.fault = func(_ context.Context, number int, _ request) *http.Response {
			if number == 1 {
				return refuse(http.StatusTooManyRequests, "RATE_LIMITED", "Retry-After", "30")
			}
			return nil
		}
		m := s.newMap(t, identitymap.Config{})
		m.Add(name(1))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := m.Get(ctx, name(0)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if got := m.Added(); !slices.Equal(got, []string{name(1)}) {
			t.Errorf("pending %q", got)
		}
		time.Sleep(time.Minute) // virtual
		if n := len(s.log()); n != 1 {
			t.Errorf("%d requests, although no caller waits", n)
		}
		if who, err := m.Get(t.Context(), name(1)); err != nil || who.ID != id(1) {
			t.Errorf("%+v, %v", who, err)
		}
	})
}

// A wait of hours is an error at once, for all keys, and
// nothing more is sent until it is over.
func TestMapGetMany_RetryAfterTooLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(crowd(1000)...)
		s.fault = func(_ context.Context, number int, _ request) *http.Response {
			if number == 3 {
				return refuse(http.StatusTooManyRequests, "RATE_LIMITED", "Retry-After", "7200")
			}
			return nil
		}
		m := s.newMap(t, identitymap.Config{Concurrency: 1})
		start := time.Now()
		results, err := m.GetMany(t.Context(), names(1000))
		if !errors.Is(err, apierror.ErrRateLimited) || !strings.Contains(err.Error(), "no response for 800 of 1000 keys") {
			t.Errorf("error %v", err)
		}
		for n := range 1000 {
			if r := results[name(n)]; n < 200 && r.Identity.ID != id(n) || n >= 200 && !errors.Is(r.Err, apierror.ErrRateLimited) {
				t.Errorf("%d: %+v", n, r)
			}
		}
		if took := time.Since(start); took != 0 || len(s.log()) != 3 {
			t.Errorf("%d requests in %v", len(s.log()), took)
		}
		if _, err := m.Get(t.Context(), name(999)); !errors.Is(err, apierror.ErrRateLimited) || len(s.log()) != 3 {
			t.Errorf("%v, %d requests", err, len(s.log()))
		}
		time.Sleep(2 * time.Hour) // virtual
		if _, err := m.GetMany(t.Context(), names(1000)); err != nil || len(s.log()) != 13 {
			t.Errorf("%v, %d requests", err, len(s.log()))
		}
	})
}

// The service says "in a second" forever.
func TestMapGetMany_AlwaysRateLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		limit := &limited{retryAfter: "1"}
		s.fault = limit.fault
		m := s.newMap(t, identitymap.Config{})
		if _, err := m.GetMany(t.Context(), names(500)); !errors.Is(err, apierror.ErrRateLimited) {
			t.Errorf("error %v", err)
		}
		if n := len(s.log()); n != 5*11 {
			t.Errorf("%d requests for 5 batches that are tried 11 times", n)
		}
	})
}

// waves gives all requests that arrive together the same response, and counts them.
type waves struct {
	statuses []int // then 200

	mu    sync.Mutex
	last  time.Time
	sizes []int
}

func (w *waves) fault(context.Context, int, request) *http.Response {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now := time.Now(); now != w.last {
		w.last = now
		w.sizes = append(w.sizes, 0)
	}
	n := len(w.sizes) - 1
	w.sizes[n]++
	if n >= len(w.statuses) || w.statuses[n] == http.StatusOK {
		return nil
	}
	return refuse(w.statuses[n], "REFUSED", "Retry-After", "1")
}

// TestMapGetMany_ConcurrencyAfterRefusals says how many requests are sent together when those before
// were accepted or refused.
func TestMapGetMany_ConcurrencyAfterRefusals(t *testing.T) {
	t.Parallel()
	const ok, limited, broken, busy = http.StatusOK, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable
	for _, test := range []struct {
		name     string
		retry    int // as in the client's policy
		statuses []int
		want     []int
	}{
		{"no trouble", -1, nil, []int{16, 16, 16, 16}},
		// One burst counts once; then one more after every ten successes.
		{"a refused burst", -1, []int{limited}, []int{16, 8, 8, 9, 10, 11, 12, 13, 15, 16, 16, 16}},
		{"two refused bursts", -1, []int{limited, limited}, []int{16, 8, 4, 4, 4, 5, 5, 6}},
		{"many refused bursts", -1, []int{limited, limited, limited, limited, limited, limited}, []int{16, 8, 4, 2, 1, 1, 1, 1}},
		{"successes before a refusal", -1, []int{limited, ok, limited}, []int{16, 8, 8, 4, 4, 4, 5, 5}},
		{"failures are no successes", -1, []int{limited, broken, broken, broken}, []int{16, 8, 8, 8, 8, 8, 9, 10}},
		// The map handles a 429 itself, whatever the client's policy.
		{"a refused burst, and a client that retries", 5, []int{limited}, []int{16, 8, 8, 9, 10, 11, 12, 13, 15, 16, 16, 16}},
		{"the client waits for a busy service", 5, []int{busy}, []int{16, 16, 16, 16}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newService(crowd(300)...)
				s.latency = time.Second
				w := &waves{statuses: test.statuses}
				s.fault = w.fault
				m := s.newMap(t, identitymap.Config{BatchSize: 1, Client: s.clientWith(t, test.retry)})
				_, err := m.GetMany(t.Context(), names(300))
				if failed := slices.Contains(test.statuses, broken); (err != nil) != failed {
					t.Errorf("error %v", err)
				}
				if got := w.sizes[:len(test.want)]; !slices.Equal(got, test.want) {
					t.Errorf("%v requests at once, want %v", got, test.want)
				}
			})
		})
	}
}

// Of two that the service asks for, the one that ends later
// counts.
func TestMapGetMany_LaterOfTwoRetryAfters(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		first, second string // after one and two seconds
		want          time.Duration
	}{
		{"30", "1", 31 * time.Second},
		{"30", "29", 31 * time.Second},
		{"30", "30", 32 * time.Second},
		{"1", "30", 32 * time.Second},
	} {
		t.Run(test.first+" "+test.second, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newService(crowd(4)...)
				start := time.Now()
				var resumed time.Duration
				s.fault = func(_ context.Context, number int, _ request) *http.Response {
					if number > 2 {
						if resumed == 0 {
							resumed = time.Since(start)
						}
						return nil
					}
					time.Sleep(time.Duration(number) * time.Second) // virtual
					return refuse(http.StatusTooManyRequests, "RATE_LIMITED", "Retry-After", []string{test.first, test.second}[number-1])
				}
				m := s.newMap(t, identitymap.Config{BatchSize: 1, Concurrency: 2})
				var wg sync.WaitGroup
				wg.Go(func() {
					time.Sleep(10 * time.Second) // virtual
					if _, err := m.Get(t.Context(), id(3)); err != nil {
						t.Error(err)
					}
				})
				if _, err := m.GetMany(t.Context(), names(3)); err != nil {
					t.Error(err)
				}
				wg.Wait()
				if resumed != test.want {
					t.Errorf("went on after %v, want %v", resumed, test.want)
				}
			})
		})
	}
}
