package scopes_test

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/globusauth/globusauth/scopes"
)

type vectorScope struct {
	Scope        string        `json:"scope"`
	Optional     bool          `json:"optional"`
	Dependencies []vectorScope `json:"dependencies"`
}

type vectors struct {
	Parse []struct {
		Input  string        `json:"input"`
		Parsed []vectorScope `json:"parsed"`
		Error  string        `json:"error"`
	} `json:"parse"`
	Merge []struct {
		A      string        `json:"a"`
		B      string        `json:"b"`
		Merged []vectorScope `json:"merged"`
		Error  string        `json:"error"`
	} `json:"merge"`
	Constructor []struct {
		Input string `json:"input"`
		OK    bool   `json:"ok"`
	} `json:"constructor"`
	Serialize []struct {
		Label  string          `json:"label"`
		Input  json.RawMessage `json:"input"`
		Output string          `json:"output"`
		Error  string          `json:"error"`
	} `json:"serialize"`
}

func readJSON(t *testing.T, name string, into any) {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

// renderVectors and renderNodes write scopes as an unordered tree, independently
// of the printer under test.
func renderVectors(list []vectorScope) string {
	parts := make([]string, 0, len(list))
	for _, s := range list {
		parts = append(parts, renderOne(s.Scope, s.Optional, renderVectors(s.Dependencies)))
	}
	slices.Sort(parts)
	return strings.Join(parts, " | ")
}

func renderNodes(nodes []scopes.Node) string {
	parts := make([]string, 0, len(nodes))
	for _, n := range nodes {
		parts = append(parts, renderOne(n.Name(), n.Optional(), renderNodes(n.Dependencies())))
	}
	slices.Sort(parts)
	return strings.Join(parts, " | ")
}

func renderOne(name string, optional bool, dependencies string) string {
	mark := "required"
	if optional {
		mark = "optional"
	}
	return name + " " + mark + " (" + dependencies + ")"
}

// stricter lists the texts the Python SDK accepts and this package does not, with
// the reason.
func stricter() map[string]string {
	return map[string]string{
		"foo*bar":  "a space is missing; the SDK never writes it",
		"foo\tbar": "only spaces separate; RFC 6749 allows no tab in a scope",
		"foo\nbar": "only spaces separate; RFC 6749 allows no newline in a scope",
	}
}

func kindOf(t *testing.T, sdkError string) error {
	t.Helper()
	switch sdkError {
	case "ScopeParseError":
		return scopes.ErrSyntax
	case "ScopeCycleError":
		return scopes.ErrCycle
	}
	t.Fatalf("unknown error class %q in the vectors", sdkError)
	return nil
}

func TestParse_Vectors(t *testing.T) {
	t.Parallel()
	var v vectors
	readJSON(t, "scope_vectors.json", &v)
	if len(v.Parse) != 67 {
		t.Fatalf("%d vectors", len(v.Parse))
	}
	differences := stricter()
	for _, vector := range v.Parse {
		graph, err := scopes.Parse(vector.Input)
		_, differs := differences[vector.Input]
		switch {
		case differs:
			delete(differences, vector.Input)
			if vector.Error != "" || !errors.Is(err, scopes.ErrSyntax) {
				t.Errorf("Parse(%q): %v; the vectors say %q; not a difference any more", vector.Input, err, vector.Error)
			}
		case vector.Error != "":
			if want := kindOf(t, vector.Error); !errors.Is(err, want) {
				t.Errorf("Parse(%q): got error %v, want %v", vector.Input, err, want)
			}
		case err != nil:
			t.Errorf("Parse(%q): %v", vector.Input, err)
		default:
			if got, want := renderNodes(graph.Roots()), renderVectors(vector.Parsed); got != want {
				t.Errorf("Parse(%q):\n got %s\nwant %s", vector.Input, got, want)
			}
		}
	}
	if len(differences) > 0 {
		t.Errorf("differences without a vector: %v", differences)
	}
}

func TestMerge_Vectors(t *testing.T) {
	t.Parallel()
	var v vectors
	readJSON(t, "scope_vectors.json", &v)
	if len(v.Merge) != 11 {
		t.Fatalf("%d vectors", len(v.Merge))
	}
	for _, vector := range v.Merge {
		a, b := mustParse(t, vector.A).List(), mustParse(t, vector.B).List()
		merged, err := scopes.Merge(a, b)
		if vector.Error != "" {
			if want := kindOf(t, vector.Error); !errors.Is(err, want) {
				t.Errorf("Merge(%q, %q): got error %v, want %v", a, b, err, want)
			}
			continue
		}
		if err != nil {
			t.Errorf("Merge(%q, %q): %v", a, b, err)
			continue
		}
		got := renderNodes(mustParse(t, merged.String()).Roots())
		if want := renderVectors(vector.Merged); got != want {
			t.Errorf("Merge(%q, %q):\n got %s\nwant %s", a, b, got, want)
		}
	}
}

func TestScopeWith_Vectors(t *testing.T) {
	t.Parallel()
	var v vectors
	readJSON(t, "scope_vectors.json", &v)
	if len(v.Constructor) != 9 {
		t.Fatalf("%d vectors", len(v.Constructor))
	}
	// The SDK's constructor takes a name, a Scope here is the text of a scope.
	differences := map[string]bool{
		"*foo":     true,  // an optional scope
		"foo[bar]": true,  // a scope with a dependency
		"":         false, // a scope without a name could only be refused later
	}
	for _, vector := range v.Constructor {
		want := vector.OK
		if different, ok := differences[vector.Input]; ok {
			want = different
		}
		err := scopes.List{scopes.Scope(vector.Input)}.Validate()
		if (err == nil) != want {
			t.Errorf("validating %q: %v, want valid: %v", vector.Input, err, want)
		}
		if err != nil && !errors.Is(err, scopes.ErrSyntax) {
			t.Errorf("validating %q: %v, want a syntax error", vector.Input, err)
		}
	}
}

func TestGraphString_Vectors(t *testing.T) {
	t.Parallel()
	var v vectors
	readJSON(t, "scope_vectors.json", &v)
	if len(v.Serialize) != 8 {
		t.Fatalf("%d vectors", len(v.Serialize))
	}
	for _, vector := range v.Serialize {
		var list scopes.List
		if err := json.Unmarshal(vector.Input, &list); err != nil {
			var one scopes.Scope
			if err := json.Unmarshal(vector.Input, &one); err != nil {
				t.Fatal(err)
			}
			list = scopes.List{one}
		}
		if vector.Error != "" {
			if err := list.Validate(); err == nil {
				t.Errorf("%s: %q is valid, want an error", vector.Label, list)
			}
			continue
		}
		if got := list.String(); got != vector.Output {
			t.Errorf("%s: got %q, want %q", vector.Label, got, vector.Output)
		}
	}
}

func mustParse(t *testing.T, text string) *scopes.Graph {
	t.Helper()
	graph, err := scopes.Parse(text)
	if err != nil {
		t.Fatalf("Parse(%q): %v", text, err)
	}
	return graph
}
