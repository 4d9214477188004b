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

// BenchmarkTenThousand resolves 10,000 usernames. With a latency, "x-ideal" is
// the time in units of ceil(requests/concurrency) latencies; the floor sends
// the same requests and does nothing else; one at a time is what the official
// Python map does.
func BenchmarkTenThousand(b *testing.B) {
	const people = 10_000
	keys := names(people)
	for _, latency := range []time.Duration{0, 5 * time.Millisecond, 50 * time.Millisecond} {
		for _, concurrency := range []int{1, 8, 16, 32, 64} {
			if latency == 50*time.Millisecond && concurrency == 1 && testing.Short() {
				continue
			}
			report := func(b *testing.B, s *stub) {
				b.Helper()
				per := float64(b.Elapsed()) / float64(b.N)
				b.ReportMetric(float64(s.requests.Load())/float64(b.N), "requests/op")
				b.ReportMetric(float64(s.utmost.Load()), "at-once")
				if latency > 0 {
					ideal := time.Duration((people/100+concurrency-1)/concurrency) * latency
					b.ReportMetric(per/float64(ideal), "x-ideal")
				}
			}
			at := fmt.Sprintf("latency=%v/concurrency=%d", latency, concurrency)
			b.Run(at+"/map", func(b *testing.B) {
				s := newStub(b, latency)
				for b.Loop() {
					results, err := s.newMap(b, concurrency).GetMany(b.Context(), keys)
					if err != nil || len(results) != people {
						b.Fatalf("%d results, %v", len(results), err)
					}
				}
				report(b, s)
			})
			b.Run(at+"/floor", func(b *testing.B) {
				s := newStub(b, latency)
				for b.Loop() {
					if n := s.floor(b, slices.Values(keys), concurrency); n != people {
						b.Fatalf("%d results", n)
					}
				}
				report(b, s)
			})
		}
	}
}

// BenchmarkMillion streams 1,000,000 usernames from a file, in turns with a loop
// that only sends the same requests. "MiB-above" is how much the process held
// above the start at most, service included.
func BenchmarkMillion(b *testing.B) {
	const people = 1_000_000
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
	s := newStub(b, 0)
	var memory, floorMemory float64
	ours := func() {
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
		above := watch()
		if n := s.floor(b, lines(b, path), concurrency); n != people {
			b.Fatalf("%d results", n)
		}
		floorMemory = max(floorMemory, above())
	}
	besides(b, 1, ours, floor)
	b.ReportMetric(memory, "MiB-above/ours")
	b.ReportMetric(floorMemory, "MiB-above/floor")
	b.ReportMetric(float64(s.requests.Load())/float64(2*b.N), "requests/op")
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

// BenchmarkGet is a cached lookup, compared with the cache library's
// own.
func BenchmarkGet(b *testing.B) {
	const people = 1000
	s := newService(crowd(people)...)
	m := s.newMap(b, identitymap.Config{})
	if _, err := m.GetMany(b.Context(), names(people)); err != nil {
		b.Fatal(err)
	}
	type value struct{ identity gen.Identity }
	floor := otter.Must(&otter.Options[string, *value]{
		MaximumSize:      20_000,
		ExpiryCalculator: otter.ExpiryWriting[string, *value](time.Hour),
	})
	defer floor.StopAllGoroutines()
	ctx := b.Context()
	ids, usernames := make([]string, people), names(people)
	for n := range people {
		ids[n] = id(n)
		v := &value{person(n, name(n))}
		floor.Set(ids[n], v)
		floor.Set(usernames[n], v)
	}
	for kind, keys := range map[string][]string{"username": usernames, "id": ids} {
		ours := func() {
			for _, key := range keys {
				if who, err := m.Get(ctx, key); err != nil || who.ID == "" {
					b.Error(err)
				}
			}
		}
		theirs := func() {
			for _, key := range keys {
				if v, ok := floor.GetIfPresent(key); !ok || v.identity.ID == "" {
					b.Error("missing")
				}
			}
		}
		b.Run(kind, func(b *testing.B) {
			b.ReportAllocs()
			besides(b, rounds*people, loop(ours), loop(theirs))
		})
		b.Run(kind+"-parallel", func(b *testing.B) {
			besides(b, rounds*people*runtime.GOMAXPROCS(0), inParallel(loop(ours)), inParallel(loop(theirs)))
		})
	}
}

// rounds are enough for each of two to have the processor's caches to itself,
// and for the start of goroutines not to count.
const rounds = 50

func loop(f func()) func() {
	return func() {
		for range rounds {
			f()
		}
	}
}

func inParallel(f func()) func() {
	return func() {
		var wg sync.WaitGroup
		for range runtime.GOMAXPROCS(0) {
			wg.Go(f)
		}
		wg.Wait()
	}
}

// besides times ours and a floor in turns, so that both run under the same load,
// and reports the median time of each for one of n pieces of work, and the
// median of their ratios.
func besides(b *testing.B, n int, ours, floor func()) {
	b.Helper()
	var mine, theirs, ratios []float64
	clock := func(f func()) float64 {
		start := time.Now()
		f()
		return float64(time.Since(start)) / float64(n)
	}
	for b.Loop() {
		o, f := clock(ours), clock(floor)
		mine, theirs, ratios = append(mine, o), append(theirs, f), append(ratios, o/f)
	}
	median := func(values []float64) float64 {
		slices.Sort(values)
		return values[len(values)/2]
	}
	b.ReportMetric(median(mine), "ns/ours")
	b.ReportMetric(median(theirs), "ns/floor")
	b.ReportMetric(median(ratios), "x-floor")
}
