package identitymap_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
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

// checkRequests checks what holds of every request.
func checkRequests(t *testing.T, s *service, most int) {
	t.Helper()
	for i, r := range s.log() {
		if len(r.keys) == 0 || len(r.keys) > most {
			t.Errorf("request %d has %d keys, at most %d may be", i, len(r.keys), most)
		}
		if r.kind != "ids" && r.kind != "usernames" {
			t.Errorf("request %d has %q", i, r.kind)
		}
		for _, k := range r.keys {
			if strings.Contains(k, "@") == (r.kind == "ids") {
				t.Errorf("request %d: %q among the %s", i, k, r.kind)
			}
		}
		if (r.kind == "usernames") != (r.provision != "") {
			t.Errorf("request %d: %s with provision=%s", i, r.kind, r.provision)
		}
		if r.urlLength > 6300 {
			t.Errorf("request %d: the URL has %d bytes", i, r.urlLength)
		}
	}
}

func TestMapGetMany_BatchSizes(t *testing.T) {
	t.Parallel()
	long := make([]string, 100)
	for i := range long {
		long[i] = fmt.Sprintf("%s%d@example.edu", strings.Repeat("é", 100), i)
	}
	both := names(250)
	for i := range 250 {
		both = append(both, id(10_000+i))
	}
	rand.Shuffle(len(both), func(i, j int) { both[i], both[j] = both[j], both[i] })
	for _, test := range []struct {
		name     string
		keys     []string
		size     int
		requests int
	}{
		{"full", names(1000), 0, 10},
		{"with a rest", names(1001), 0, 11},
		{"mixed", both, 0, 6},
		{"small", names(100), 7, 15},
		{"long names", long, 0, 12},
		{"one by one", names(20), 1, 20},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newService()
			m := s.newMap(t, identitymap.Config{BatchSize: test.size})
			if _, err := m.GetMany(t.Context(), test.keys); err != nil {
				t.Fatal(err)
			}
			most := test.size
			if most == 0 {
				most = 100
			}
			checkRequests(t, s, most)
			if n := len(s.log()); n != test.requests {
				t.Errorf("%d requests, want %d", n, test.requests)
			}
			for _, k := range test.keys {
				if s.asked[k] != 1 {
					t.Errorf("%q was asked for %d times", k, s.asked[k])
				}
			}
		})
	}
}

// TestMapGetMany_Concurrency takes 40 requests of one second.
func TestMapGetMany_Concurrency(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		concurrency int
		want        time.Duration
	}{{0, 3 * time.Second}, {1, 40 * time.Second}, {8, 5 * time.Second}, {32, 2 * time.Second}, {100, time.Second}} {
		t.Run(fmt.Sprint(test.concurrency), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newService()
				s.latency = time.Second
				m := s.newMap(t, identitymap.Config{Concurrency: test.concurrency})
				start := time.Now()
				if _, err := m.GetMany(t.Context(), names(4000)); err != nil {
					t.Error(err)
				}
				if took := time.Since(start); took != test.want || len(s.log()) != 40 {
					t.Errorf("%d requests in %v, want 40 in %v", len(s.log()), took, test.want)
				}
				if most := test.concurrency; most > 0 && s.busiest > most {
					t.Errorf("%d requests at once", s.busiest)
				}
			})
		})
	}
}

// Keys of both kinds that fill no request are sent together.
func TestMapGetMany_BothKindsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(crowd(20)...)
		s.latency = time.Second
		start := time.Now()
		if _, err := s.newMap(t, identitymap.Config{}).GetMany(t.Context(), []string{name(0), id(1), name(2), id(3)}); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took != time.Second || len(s.log()) != 2 {
			t.Errorf("%d requests in %v", len(s.log()), took)
		}
	})
}

// TestMap_OverlappingCallersRequestNoKeyTwice has 1,000 goroutines ask for overlapping pieces of 1,000 keys.
func TestMap_OverlappingCallersRequestNoKeyTwice(t *testing.T) {
	t.Parallel()
	people := crowd(1000)
	s := newService(people...)
	m := s.newMap(t, identitymap.Config{})
	var wg sync.WaitGroup
	for g := range 1000 {
		wg.Go(func() {
			n := g
			who, err := m.Get(t.Context(), strings.ToUpper(name(n)))
			if err != nil || who.ID != id(n) {
				t.Errorf("%+v, %v", who, err)
			}
			keys := make([]string, 0, 20)
			for i := range 20 {
				keys = append(keys, name((g*7+i*13)%1000))
			}
			results, err := m.GetMany(t.Context(), keys)
			if err != nil || len(results) != len(keys) {
				t.Errorf("%d results, %v", len(results), err)
			}
			for key, r := range results {
				if r.Identity.Username != key {
					t.Errorf("%q: %+v", key, r)
				}
			}
		})
	}
	wg.Wait()
	for key, n := range s.asked {
		if n != 1 {
			t.Errorf("%q was asked for %d times", key, n)
		}
	}
	if len(s.asked) != 1000 {
		t.Errorf("%d keys were asked for", len(s.asked))
	}
}

