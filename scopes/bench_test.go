package scopes_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/globusauth/globusauth/scopes"
)

// hundredScopes is 100 scopes with two dependencies each, 13.8 kB.
func hundredScopes() string {
	var b strings.Builder
	for i := range 100 {
		fmt.Fprintf(&b, "urn:globus:auth:scope:serv%02d.example.org:all", i)
		fmt.Fprintf(&b, "[urn:globus:auth:scope:serv%02d.example.org:read", i)
		fmt.Fprintf(&b, " *urn:globus:auth:scope:serv%02d.example.org:one] ", i)
	}
	return strings.TrimSpace(b.String())
}

// BenchmarkParse parses 100 scopes with two dependencies each. The official
// Python SDK takes 3.0 ms for such a string. The floors find the words of the
// same text, and find them and look each up in a map.
func BenchmarkParse(b *testing.B) {
	text := hundredScopes()
	b.Run("globusauth", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := scopes.Parse(text); err != nil {
				b.Fatal(err)
			}
		}
	})
	isDelimiter := func(r rune) bool { return r == ' ' || r == '[' || r == ']' || r == '*' }
	b.Run("floor/fields", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			if len(strings.FieldsFunc(text, isDelimiter)) != 300 {
				b.Fatal("wrong number of words")
			}
		}
	})
	b.Run("floor/fields-and-map", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			index := make(map[string]int)
			for i, word := range strings.FieldsFunc(text, isDelimiter) {
				index[word] = i
			}
			if len(index) != 300 {
				b.Fatal("wrong number of words")
			}
		}
	})
}

// BenchmarkPrint prints the graph of the same string in canonical form. The floor
// copies the text.
func BenchmarkPrint(b *testing.B) {
	text := hundredScopes()
	graph, err := scopes.Parse(text)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("globusauth", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if len(graph.String()) != len(text) {
				b.Fatal("wrong length")
			}
		}
	})
	b.Run("floor/copy", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if len(strings.Clone(text)) != len(text) {
				b.Fatal("wrong length")
			}
		}
	})
}

// BenchmarkLinear handles hostile texts of 16 KiB, 64 times in a row, and of 1
// MiB once. "x-growth" is the ratio of the times: 1 for what is linear, more for
// what falls out of the processor's caches, and 64 for what is quadratic.
func BenchmarkLinear(b *testing.B) {
	const times = 64
	small, large := hostile(mebibyte/times), hostile(mebibyte)
	for name := range small {
		b.Run(strings.ReplaceAll(name, " ", "-"), func(b *testing.B) {
			var ratios []float64
			for b.Loop() {
				start := time.Now()
				for range times {
					handle(b, small[name])
				}
				between := time.Now()
				handle(b, large[name])
				ratios = append(ratios, float64(time.Since(between))/float64(between.Sub(start)))
			}
			slices.Sort(ratios)
			b.ReportMetric(ratios[len(ratios)/2], "x-growth")
		})
	}
}

// handle parses a text, prints and compares it, and merges it with itself as a
// list.
func handle(b *testing.B, text string) {
	b.Helper()
	graph, err := scopes.Parse(text)
	if err != nil {
		b.Fatal(err)
	}
	list := graph.List()
	merged, err := scopes.Merge(list, nil)
	if err != nil {
		b.Fatal(err)
	}
	again, err := merged.Graph()
	if err != nil || graph.String() != again.String() {
		b.Fatal("not the same")
	}
}
