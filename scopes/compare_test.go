package scopes_test

import (
	"testing"

	"github.com/globusauth/globusauth/scopes"
)

func TestGraphString_EqualGraphs(t *testing.T) {
	t.Parallel()
	tests := []struct {
		a, b string
		want bool
	}{
		{"", "  ", true},
		{"a b", "b  a a", true},
		{"a[b c]", "a[c] a[b]", true},
		{"a[*b b]", "a[b]", true},
		{"a[b[c]] b", "a[b] b[c]", true},
		{"a *a", "*a a", true},
		{"a", "*a", false},
		{"a", "a *a", false},
		{"a[b]", "a[*b]", false},
		{"a[b]", "a b", false},
		{"a[b] c", "a c[b]", false},
		{"a", "", false},
	}
	for _, test := range tests {
		a, b := mustParse(t, test.a), mustParse(t, test.b)
		if got := a.String() == b.String(); got != test.want {
			t.Errorf("%q equal %q: %v", test.a, test.b, got)
		}
	}
}

func TestGraphString_Canonical(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		" b   a ":            "a b",
		"*a b a":             "a *a b",
		"z[*y x] a":          "a z[x *y]",
		"b[c] a[b]":          "a[b[c]] b[c]",
		"a[b] a[c] a[*c a1]": "a[a1 b c]",
	}
	for text, want := range tests {
		graph := mustParse(t, text)
		if got := graph.String(); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
		if got := graph.List().String(); got != want {
			t.Errorf("%q: list %q, want %q", text, got, want)
		}
	}
	list := mustParse(t, "*b c[e d] a").List()
	want := scopes.List{"a", "*b", "c[d e]"}
	if len(list) != 3 || list[0] != want[0] || list[1] != want[1] || list[2] != want[2] {
		t.Errorf("got %q, want %q", list, want)
	}
	// Roots and dependencies keep the order of the text.
	roots := mustParse(t, "c a[z y] *b a[x z]").Roots()
	if len(roots) != 3 || roots[0].Name() != "c" || roots[1].Name() != "a" || roots[2].Name() != "b" || !roots[2].Optional() {
		t.Errorf("roots %v", roots)
	}
	var names string
	for _, dependency := range roots[1].Dependencies() {
		names += dependency.Name()
	}
	if names != "zyx" {
		t.Errorf("dependencies in the order %s", names)
	}
}