// Keys that come while all requests are out travel
// together.
func TestMapGet_GatheredWhileBusy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(crowd(150)...)
		s.latency = time.Second
		m := s.newMap(t, identitymap.Config{Concurrency: 1})
		var wg sync.WaitGroup
		for n := range 150 {
			wg.Go(func() {
				if who, err := m.Get(t.Context(), name(n)); err != nil || who.ID != id(n) {
					t.Errorf("%+v, %v", who, err)
				}
			})
			synctest.Wait()
		}
		wg.Wait()
		var sizes []int
		for _, r := range s.log() {
			sizes = append(sizes, len(r.keys))
		}
		if want := []int{1, 100, 49}; !slices.Equal(sizes, want) {
			t.Errorf("requests of %v keys, want %v", sizes, want)
		}
	})
}

func TestMapGet_EachCallerHasItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(crowd(3)...)
		s.latency = 10 * time.Second
		m := s.newMap(t, identitymap.Config{})
		start := time.Now()
		var wg sync.WaitGroup
		get := func(after, limit, want time.Duration, target error) {
			wg.Go(func() {
				time.Sleep(after) // virtual
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				who, err := m.Get(ctx, name(1))
				if !errors.Is(err, target) || (err == nil) != (who.ID == id(1)) {
					t.Errorf("%+v, %v; want error %v", who, err, target)
				}
				if took := time.Since(start); took != want {
					t.Errorf("took until %v, want %v", took, want)
				}
			})
		}
		get(0, 2*time.Second, 2*time.Second, context.DeadlineExceeded) // asked first, and leaves
		get(time.Second, time.Minute, 10*time.Second, nil)
		get(time.Second, 3*time.Second, 4*time.Second, context.DeadlineExceeded)
		get(5*time.Second, time.Minute, 10*time.Second, nil)
		wg.Wait()
		if n := len(s.log()); n != 1 {
			t.Errorf("%d requests", n)
		}
	})
}

func TestMapGet_CancelsRequestWithoutCallers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(crowd(3)...)
		s.latency = 10 * time.Second
		m := s.newMap(t, identitymap.Config{Concurrency: 1})
		m.Add(name(2))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				if _, err := m.Get(ctx, name(1)); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("error %v", err)
				}
			})
		}
		// Queued behind the request, and left before its turn.
		wg.Go(func() {
			synctest.Wait()
			shorter, cancel := context.WithTimeout(ctx, time.Second/2)
			defer cancel()
			if _, err := m.Get(shorter, id(0)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v", err)
			}
		})
		wg.Wait()
		// A caller that comes now does not join what was cancelled.
		if who, err := m.Get(t.Context(), name(1)); err != nil || who.ID != id(1) {
			t.Errorf("%+v, %v", who, err)
		}
		if took, want := s.underWay(), 0; took != want {
			t.Errorf("%d requests in flight", took)
		}
		log := s.log()
		if len(log) != 2 || s.asked[id(0)] != 0 {
			t.Errorf("requests %+v", log)
		}
		// The key that travelled along was noted again, and travelled again.
		if s.asked[name(2)] != 2 || len(m.Added()) != 0 {
			t.Errorf("asked %v, pending %q", s.asked, m.Added())
		}
	})
}

// TestMapGet_CancelledRequestIsNotJoined has a request that takes its time to end.
func TestMapGet_CancelledRequestIsNotJoined(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(crowd(2)...)
		s.fault = func(ctx context.Context, number int, _ request) *http.Response {
			if number == 1 {
				<-ctx.Done()
				time.Sleep(time.Second) // virtual
			}
			return nil
		}
		m := s.newMap(t, identitymap.Config{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := m.Get(ctx, name(1)); !errors.Is(err, context.DeadlineExceeded) || s.underWay() != 1 {
			t.Errorf("error %v, %d requests in flight", err, s.underWay())
		}
		if who, err := m.Get(t.Context(), name(1)); err != nil || who.ID != id(1) {
			t.Errorf("%+v, %v", who, err)
		}
		time.Sleep(time.Minute) // virtual

		// Leaving a loop waits for it.
		s.requests = nil
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		keys := func(yield func(string) bool) {
			_ = yield(name(0))
			synctest.Wait()
			if n := s.underWay(); n != 1 {
				t.Errorf("%d requests in flight", n)
			}
			leave()
		}
		m = s.newMap(t, identitymap.Config{BatchSize: 1})
		for range m.All(ctx, keys) {
			continue
		}
		if n := s.underWay(); n != 0 {
			t.Errorf("%d requests outlive the loop", n)
		}
	})
}

