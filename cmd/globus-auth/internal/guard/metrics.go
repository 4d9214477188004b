package guard

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// metrics counts requests. It is a resourceserver.Observer. Labels have names of rules, nothing about callers.
type metrics struct {
	allowed, introspections, cacheHits atomic.Uint64

	mu      sync.Mutex
	denials map[denialKey]uint64
}

type denialKey struct {
	status int
	rule   string
}

// CacheHit implements resourceserver.Observer.
func (m *metrics) CacheHit() { m.cacheHits.Add(1) }

// Introspection implements resourceserver.Observer.
func (m *metrics) Introspection() { m.introspections.Add(1) }

// Denied counts a denial for each of its rules.
func (m *metrics) Denied(status int, rules string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.denials == nil {
		m.denials = map[denialKey]uint64{}
	}
	for rule := range strings.SplitSeq(rules, ",") {
		m.denials[denialKey{status, rule}]++
	}
}

// Admin returns the handler for operators: /healthz, /metrics and /jwks.json. healthy reports whether the
// guard accepts requests.
func (g *Guard) Admin(healthy func() bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if !healthy() {
			http.Error(w, "stopping", http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ok\n"))
	})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = w.Write([]byte(g.metricsText()))
	})
	if g.signer != nil {
		mux.HandleFunc("GET /jwks.json", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/jwk-set+json")
			_ = json.NewEncoder(w).Encode(g.signer.public)
		})
	}
	return mux
}

// metricsText is the metrics in the text format of Prometheus.
func (g *Guard) metricsText() string {
	var b strings.Builder
	counter := func(name, help string) {
		_, _ = fmt.Fprintf(&b, "# HELP globus_auth_guard_%s %s\n# TYPE globus_auth_guard_%s counter\n", name, help, name)
	}
	for _, c := range []struct {
		name, help string
		value      uint64
	}{
		{"allowed_total", "Requests that were allowed.", g.metrics.allowed.Load()},
		{"introspections_total", "Introspections sent to Globus Auth.", g.metrics.introspections.Load()},
		{"cache_hits_total", "Tokens whose introspection was cached.", g.metrics.cacheHits.Load()},
	} {
		counter(c.name, c.help)
		_, _ = fmt.Fprintf(&b, "globus_auth_guard_%s %d\n", c.name, c.value)
	}
	counter("denials_total", "Requests that were denied, once for each rule that was not met.")
	g.metrics.mu.Lock()
	denials := maps.Clone(g.metrics.denials)
	g.metrics.mu.Unlock()
	for _, key := range slices.SortedFunc(maps.Keys(denials), func(x, y denialKey) int {
		return cmp.Or(cmp.Compare(x.status, y.status), cmp.Compare(x.rule, y.rule))
	}) {
		_, _ = fmt.Fprintf(&b, "globus_auth_guard_denials_total{status=\"%d\",rule=%q} %d\n", key.status, key.rule, denials[key])
	}
	return b.String()
}
