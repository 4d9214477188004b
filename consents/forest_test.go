package consents_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/globusauth/globusauth/consents"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/scopes"
)

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

// chain makes consents of paths of names: "A/B/C" is C below B below A. The ID is
// the position in the list, from 1.
func chain(t *testing.T, paths ...string) []gen.Consent {
	t.Helper()
	ids := map[string][]int64{"": nil}
	var list []gen.Consent
	for i, path := range paths {
		parent, name := "", path
		if cut := strings.LastIndexByte(path, '/'); cut >= 0 {
			parent, name = path[:cut], path[cut+1:]
		}
		above, ok := ids[parent]
		if !ok {
			t.Fatalf("%q is not in the list before %q", parent, path)
		}
		id := int64(i + 1)
		ids[path] = append(slices.Clone(above), id)
		list = append(list, gen.Consent{ID: id, DependencyPath: ids[path], ScopeName: strings.TrimRight(name, "'"), Status: "approved"})
	}
	return list
}

func mustForest(t *testing.T, list []gen.Consent) *consents.Forest {
	t.Helper()
	forest, err := consents.NewForest(list)
	if err != nil {
		t.Fatal(err)
	}
	return forest
}

func TestForestMeets_Vectors(t *testing.T) {
	t.Parallel()
	var vectors []struct {
		Name     string          `json:"name"`
		Consents []gen.Consent   `json:"consents"`
		Trees    int             `json:"trees"`
		Meets    map[string]bool `json:"meets_scope_requirements"`
		Raises   string          `json:"raises"`
	}
	readJSON(t, "consent_vectors.json", &vectors)
	checked := 0
	for _, vector := range vectors {
		forest, err := consents.NewForest(vector.Consents)
		if vector.Raises != "" {
			if !errors.Is(err, consents.ErrMissingParent) || !strings.Contains(err.Error(), "consent 3 depends on 2") {
				t.Errorf("%s: %v, want ErrMissingParent; the SDK says %s", vector.Name, err, vector.Raises)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", vector.Name, err)
			continue
		}
		if got := len(forest.Trees()); got != vector.Trees {
			t.Errorf("%s: %d trees, want %d", vector.Name, got, vector.Trees)
		}
		for text, want := range vector.Meets {
			graph, err := scopes.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			// The SDK takes the whole text as one element; parsed scopes mean the same.
			for _, required := range []scopes.List{{scopes.Scope(text)}, graph.List()} {
				checked++
				got, err := forest.Meets(required)
				if err != nil || got != want {
					t.Errorf("%s: meets %q: %v, %v, want %v", vector.Name, required, got, err, want)
				}
				missing, err := forest.Missing(required)
				if err != nil || (len(missing) == 0) != want {
					t.Errorf("%s: missing of %q: %v, %v", vector.Name, required, missing, err)
				}
			}
		}
	}
	if checked != 110 {
		t.Errorf("%d checks", checked)
	}
}

func TestNewForest_RecordedResponse(t *testing.T) {
	t.Parallel()
	var recorded []struct {
		Response struct {
			JSON gen.ConsentList `json:"json"`
		} `json:"response"`
	}
	readJSON(t, "get_consents.json", &recorded)
	forest := mustForest(t, recorded[0].Response.JSON.Consents)
	if trees := forest.Trees(); len(trees) != 1 || trees[0].Consent().ID != 142632 || len(trees[0].Children()) == 0 {
		t.Errorf("trees %v", trees)
	}
	node, ok := forest.Find(433892)
	consent := node.Consent()
	if !ok || !consent.AtomicallyRevocable || !consent.Created.Equal(time.Date(2024, 3, 18, 17, 32, 51, 496893000, time.UTC)) {
		t.Errorf("found %v, %+v", ok, consent)
	}
	const want = "" +
		"urn:globus:auth:scope:transfer.api.globus.org:all (consent 142632, client 065db752-2f43-4fe1-a633-2ee68c9da889)\n" +
		"└── *https://auth.globus.org/scopes/542a86fc-1766-450d-841f-065488a2ec01/data_access" +
		" (consent 433892, client 2fbdda78-a599-4cb5-ac3d-1fbcfbc6a754)\n"
	if got := forest.String(); got != want {
		t.Errorf("drawn\n%s\nwant\n%s", got, want)
	}
}

func TestNewForest_Trees(t *testing.T) {
	t.Parallel()
	list := chain(t, "A", "B", "A/C", "A/C/D", "A/E", "B/C", "A/C/D/F")
	slices.Reverse(list) // the order of the response does not matter
	forest := mustForest(t, list)
	var edges []string
	for parent, child := range forest.Edges() {
		edges = append(edges, fmt.Sprintf("%d > %d", parent.Consent().ID, child.Consent().ID))
	}
	if want := []string{"1 > 3", "3 > 4", "1 > 5", "2 > 6", "4 > 7"}; !slices.Equal(edges, want) {
		t.Errorf("edges %q, want %q", edges, want)
	}
	trees := forest.Trees()
	if len(trees) != 2 || trees[1].Consent().ScopeName != "B" {
		t.Errorf("trees %v", trees)
	}
	children := trees[0].Children()
	if len(children) != 2 || children[0].Consent().ID != 3 || children[1].Consent().ID != 5 || len(children[1].Children()) > 0 {
		t.Errorf("children %v", children)
	}
	if _, ok := forest.Find(8); ok {
		t.Error("found a consent that is not there")
	}
	for range forest.Edges() {
		break // stopping early must not panic
	}
}

func TestNewForest_Errors(t *testing.T) {
	t.Parallel()
	consent := func(id int64, path ...int64) gen.Consent { return gen.Consent{ID: id, DependencyPath: path} }
	tests := []struct {
		name string
		list []gen.Consent
		want error
		text string
	}{
		{
			"missing parent",
			[]gen.Consent{consent(1, 1), consent(3, 1, 2, 3)},
			consents.ErrMissingParent,
			"a parent is missing: consent 3 depends on 2, which is not in the list",
		},
		{"twice", []gen.Consent{consent(1, 1), consent(2, 1, 2), consent(1, 1)}, nil, "ID 1 occurs twice"},
		{"empty path", []gen.Consent{consent(7)}, nil, "the dependency path of consent 7 is empty"},
		{
			"foreign path",
			[]gen.Consent{consent(1, 1), consent(2, 2, 1)},
			nil,
			"the dependency path of consent 2 ends in 1 instead of its own ID",
		},
		{"own parent", []gen.Consent{consent(1, 1), consent(2, 2, 2)}, nil, "consent 2 is below itself"},
		{"two parents", []gen.Consent{consent(1, 2, 1), consent(2, 1, 2)}, nil, "consent 1 is below itself"},
		{"below a cycle", []gen.Consent{consent(1, 5, 1), consent(4, 5, 4), consent(5, 4, 5)}, nil, "consent 1 is below itself or below one that is"},
		{
			"far below a cycle",
			[]gen.Consent{consent(1, 2, 1), consent(2, 3, 2), consent(3, 4, 3), consent(4, 5, 4), consent(5, 4, 5)},
			nil, "consent 1 is below",
		},
	}
	for _, test := range tests {
		forest, err := consents.NewForest(test.list)
		if err == nil || test.want != nil && !errors.Is(err, test.want) || !strings.HasPrefix(err.Error(), "consents: build forest: ") || !strings.Contains(err.Error(), test.text) {
			t.Errorf("%s: got %v, want %q", test.name, err, test.text)
		}
		if forest != nil {
			t.Errorf("%s: a forest beside the error", test.name)
		}
	}
}

func TestForest_ZeroValue(t *testing.T) {
	t.Parallel()
	var zero consents.Forest
	empty := mustForest(t, nil)
	for _, forest := range []*consents.Forest{&zero, empty} {
		if len(forest.Trees()) != 0 || forest.String() != "" {
			t.Error("an empty forest is not empty")
		}
		if _, ok := forest.Find(0); ok {
			t.Error("found something in an empty forest")
		}
		if ok, err := forest.Meets(nil); !ok || err != nil {
			t.Errorf("an empty requirement: %v, %v", ok, err)
		}
		if ok, err := forest.Meets(scopes.List{"a"}); ok || err != nil {
			t.Errorf("a requirement: %v, %v", ok, err)
		}
	}
	var node consents.Node
	if node.Consent().ID != 0 || node.Children() != nil {
		t.Error("the zero node is not empty")
	}
}

// The forest keeps nothing of the caller's and gives nothing of its own away.
func TestNewForest_CopiesTheList(t *testing.T) {
	t.Parallel()
	list := chain(t, "A", "A/B")
	slices.Reverse(list)
	before := []gen.Consent{list[0], list[1]}
	path := list[0].DependencyPath
	forest := mustForest(t, list)
	if !reflect.DeepEqual(list, before) {
		t.Error("the list was changed")
	}
	path[0] = 99
	list[1].ScopeName = "changed"
	node, _ := forest.Find(2)
	node.Consent().DependencyPath[0] = 98
	clear(forest.Trees())
	clear(forest.Trees()[0].Children())
	if got := node.Consent().DependencyPath[0]; got != 1 {
		t.Errorf("the path was changed to %d", got)
	}
	if ok, err := forest.Meets(scopes.List{"A[B]"}); !ok || err != nil {
		t.Errorf("the forest was changed: %v, %v", ok, err)
	}
}
