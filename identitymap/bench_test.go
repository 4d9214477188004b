package identitymap_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/identitymap"
	"github.com/globusauth/globusauth/internal/bench"
)

// stub serves lookups of usernames over loopback, after a latency, and counts
// requests and how many there were at once. It does as little as it can, since
// it shares the processors with what is measured.
type stub struct {
	*httptest.Server
	latency               time.Duration
	requests, now, utmost atomic.Int64
}

func newStub(b *testing.B, latency time.Duration) *stub {
	b.Helper()
	s := &stub{latency: latency}
	s.Server = httptest.NewServer(s)
	b.Cleanup(s.Close)
	return s
}

func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.requests.Add(1)
	now := s.now.Add(1)
	for most := s.utmost.Load(); now > most && !s.utmost.CompareAndSwap(most, now); most = s.utmost.Load() {
	}
	defer s.now.Add(-1)
	if s.latency > 0 {
		timer := time.NewTimer(s.latency)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return
		}
	}
	body := make([]byte, 0, 40_000)
	body = append(body, `{"identities":[`...)
	for i, name := range strings.Split(r.URL.Query().Get("usernames"), ",") {
		if i > 0 {
			body = append(body, ',')
		}
		n, _, _ := strings.Cut(strings.TrimPrefix(name, "user"), "@")
		body = append(body, `{"username":"`...)
		body = append(body, name...)
		body = append(body, `","status":"used","name":"Person `...)
		body = append(body, n...)
		body = append(body, `","id":"46bd0f56-e24f-11e5-a510-`...)
		body = append(body, "000000000000"[:12-len(n)]...)
		body = append(body, n...)
		body = append(body, `","identity_provider":"41143743-f3c8-4d60-bbdb-eeecaba85bd9","organization":"Example University","email":"`...)
		body = append(body, name...)
		body = append(body, `","identity_type":"login"}`...)
	}
	body = append(body, `]}`...)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
}

func (s *stub) newMap(b *testing.B, concurrency int) *identitymap.Map {
	b.Helper()
	client, err := globusauth.New(globusauth.Config{BaseURL: s.URL, Credentials: globusauth.Bearer("a-token")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(client.HTTPClient().CloseIdleConnections)
	m, err := identitymap.New(identitymap.Config{Client: client, Concurrency: concurrency})
	if err != nil {
		b.Fatal(err)
	}
	return m
}

// floor sends the requests that a map sends, and does nothing else.
func (s *stub) floor(b *testing.B, keys iter.Seq[string], concurrency int) (found int) {
	b.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: concurrency}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	batches := make(chan []string)
	var wg sync.WaitGroup
	var total atomic.Int64
	for range concurrency {
		wg.Go(func() {
			for batch := range batches {
				target := s.URL + "/v2/api/identities?provision=false&usernames=" + url.QueryEscape(strings.Join(batch, ","))
				req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, target, http.NoBody)
				if err != nil {
					b.Error(err)
					return
				}
				req.Header.Set("Authorization", "Bearer a-token")
				resp, err := client.Do(req)
				if err != nil {
					b.Error(err)
					return
				}
				var list gen.IdentityList
				err = json.NewDecoder(resp.Body).Decode(&list)
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				if err != nil {
					b.Error(err)
				}
				total.Add(int64(len(list.Identities)))
			}
		})
	}
	for batch := range chunks(keys, 100) {
		batches <- batch
	}
	close(batches)
	wg.Wait()
	return int(total.Load())
}

func chunks(keys iter.Seq[string], size int) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		var batch []string
		for k := range keys {
			if batch = append(batch, k); len(batch) == size {
				if !yield(batch) {
					return
				}
				batch = nil
			}
		}
		if len(batch) > 0 {
			yield(batch)
		}
	}
}

// BenchmarkTenThousand looks up 10,000 usernames in 100 requests, the service responding after 50 ms. The ideal is
// ceil(100 / concurrency) x 50 ms; requests only sends the same requests and decodes the responses. The official Python map,
// which sends one batch at a time, takes 5.54 s (SDK 4.9.0, measured elsewhere, on a machine with two cores).
func BenchmarkTenThousand(b *testing.B) {
	const people = 10_000
	keys, latency := names(people), 50*time.Millisecond
	if testing.Short() {
		latency = time.Millisecond
	}
	for _, concurrency := range []int{8, 16, 32} {
		b.Run(fmt.Sprintf("concurrency=%d", concurrency), func(b *testing.B) {
			ideal, s, bare := time.Duration((people/100+concurrency-1)/concurrency)*latency, newStub(b, latency), newStub(b, latency)
			lookups := 0
			bench.Wall(b, bench.Case{Name: "ideal", Run: func() { time.Sleep(ideal) }},
				bench.Case{Name: "identitymap", Limit: 1.15, Run: func() {
					lookups++
					results, err := s.newMap(b, concurrency).GetMany(b.Context(), keys)
					if err != nil || len(results) != people {
						b.Fatalf("%d results, %v", len(results), err)
					}
				}},
				bench.Case{Name: "requests", Run: func() {
					if n := bare.floor(b, slices.Values(keys), concurrency); n != people {
						b.Fatalf("%d results", n)
					}
				}})
			bench.Report(b, float64(s.requests.Load())/float64(lookups), "requests/op", people/100)
			bench.Report(b, float64(s.utmost.Load()), "requests-at-once", float64(concurrency))
		})
	}
}

