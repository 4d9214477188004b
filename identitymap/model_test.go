package identitymap_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/identitymap"
)

const (
	modelTTL     = time.Hour
	modelMissTTL = time.Minute
	modelBatch   = 3
	modelPeople  = 10
)

// model is a map in its simplest form: a table of
// what is known, filled from the requests that the service saw.
type model struct {
	service *service
	clock   atomic.Int64

	known   map[string]knowledge // by canonical key
	pending []string             // canonical, as they were added
	poison  string               // requests with this key fail
	seen    int                  // requests of the log that were taken up
}

type knowledge struct {
	who     gen.Identity
	missing bool
	until   int64
}

func (m *model) lookup(key string) (knowledge, bool) {
	k, ok := m.known[strings.ToLower(key)]
	return k, ok && m.clock.Load() < k.until
}

// truth is what the service would return now.
func (m *model) truth(key string) knowledge {
	for _, who := range m.service.people {
		if strings.EqualFold(who.ID, key) || strings.EqualFold(who.Username, key) {
			return knowledge{who: who}
		}
	}
	return knowledge{missing: true}
}

func (m *model) learn(key string, k knowledge) {
	if k.missing {
		k.until = m.clock.Load() + int64(modelMissTTL)
		m.known[key] = k
		return
	}
	k.until = m.clock.Load() + int64(modelTTL)
	m.known[strings.ToLower(k.who.ID)] = k
	m.known[strings.ToLower(k.who.Username)] = k
}

// requests takes up the requests since the last call, and returns which keys
// they asked for with and without success. A key can be both, when it occurs
// twice or travelled with a request that failed.
func (m *model) requests(t *rapid.T, wanted []string) (responded, failed map[string]bool) {
	responded, failed = map[string]bool{}, map[string]bool{}
	log := m.service.log()
	var batches [][]string
	for _, r := range log[m.seen:] {
		if len(r.keys) > modelBatch {
			t.Fatalf("a request of %d keys", len(r.keys))
		}
		batches = append(batches, r.keys)
		for _, key := range r.keys {
			if _, ok := m.lookup(key); ok {
				t.Fatalf("%q was asked for although it is known", key)
			}
			if responded[key] {
				t.Fatalf("%q was asked for twice", key)
			}
			if !slices.Contains(wanted, key) && !slices.Contains(m.pending, key) {
				t.Fatalf("%q was asked for, and no caller wants it", key)
			}
			if slices.Contains(r.keys, m.poison) {
				failed[key] = true
			} else {
				responded[key] = true
			}
		}
	}
	m.seen = len(log)
	for _, batch := range batches {
		for _, key := range batch {
			if responded[key] {
				m.learn(key, m.truth(key))
			}
		}
	}
	m.pending = slices.DeleteFunc(m.pending, func(key string) bool {
		// A key that a caller asked for in vain is no longer an added one.
		_, known := m.lookup(key)
		return responded[key] || known || failed[key] && slices.Contains(wanted, key)
	})
	return responded, failed
}

// check compares the result of one key with the possible results.
func check(t *rapid.T, key string, who gen.Identity, err error, may ...knowledge) {
	for _, k := range may {
		if k.missing && errors.Is(err, identitymap.ErrNoIdentity) || !k.missing && err == nil && who == k.who {
			return
		}
	}
	t.Fatalf("%q: %+v, %v; may be %+v", key, who, err, may)
}

func checkFailed(t *rapid.T, key string, who gen.Identity, err error) {
	if !errors.Is(err, apierror.ErrServer) || who != (gen.Identity{}) {
		t.Fatalf("%q: %+v, %v; want the request's error", key, who, err)
	}
}

// checkAll compares the results of keys; before is what was known of them.
func (m *model) checkAll(t *rapid.T, before map[string]knowledge, results map[string]identitymap.Result) {
	var wanted []string
	for key := range results {
		wanted = append(wanted, strings.ToLower(key))
	}
	responded, failed := m.requests(t, wanted)
	for key, r := range results {
		canonical := strings.ToLower(key)
		was, ok := before[canonical]
		switch {
		case key == "nonsense":
			check(t, key, r.Identity, r.Err, knowledge{missing: true})
		case ok:
			// Its other key may have brought something newer.
			check(t, key, r.Identity, r.Err, was, m.known[canonical])
		case responded[canonical] && failed[canonical] && r.Err != nil && !errors.Is(r.Err, identitymap.ErrNoIdentity):
			// It was given twice, and asked for again after a failure.
			checkFailed(t, key, r.Identity, r.Err)
		case failed[canonical] && r.Err == nil:
			// It was given in two forms: one failed, and before the other was asked
			// for, its other key had brought the record.
			k, ok := m.lookup(canonical)
			if !ok {
				t.Fatalf("%q failed and was not brought: %+v", key, r)
			}
			check(t, key, r.Identity, r.Err, k)
		case responded[canonical]:
			check(t, key, r.Identity, r.Err, m.truth(canonical))
		case failed[canonical]:
			checkFailed(t, key, r.Identity, r.Err)
		default:
			// Its other key has brought it meanwhile.
			k, ok := m.lookup(canonical)
			if !ok {
				t.Fatalf("%q was neither known nor asked for: %+v", key, r)
			}
			check(t, key, r.Identity, r.Err, k)
		}
	}
}

func (m *model) before(keys []string) map[string]knowledge {
	before := map[string]knowledge{}
	for _, key := range keys {
		if k, ok := m.lookup(key); ok {
			before[strings.ToLower(key)] = k
		}
	}
	return before
}