// TestMapAdd_KeyBecomesKnown under its other key, before it was asked for and
// while a request that fails has it.
func TestMapAdd_KeyBecomesKnown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(crowd(4)...)
		m := s.newMap(t, identitymap.Config{})
		m.Add(id(1))
		if _, err := m.Get(t.Context(), name(1)); err != nil || len(m.Added()) != 0 {
			t.Errorf("%v, pending %q", err, m.Added())
		}
		s.fault = func(_ context.Context, _ int, r request) *http.Response {
			if r.kind == "ids" {
				time.Sleep(time.Second) // virtual
				return refuse(http.StatusInternalServerError, "BROKEN")
			}
			return nil
		}
		m.Add(id(2))
		m.Add(id(3))
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := m.Get(t.Context(), id(0)); !errors.Is(err, apierror.ErrServer) {
				t.Errorf("error %v", err)
			}
		})
		synctest.Wait()
		if _, err := m.Get(t.Context(), name(2)); err != nil {
			t.Error(err)
		}
		wg.Wait()
		if got := m.Added(); !slices.Equal(got, []string{id(3)}) {
			t.Errorf("pending %q, want only what is not known", got)
		}
	})
}

func TestMap_EndedContext(t *testing.T) {
	t.Parallel()
	s := newService(crowd(2)...)
	m := s.newMap(t, identitymap.Config{})
	if _, err := m.Get(t.Context(), name(0)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Get(ctx, name(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	results, err := m.GetMany(ctx, []string{name(0), name(1), id(1)})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	for key, r := range results {
		if known := key == name(0); known != (r.Err == nil) || !known && !errors.Is(r.Err, context.Canceled) {
			t.Errorf("%q: %+v", key, r)
		}
	}
	if len(results) != 3 {
		t.Errorf("%d results", len(results))
	}
}

// TestMap_PutAndDeleteDuringRequest puts and deletes keys while they are on their way.
func TestMap_PutAndDeleteDuringRequest(t *testing.T) {
	t.Parallel()
	{
		synctest.Test(t, func(t *testing.T) {
			s := newService(crowd(3)...)
			s.latency = time.Second
			asks := s.newMap(t, identitymap.Config{})
			var wg sync.WaitGroup
			wg.Go(func() {
				results, err := asks.GetMany(t.Context(), names(3))
				if err != nil || results[name(0)].Identity.Name != "Person 0" || results[name(1)].Identity.Name != "Person 1" {
					t.Errorf("%+v, %v", results, err)
				}
			})
			synctest.Wait()
			newer := person(0, name(0))
			newer.Name = "newer"
			if err := asks.Put(newer); err != nil {
				t.Error(err)
			}
			asks.Delete(name(1))
			{
				// The response in flight is older than the Delete.
				wg.Go(func() {
					if _, err := asks.Get(t.Context(), name(1)); err != nil {
						t.Error(err)
					}
				})
				synctest.Wait()
				if s.asked[name(1)] != 2 {
					t.Errorf("asked %v: the Get joined a response of before the Delete", s.asked)
				}
			}
			wg.Wait()
			for _, key := range []string{name(0), id(0)} {
				if who, err := asks.Get(t.Context(), key); err != nil || who.Name != "newer" {
					t.Errorf("%q: %+v, %v", key, who, err)
				}
			}
			if s.asked[name(0)] != 1 || s.asked[id(0)] != 0 {
				t.Errorf("asked %v", s.asked)
			}
			if _, err := asks.Get(t.Context(), name(1)); err != nil || s.asked[name(1)] != 2 {
				t.Errorf("%v, asked %v", err, s.asked)
			}
			if _, err := asks.Get(t.Context(), name(2)); err != nil || s.asked[name(2)] != 1 {
				t.Errorf("%v, asked %v", err, s.asked)
			}
		})
	}
}
