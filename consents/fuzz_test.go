package consents_test

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/globusauth/globusauth/consents"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/scopes"
)

// FuzzForest checks that any list of consents is either refused or arranged
// completely, and that its methods return.
func FuzzForest(f *testing.F) {
	data, err := os.ReadFile("testdata/consent_vectors.json")
	if err != nil {
		f.Fatal(err)
	}
	var vectors []struct {
		Consents json.RawMessage `json:"consents"`
		Meets    map[string]bool `json:"meets_scope_requirements"`
	}
	if err := json.Unmarshal(data, &vectors); err != nil {
		f.Fatal(err)
	}
	for _, vector := range vectors {
		for _, text := range slices.Sorted(maps.Keys(vector.Meets)) {
			f.Add([]byte(vector.Consents), text)
		}
	}
	f.Add([]byte(`[{"id":1,"dependency_path":[2,1]},{"id":2,"dependency_path":[1,2]}]`), "a")
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		var list []gen.Consent
		if json.Unmarshal(data, &list) != nil {
			return
		}
		forest, err := consents.NewForest(list)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "consents: build forest: ") || strings.ContainsAny(err.Error(), "\n\x00") || len(err.Error()) > 500 {
				t.Fatalf("error %q", err)
			}
			return
		}
		edges := 0
		for parent, child := range forest.Edges() {
			edges++
			path := child.Consent().DependencyPath
			if parent.Consent().ID != path[len(path)-2] || !slices.Contains(parent.Children(), child) {
				t.Fatalf("edge from %d to %d", parent.Consent().ID, child.Consent().ID)
			}
		}
		if trees := len(forest.Trees()); edges+trees != len(list) {
			t.Fatalf("%d edges and %d trees of %d consents", edges, trees, len(list))
		}
		if lines := strings.Count(forest.String(), "\n"); lines > len(list)+edges || lines == 0 && len(list) > 0 {
			t.Fatalf("%d lines for %d consents", lines, len(list))
		}
		required := scopes.List{scopes.Scope(text)}
		meets, err := forest.Meets(required)
		graph, parseErr := scopes.Parse(text)
		if (err == nil) != (parseErr == nil) {
			t.Fatalf("Meets: %v, Parse: %v", err, parseErr)
		}
		if err == nil && len(text) < 100 && meets != model(list, graph.Roots()) {
			t.Fatalf("meets %q: %v", text, meets)
		}
	})
}
