package scopes_test

import (
	"fmt"
	"strings"
	"testing"

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
