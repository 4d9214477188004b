package scopes_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/globusauth/globusauth/internal/bench"
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

// BenchmarkParse parses 100 scopes with two dependencies each, 13.8 kB. The floor finds the words of the text;
// words-in-map puts each of them in a map too. The official Python SDK 4.9.0 takes 3,000 µs (measured elsewhere, on a
// machine with two cores); the promise is a tenth of that.
func BenchmarkParse(b *testing.B) {
	text := hundredScopes()
	isDelimiter := func(r rune) bool { return r == ' ' || r == '[' || r == ']' || r == '*' }
	bench.CPU(b, bench.Case{Name: "floor", Run: func() {
		if len(strings.FieldsFunc(text, isDelimiter)) != 300 {
			b.Fatal("wrong number of words")
		}
	}}, bench.Case{Name: "scopes", Limit: 1.3, Run: func() {
		if _, err := scopes.Parse(text); err != nil {
			b.Fatal(err)
		}
	}}, bench.Case{Name: "words-in-map", Run: func() {
		index := make(map[string]int)
		for i, word := range strings.FieldsFunc(text, isDelimiter) {
			index[word] = i
		}
		if len(index) != 300 {
			b.Fatal("wrong number of words")
		}
	}})
	bench.Max(b, "scopes-cpu-ns", 300_000)
}

// BenchmarkPrint prints the graph of the same text in canonical form. The floor copies the text.
func BenchmarkPrint(b *testing.B) {
	text := hundredScopes()
	graph, err := scopes.Parse(text)
	if err != nil {
		b.Fatal(err)
	}
	bench.CPU(b, bench.Case{Name: "floor", Run: func() {
		if len(strings.Clone(text)) != len(text) {
			b.Fatal("wrong length")
		}
	}}, bench.Case{Name: "scopes", Run: func() {
		if len(graph.String()) != len(text) {
			b.Fatal("wrong length")
		}
	}})
}

// BenchmarkLinear parses, prints, merges and compares hostile texts: the floor 64 texts of 16 KiB, large one of 1 MiB. What is
// linear takes about as long; what is quadratic takes 64 times as long.
func BenchmarkLinear(b *testing.B) {
	const times = 64
	small, large := hostile(mebibyte/times), hostile(mebibyte)
	for name := range small {
		b.Run(strings.ReplaceAll(name, " ", "-"), func(b *testing.B) {
			bench.CPU(b, bench.Case{Name: "floor", Run: func() {
				for range times {
					handle(b, small[name])
				}
			}}, bench.Case{Name: "large", Run: func() { handle(b, large[name]) }, Limit: 8})
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
