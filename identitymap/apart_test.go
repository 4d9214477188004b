package identitymap_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/identitymap"
)

// TestMapGetMany_ServiceRefusesSeveralKeys fail alone.
func TestMapGetMany_ServiceRefusesSeveralKeys(t *testing.T) {
	t.Parallel()
	for _, bad := range [][]int{{0}, {99}, {10, 60, 90}, {0, 1, 2, 3, 4}, {5, 25, 45, 65, 85}} {
		s := newService(crowd(100)...)
		s.fault = func(_ context.Context, _ int, r request) *http.Response {
			for _, n := range bad {
				if slices.Contains(r.keys, name(n)) {
					return refuse(http.StatusBadRequest, "INVALID_PARAMETERS")
				}
			}
			return nil
		}
		m := s.newMap(t, identitymap.Config{})
		results, err := m.GetMany(t.Context(), names(100))
		if !errors.Is(err, apierror.ErrBadRequest) || !strings.Contains(err.Error(), fmt.Sprintf("no response for %d of 100 keys", len(bad))) {
			t.Errorf("%v: %v", bad, err)
		}
		for n := range 100 {
			if found := results[name(n)].Err == nil; found == slices.Contains(bad, n) {
				t.Errorf("%v: %d found: %t", bad, n, found)
			}
		}
		if n := len(s.log()); n > 1+14*len(bad) {
			t.Errorf("%v: %d requests", bad, n)
		}
	}
}

// The parts of a request that was refused whole heed a pause as any other does,
// whether it is they who are asked for it or another request.
func TestMapGetMany_PartsWaitForRetryAfter(t *testing.T) {
	t.Parallel()
	for _, whose := range []string{"their own", "another's"} {
		synctest.Test(t, func(t *testing.T) {
			s := newService(crowd(100)...)
			start := time.Now()
			var mu sync.Mutex
			var sent []string
			s.fault = func(_ context.Context, number int, r request) *http.Response {
				mu.Lock()
				sent = append(sent, fmt.Sprintf("%v %d %s", time.Since(start).Round(time.Second), len(r.keys), r.kind))
				mu.Unlock()
				switch {
				case number == 1:
					time.Sleep(2 * time.Second) // virtual
					return refuse(http.StatusBadRequest, "INVALID_PARAMETERS")
				case whose == "their own" && number == 2, r.kind == "ids" && time.Since(start) < 30*time.Second:
					return refuse(http.StatusTooManyRequests, "BUSY", "Retry-After", "30")
				}
				return nil
			}
			m := s.newMap(t, identitymap.Config{})
			var wg sync.WaitGroup
			wg.Go(func() {
				if _, err := m.GetMany(t.Context(), names(100)); err != nil {
					t.Error(err)
				}
			})
			want := []string{"0s 100 usernames", "2s 50 usernames", "32s 100 usernames"}
			if whose == "another's" {
				synctest.Wait()
				wg.Go(func() { _, _ = m.Get(t.Context(), id(1)) })
				want = []string{"0s 100 usernames", "0s 1 ids", "30s 1 ids", "30s 100 usernames"}
			}
			wg.Wait()
			slices.Sort(sent)
			slices.Sort(want)
			if !slices.Equal(sent, want) {
				t.Errorf("%s pause: sent %q, want %q", whose, sent, want)
			}
		})
	}
}

// A record without a username costs the keys that it may be about, not those
// that were found.
func TestMapGetMany_RecordWithoutUsername(t *testing.T) {
	t.Parallel()
	s := newService()
	s.fault = func(context.Context, int, request) *http.Response {
		list := gen.IdentityList{Identities: crowd(100)}
		list.Identities[50].Username = ""
		return respond(http.StatusOK, list)
	}
	m := s.newMap(t, identitymap.Config{})
	results, err := m.GetMany(t.Context(), names(100))
	if err == nil || !strings.Contains(err.Error(), `no response for 1 of 100 keys: "user50@example.edu": 1 of 100 identities came without`) {
		t.Errorf("error %v", err)
	}
	for n := range 100 {
		if found := results[name(n)].Err == nil; found != (n != 50) {
			t.Errorf("%d: %v", n, results[name(n)].Err)
		}
	}
}

// A pause that is too long to be waited for is an error at once, also while
// every request is out.
func TestMapAll_LongRetryAfterWhileBusy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(crowd(700)...)
		s.fault = func(_ context.Context, number int, _ request) *http.Response {
			if number == 1 {
				time.Sleep(time.Second) // virtual
				return refuse(http.StatusTooManyRequests, "BUSY", "Retry-After", "3600")
			}
			time.Sleep(10 * time.Minute) // virtual
			return nil
		}
		m := s.newMap(t, identitymap.Config{Concurrency: 4})
		start := time.Now()
		counts := map[bool]int{}
		for _, r := range m.All(t.Context(), slices.Values(names(700))) {
			counts[errors.Is(r.Err, apierror.ErrRateLimited)]++
		}
		if took := time.Since(start); counts[true] != 400 || counts[false] != 300 || took != 10*time.Minute || len(s.log()) != 4 {
			t.Errorf("%v after %v, %d requests", counts, took, len(s.log()))
		}
	})
}