func modelKeys() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		n := rapid.IntRange(0, modelPeople-1).Draw(t, "person")
		switch rapid.IntRange(0, 8).Draw(t, "form") {
		case 0, 1, 2:
			return name(n)
		case 3:
			return strings.ToUpper(name(n))
		case 4, 5, 6:
			return id(n)
		case 7:
			return strings.ToUpper(id(n))
		}
		return "nonsense"
	})
}

// TestMap_AgreesWithModel compares the map with the model over any interleaving of lookups,
// changes, failures and time.
func TestMap_AgreesWithModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := newService(crowd(modelPeople / 2)...)
		md := &model{service: s, known: map[string]knowledge{}}
		s.fault = func(_ context.Context, _ int, r request) *http.Response {
			if slices.Contains(r.keys, md.poison) {
				return refuse(http.StatusInternalServerError, "BROKEN")
			}
			return nil
		}
		start := time.Now()
		m := s.newMap(t, identitymap.Config{
			BatchSize: modelBatch, Concurrency: rapid.IntRange(1, 4).Draw(t, "concurrency"), TTL: modelTTL,
			Now: func() time.Time { return start.Add(time.Duration(md.clock.Load())) },
		})
		keys, ctx := modelKeys(), context.Background()
		lists := rapid.SliceOfN(keys, 0, 12)
		version := 0

		t.Repeat(map[string]func(*rapid.T){
			"Get": func(t *rapid.T) {
				key := keys.Draw(t, "key")
				before := md.before([]string{key})
				who, err := m.Get(ctx, key)
				md.checkAll(t, before, map[string]identitymap.Result{key: {Identity: who, Err: err}})
			},
			"GetMany": func(t *rapid.T) {
				list := lists.Draw(t, "keys")
				before := md.before(list)
				results, err := m.GetMany(ctx, list)
				failures := 0
				for _, key := range list {
					r, ok := results[key]
					if !ok {
						t.Fatalf("%q has no result", key)
					}
					if r.Err != nil && !errors.Is(r.Err, identitymap.ErrNoIdentity) {
						failures++
					}
				}
				if (err != nil) != (failures > 0) {
					t.Fatalf("%d failures and error %v", failures, err)
				}
				md.checkAll(t, before, results)
			},
			"All": func(t *rapid.T) {
				list := lists.Draw(t, "keys")
				before, results, n := md.before(list), map[string]identitymap.Result{}, 0
				for key, r := range m.All(ctx, slices.Values(list)) {
					results[key] = r
					n++
				}
				if n != len(list) {
					t.Fatalf("%d results to %d keys", n, len(list))
				}
				md.checkAll(t, before, results)
			},
			"together": func(t *rapid.T) {
				groups := rapid.SliceOfN(lists, 2, 3).Draw(t, "keys")
				before, results := md.before(slices.Concat(groups...)), map[string]identitymap.Result{}
				var mu sync.Mutex
				var wg sync.WaitGroup
				if md.poison != "" {
					return // who joins a request that fails is a matter of chance
				}
				for _, list := range groups {
					wg.Go(func() {
						got, _ := m.GetMany(ctx, list)
						mu.Lock()
						defer mu.Unlock()
						maps.Copy(results, got)
					})
				}
				wg.Wait()
				md.checkAll(t, before, results)
			},
			"Add": func(t *rapid.T) {
				key := keys.Draw(t, "key")
				canonical := strings.ToLower(key)
				_, known := md.lookup(key)
				want := key != "nonsense" && !known && !slices.Contains(md.pending, canonical)
				if got := m.Add(key); got != want {
					t.Fatalf("Add(%q) = %t, want %t", key, got, want)
				}
				if want {
					md.pending = append(md.pending, canonical)
				}
			},
			"Delete": func(t *rapid.T) {
				key := keys.Draw(t, "key")
				canonical := strings.ToLower(key)
				m.Delete(key)
				delete(md.known, canonical)
				md.pending = slices.DeleteFunc(md.pending, func(k string) bool { return k == canonical })
			},
			"Put": func(t *rapid.T) {
				n := rapid.IntRange(0, modelPeople-1).Draw(t, "person")
				version++
				who := person(n, name(n))
				who.Name, who.Organization = "put", strings.Repeat("x", version)
				if err := m.Put(who); err != nil {
					t.Fatal(err)
				}
				md.learn("", knowledge{who: who})
				md.pending = slices.DeleteFunc(md.pending, func(k string) bool { return k == name(n) || k == id(n) })
			},
			"the service changes": func(t *rapid.T) {
				n := rapid.IntRange(0, modelPeople-1).Draw(t, "person")
				if rapid.Bool().Draw(t, "exists") {
					version++
					who := person(n, name(n))
					who.Organization = strings.Repeat("y", version)
					s.people[name(n)] = who
				} else {
					delete(s.people, name(n))
				}
			},
			"requests fail": func(t *rapid.T) {
				md.poison = rapid.OneOf(rapid.Just(""), rapid.Map(keys, strings.ToLower)).Draw(t, "poison")
			},
			"time passes": func(t *rapid.T) {
				md.clock.Add(rapid.SampledFrom([]int64{int64(time.Second), int64(modelMissTTL), int64(modelTTL)}).Draw(t, "time"))
			},
			"": func(t *rapid.T) {
				got := m.Added()
				for i := range got {
					got[i] = strings.ToLower(got[i])
				}
				slices.Sort(got)
				want := slices.Sorted(slices.Values(md.pending))
				if !slices.Equal(got, want) {
					t.Fatalf("pending %q, want %q", got, want)
				}
			},
		})
	})
}
