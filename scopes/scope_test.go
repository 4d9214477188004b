package scopes_test

import (
	"slices"
	"testing"

	"github.com/globusauth/globusauth/scopes"
)

func TestScopeWith_Build(t *testing.T) {
	t.Parallel()
	tests := []struct {
		got  scopes.Scope
		want string
		name string
	}{
		{scopes.AuthOpenID, "openid", "openid"},
		{scopes.Scope("a").Optional(), "*a", "a"},
		{scopes.Scope("a").Optional().Optional(), "*a", "a"},
		{scopes.Scope("a").With(), "a", "a"},
		{scopes.Scope("a").With("b"), "a[b]", "a"},
		{scopes.Scope("a").With("b", "c"), "a[b c]", "a"},
		{scopes.Scope("a").With("b").With("c"), "a[b c]", "a"},
		{scopes.Scope("a").With(scopes.Scope("b").With("c")).With("d"), "a[b[c] d]", "a"},
		{scopes.Scope("a").With(scopes.Scope("b").With("c").Optional()), "a[*b[c]]", "a"},
		{scopes.Scope("a").With("b").Optional(), "*a[b]", "a"},
		{scopes.Scope("*a[b]").With("*c"), "*a[b *c]", "a"},
	}
	for _, test := range tests {
		if string(test.got) != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
		if name := test.got.Name(); name != test.name {
			t.Errorf("%q: name %q, want %q", test.got, name, test.name)
		}
		if err := (scopes.List{test.got}).Validate(); err != nil {
			t.Error(err)
		}
	}
}

func TestListString_Joins(t *testing.T) {
	t.Parallel()
	tests := []struct {
		list scopes.List
		want string
	}{
		{nil, ""},
		{scopes.List{"a"}, "a"},
		{scopes.List{"a", "*b[c]", "a"}, "a *b[c] a"},
	}
	for _, test := range tests {
		if got := test.list.String(); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

// Neither building nor merging may write to what the caller keeps.
func TestMerge_KeepsInputs(t *testing.T) {
	t.Parallel()
	backing := scopes.List{"z[b]", "a", "keep"}
	before := slices.Clone(backing)
	first := backing[:1] // has room for an append into backing
	if _, err := scopes.Merge(first, scopes.List{"other"}); err != nil {
		t.Fatal(err)
	}
	if err := backing.Validate(); err != nil {
		t.Fatal(err)
	}
	_ = scopes.Scope("x").With(backing...)
	if !slices.Equal(backing, before) {
		t.Errorf("the list was changed to %q", backing)
	}
	graph := mustParse(t, "a[b c] d")
	clear(graph.Roots())
	clear(graph.Roots()[0].Dependencies())
	if got := graph.String(); got != "a[b c] d" {
		t.Errorf("the graph was changed to %q", got)
	}
}

func TestGraph_ZeroValue(t *testing.T) {
	t.Parallel()
	var zero scopes.Graph
	empty := mustParse(t, "  ")
	if zero.String() != "" || zero.List() != nil || zero.Roots() != nil || zero.String() != empty.String() {
		t.Error("the zero graph is not the empty one")
	}
	var node scopes.Node
	if node.Name() != "" || node.Optional() || node.Dependencies() != nil {
		t.Error("the zero node is not empty")
	}
	merged, err := scopes.Merge()
	if err != nil || merged != nil {
		t.Errorf("merging nothing: %q, %v", merged, err)
	}
}
