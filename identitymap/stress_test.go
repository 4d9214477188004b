package identitymap_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/identitymap"
)

// moody is a service that takes its time, fails in every way it can, and knows
// newer and newer records of people.
type moody struct {
	mu      sync.Mutex
	random  *rand.Rand
	faults  bool
	version map[int]int // of each person's record
}

func (s *moody) respond(ctx context.Context, t *testing.T, r request) *http.Response {
	t.Helper()
	if len(slices.Compact(slices.Sorted(slices.Values(r.keys)))) != len(r.keys) {
		t.Errorf("%q contains a key twice", r.keys)
	}
	s.mu.Lock()
	list := gen.IdentityList{Identities: []gen.Identity{}}
	for n, version := range s.version { // as of when it was asked
		if slices.Contains(r.keys, id(n)) || slices.Contains(r.keys, name(n)) {
			who := person(n, strings.ToUpper(name(n)))
			who.Organization = strconv.Itoa(version)
			list.Identities = append(list.Identities, who)
		}
	}
	mood, pause := s.random.IntN(20), s.random.IntN(90)
	delay, stubborn := time.Duration(s.random.IntN(3000))*time.Millisecond, s.random.IntN(10) == 0
	s.mu.Unlock()
	if stubborn {
		time.Sleep(delay) // virtual; it does not notice that it was cancelled
	} else {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return nil
		}
	}
	if !s.faults {
		return respond(http.StatusOK, list)
	}
	switch {
	case mood == 0:
		return refuse(http.StatusInternalServerError, "BROKEN")
	case mood == 1:
		return refuse(http.StatusTooManyRequests, "BUSY", "Retry-After", strconv.Itoa(1+pause))
	case mood == 2, mood < 15 && slices.Contains(r.keys, name(3)):
		return refuse(http.StatusBadRequest, "BAD")
	case mood == 3:
		return respond(http.StatusOK, nil)
	case mood == 4:
		return respond(http.StatusOK, "garbage")
	}
	return respond(http.StatusOK, list)
}

// TestMap_Stress has many goroutines do everything at once, in virtual time, on maps
// that share a cache and on one alone. Every result is of the key that was
// asked for; what was deleted is asked for anew; and nothing is left behind.
func TestMap_Stress(t *testing.T) {
	t.Parallel()
	seeds := uint64(60)
	if testing.Short() {
		seeds = 6
	}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) { stress(t, seed) })
	}
}

const stressPeople = 12

func stress(t *testing.T, seed uint64) {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 1))
	mood := &moody{random: rand.New(rand.NewPCG(seed, 2)), faults: seed%2 == 1, version: map[int]int{}}
	for n := range stressPeople {
		mood.version[n] = 1
	}
	s := newService()
	s.fault = func(ctx context.Context, _ int, r request) *http.Response { return mood.respond(ctx, t, r) }
	config := identitymap.Config{BatchSize: 1 + random.IntN(4), Concurrency: 1 + random.IntN(4), TTL: time.Hour}
	if random.IntN(2) == 0 {
		config.CacheSize = 3
	}
	maps := []*identitymap.Map{s.newMap(t, config)}
	var wg sync.WaitGroup
	for g := range uint64(20) {
		wg.Go(func() {
			user := stressUser{t: t, random: rand.New(rand.NewPCG(seed, 10+g)), mood: mood, maps: maps}
			for range 25 {
				user.act()
			}
		})
	}
	wg.Wait()
	time.Sleep(5 * time.Minute) // virtual
	for i, m := range maps {
		if left := m.Leftovers(); left != "" {
			t.Errorf("seed %d, map %d: %s are left", seed, i, left)
		}
	}
}

// stressUser is one of the goroutines.
type stressUser struct {
	t      *testing.T
	random *rand.Rand
	mood   *moody
	maps   []*identitymap.Map
}

func (u *stressUser) key() string {
	n := u.random.IntN(stressPeople + 4)
	key := name(n)
	if u.random.IntN(5) < 2 {
		key = id(n)
	}
	if u.random.IntN(5) < 2 {
		key = strings.ToUpper(key)
	}
	return key
}

func (u *stressUser) keys() []string {
	keys := make([]string, u.random.IntN(20))
	for i := range keys {
		keys[i] = u.key()
	}
	return keys
}

func (u *stressUser) check(key string, who gen.Identity, err error) {
	if (err == nil) != (who.ID != "") || err == nil && !strings.EqualFold(who.ID, key) && !strings.EqualFold(who.Username, key) {
		u.t.Errorf("%q: %+v, %v", key, who, err)
	}
}

func (u *stressUser) act() {
	m := u.maps[u.random.IntN(len(u.maps))]
	ctx, cancel := context.WithCancel(u.t.Context())
	defer cancel()
	if u.random.IntN(2) == 0 {
		ctx, cancel = context.WithTimeout(ctx, time.Duration(u.random.IntN(4000))*time.Millisecond)
		defer cancel()
	}
	switch u.random.IntN(9) {
	case 0, 1:
		key := u.key()
		who, err := m.Get(ctx, key)
		u.check(key, who, err)
	case 2:
		keys := u.keys()
		results, _ := m.GetMany(ctx, keys)
		for _, key := range keys {
			u.check(key, results[key].Identity, results[key].Err)
		}
	case 3, 4:
		u.stream(ctx, m)
	case 5:
		m.Add(u.key())
	case 6:
		m.Delete(u.key())
	case 7:
		u.renew(ctx)
	case 8:
		time.Sleep(time.Duration(u.random.IntN(5000)) * time.Millisecond) // virtual
	}
}

// stream ranges over All in a way that a program might, or should not.
func (u *stressUser) stream(ctx context.Context, m *identitymap.Map) {
	defer func() { _ = recover() }()
	way, stop, n := u.random.IntN(7), u.random.IntN(10), 0
	keys := func(yield func(string) bool) {
		for _, key := range u.keys() {
			if way == 5 && u.random.IntN(5) == 0 {
				panic("in the sequence")
			}
			if way == 6 {
				time.Sleep(time.Duration(u.random.IntN(1000)) * time.Millisecond) // virtual
			}
			if !yield(key) {
				return
			}
		}
	}
	for key, r := range m.All(ctx, keys) {
		u.check(key, r.Identity, r.Err)
		n++
		switch {
		case way == 0 && n > stop:
			return
		case way == 1 && n > stop:
			panic("in the loop")
		case way == 2:
			m.Delete(key)
			m.Add(u.key())
		case way == 3:
			key := u.key()
			who, err := m.Get(ctx, key)
			u.check(key, who, err)
		case way == 4:
			for key, r := range m.All(ctx, slices.Values(u.keys())) {
				u.check(key, r.Identity, r.Err)
				if u.random.IntN(5) == 0 {
					break
				}
			}
		}
	}
}

// renew has the service change a record. What is asked for after it was
// forgotten under both its keys is at least as new. The IDs of several maps'
// caches are one.
func (u *stressUser) renew(ctx context.Context) {
	n := u.random.IntN(stressPeople)
	u.mood.mu.Lock()
	u.mood.version[n]++
	version := u.mood.version[n]
	u.mood.mu.Unlock()
	m := u.maps[u.random.IntN(len(u.maps))]
	m.Delete(id(n))
	m.Delete(name(n))
	key := []string{id(n), name(n)}[u.random.IntN(2)]
	who, err := u.maps[u.random.IntN(len(u.maps))].Get(ctx, key)
	u.check(key, who, err)
	if got, _ := strconv.Atoi(who.Organization); err == nil && got < version {
		u.t.Errorf("%q: version %d after %d was forgotten", key, got, version)
	}
}