// BenchmarkMillion streams 1,000,000 usernames from a file, 16 requests at once, the service included in the same process. The
// floor only sends the requests and decodes the responses with encoding/json. memory-MiB is what the process holds at most
// above its start.
func BenchmarkMillion(b *testing.B) {
	people := 1_000_000
	if testing.Short() {
		people = 50_000
	}
	path := filepath.Join(b.TempDir(), "keys")
	file, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	out := bufio.NewWriter(file)
	for n := range people {
		_, _ = out.WriteString(name(n) + "\n")
	}
	if err := errors.Join(out.Flush(), file.Close()); err != nil {
		b.Fatal(err)
	}
	const concurrency = 16
	s, bare := newStub(b, 0), newStub(b, 0)
	var memory float64
	streams := 0
	ours := func() {
		streams++
		m, found, above := s.newMap(b, concurrency), 0, watch()
		for key, r := range m.All(b.Context(), lines(b, path)) {
			if r.Err != nil || len(r.Identity.Username) != len(key) {
				b.Fatalf("%q: %+v", key, r)
			}
			found++
		}
		memory = max(memory, above())
		if found != people {
			b.Fatalf("%d results", found)
		}
	}
	floor := func() {
		if n := bare.floor(b, lines(b, path), concurrency); n != people {
			b.Fatalf("%d results", n)
		}
	}
	bench.CPU(b, bench.Case{Name: "floor", Run: floor, Ops: people}, bench.Case{Name: "identitymap", Run: ours, Ops: people, Limit: 1.1})
	bench.Report(b, memory, "memory-MiB", 64)
	bench.Report(b, float64(s.requests.Load())/float64(streams), "requests/op", float64(people/100))
}

func lines(b *testing.B, path string) iter.Seq[string] {
	b.Helper()
	return func(yield func(string) bool) {
		file, err := os.Open(path)
		if err != nil {
			b.Error(err)
			return
		}
		defer func() { _ = file.Close() }()
		for scanner := bufio.NewScanner(file); scanner.Scan() && yield(scanner.Text()); {
		}
	}
}

// watch returns a function that says how much memory from the system the
// process used since, at most, above what it used at the start, in MiB.
func watch() func() float64 {
	used := func() uint64 {
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapInuse + stats.StackInuse
	}
	runtime.GC()
	start := used()
	most := start
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(10 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				most = max(most, used())
			case <-stop:
				return
			}
		}
	}()
	return func() float64 {
		close(stop)
		<-stopped
		return float64(most-start) / (1 << 20)
	}
}

// BenchmarkGet is a cached lookup, compared with the cache library's own (floor). The map copies the record.
func BenchmarkGet(b *testing.B) {
	const people = 1000
	s := newService(crowd(people)...)
	m := s.newMap(b, identitymap.Config{})
	if _, err := m.GetMany(b.Context(), names(people)); err != nil {
		b.Fatal(err)
	}
	type value struct{ identity gen.Identity }
	cache := otter.Must(&otter.Options[string, *value]{
		MaximumSize:      20_000,
		ExpiryCalculator: otter.ExpiryWriting[string, *value](time.Hour),
	})
	defer cache.StopAllGoroutines()
	ctx := b.Context()
	ids, usernames := make([]string, people), names(people)
	for n := range people {
		ids[n] = id(n)
		v := &value{person(n, name(n))}
		cache.Set(ids[n], v)
		cache.Set(usernames[n], v)
	}
	for kind, keys := range map[string][]string{"username": usernames, "id": ids} {
		floor := bench.Case{Name: "floor", Ops: people, Run: func() {
			for _, key := range keys {
				if v, ok := cache.GetIfPresent(key); !ok || v.identity.ID == "" {
					b.Error("missing")
				}
			}
		}}
		ours := bench.Case{Name: "identitymap", Ops: people, Limit: 1.5, Run: func() {
			for _, key := range keys {
				if who, err := m.Get(ctx, key); err != nil || who.ID == "" {
					b.Error(err)
				}
			}
		}}
		b.Run(kind+"/one-core", func(b *testing.B) {
			bench.CPU(b, floor, ours)
			bench.Max(b, "identitymap-allocs", 0)
		})
		b.Run(kind+"/all-cores", func(b *testing.B) { bench.Parallel(b, runtime.GOMAXPROCS(0), floor, ours) })
	}
}
