package consents_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/globusauth/globusauth/consents"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/scopes"
)

func TestForestMissing_Table(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		have     []string
		required scopes.List
		want     string // index and scope of each, in order
	}{
		{"nothing required", []string{"A"}, nil, ""},
		{"a root", []string{"A"}, scopes.List{"A", "B"}, "1 B"},
		{"a root that is only a child", []string{"A", "A/B"}, scopes.List{"B"}, "0 B"},
		{"everything below a missing one is left out", []string{"A"}, scopes.List{"A[B[C D] E]"}, "0 A[B]; 0 A[E]"},
		{"deep", []string{"A", "A/B", "A/B/C"}, scopes.List{"A[B[C[D] E]]"}, "0 A[B[C[D]]]; 0 A[B[E]]"},
		{"required and optional", nil, scopes.List{"*A A[B]"}, "0 A"},
		{"optional counts", []string{"A"}, scopes.List{"*A[*B]"}, "0 A[B]"},
		{"two trees as two elements", []string{"A", "A/B", "A'", "A'/C"}, scopes.List{"A[B]", "A[C]"}, ""},
		{"two trees as one element", []string{"A", "A/B", "A'", "A'/C"}, scopes.List{"A[B] A[C]"}, "0 A[C]"},
		{"the second tree is closer", []string{"A", "A/B", "A'", "A'/C", "A'/D"}, scopes.List{"A[B C D]"}, "0 A[B]"},
		{"the second child is closer", []string{"A", "A/B", "A/B'", "A/B'/C"}, scopes.List{"A[B[C D]]"}, "0 A[B[D]]"},
		{"the second child meets it", []string{"A", "A/B", "A/B'", "A/B'/C"}, scopes.List{"A[B[C]]"}, ""},
		{"twice asked, twice reported", nil, scopes.List{"A", "A"}, "0 A; 1 A"},
		{"shared dependency", []string{"A", "A/B", "A/C", "A/C/D"}, scopes.List{"A[B[D] C[D]]"}, "0 A[B[D]]"},
		{"names compare exactly", []string{"a"}, scopes.List{"A"}, "0 A"},
	}
	for _, test := range tests {
		forest := mustForest(t, chain(t, test.have...))
		missing, err := forest.Missing(test.required)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		var got []string
		for _, m := range missing {
			got = append(got, fmt.Sprint(m.Element, " ", m))
		}
		if joined := strings.Join(got, "; "); joined != test.want {
			t.Errorf("%s: got %q, want %q", test.name, joined, test.want)
		}
	}
	if got := (consents.Missing{}).String(); got != "" {
		t.Errorf("the zero Missing is %q", got)
	}
}

func TestForestMissing_MalformedScope(t *testing.T) {
	t.Parallel()
	forest := mustForest(t, chain(t, "A"))
	for _, required := range []scopes.List{{"A", "B["}, {"A", "B[A] A[B]"}} {
		ok, err := forest.Meets(required)
		if _, is := errors.AsType[*scopes.ParseError](err); ok || !is || !strings.HasPrefix(err.Error(), "consents: required scope 1 of the list: scopes: ") {
			t.Errorf("%q: %v, %v", required, ok, err)
		}
	}
}

func TestForestString_Trees(t *testing.T) {
	t.Parallel()
	list := chain(t, "A", "A/B", "A/B/C", "A/B/D", "A/E", "F")
	for i := range list {
		list[i].Client = "c"
	}
	list[1].AtomicallyRevocable = true
	list[2].Status = "denied\x1b[2J"
	list[4].Status = ""
	list[5].ScopeName = "F\n\u202egnp.exe"
	list = append(list, gen.Consent{ID: 7, DependencyPath: []int64{7}, ScopeName: "x (consent 8, client y)", Status: "approved"})
	const want = "" +
		"A (consent 1, client c)\n" +
		"├── *B (consent 2, client c)\n" +
		"│   ├── C (consent 3, client c, status \"denied\\x1b[2J\")\n" +
		"│   └── D (consent 4, client c)\n" +
		"└── E (consent 5, client c)\n" +
		"\"F\\n\\u202egnp.exe\" (consent 6, client c)\n" +
		"\"x (consent 8, client y)\" (consent 7, client \"\")\n"
	if got := mustForest(t, list).String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// A forest may be asked by several goroutines at once; the race detector says
// whether that is so.
func TestForest_ConcurrentUse(t *testing.T) {
	t.Parallel()
	forest := mustForest(t, chain(t, "A", "A/B", "A/B/C", "D"))
	want := forest.String()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			ok, err := forest.Meets(scopes.List{"A[B[C]]", "D"})
			missing, _ := forest.Missing(scopes.List{"A[B[C E]]"})
			node, _ := forest.Find(2)
			node.Consent().DependencyPath[0] = 9
			clear(forest.Trees())
			for range forest.Edges() {
				continue
			}
			if !ok || err != nil || len(missing) != 1 || forest.String() != want {
				t.Error("a shared forest changed")
			}
		})
	}
	wg.Wait()
}

// A hostile response must not use up the stack, the memory or the time.
func TestForestMissing_HostileTrees(t *testing.T) {
	t.Parallel()
	const many = 100_000
	deep := make([]gen.Consent, many)
	wide := make([]gen.Consent, many)
	cycle := make([]gen.Consent, many)
	for i := range int64(many) {
		deep[i] = gen.Consent{ID: i + 1, DependencyPath: []int64{i, i + 1}, ScopeName: "A", Status: "approved"}
		cycle[i] = gen.Consent{ID: i + 1, DependencyPath: []int64{i, i + 1}}
		wide[i] = gen.Consent{ID: i + 1, DependencyPath: []int64{1 + i%1000, i + 1}, ScopeName: "B", Status: "approved"}
		if i < 1000 {
			wide[i].DependencyPath = []int64{i + 1}
			wide[i].ScopeName = "A"
		}
	}
	deep[0].DependencyPath = []int64{1}
	cycle[0].DependencyPath = []int64{many, 1}

	if _, err := consents.NewForest(cycle); err == nil || !strings.Contains(err.Error(), "below itself") || len(err.Error()) > 300 {
		t.Errorf("a cycle of %d: %.300v", many, err)
	}
	forest := mustForest(t, deep)
	drawing := forest.String()
	if lines := strings.Count(drawing, "\n"); lines != 65 || !strings.HasSuffix(drawing, "└── ... 99936 more below\n") {
		t.Errorf("drawn on %d lines", lines)
	}
	forest = mustForest(t, wide)
	var dependencies scopes.List
	for i := range 10_000 {
		dependencies = append(dependencies, scopes.Scope(fmt.Sprintf("d%d", i)))
	}
	// 1000 trees of 100 consents, 10,000 requirements for each: every tree and every
	// consent must be compared with what has its name, not with all of them.
	missing, err := forest.Missing(scopes.List{
		scopes.Scope("A").With(scopes.Scope("B").With(dependencies...)).With(dependencies...),
	})
	if err != nil || len(missing) != 20_000 {
		t.Errorf("%d missing, %v", len(missing), err)
	}
}

// model is the naive form of the rules in the package comment.
func model(list []gen.Consent, required []scopes.Node) bool {
	children := map[int64][]gen.Consent{}
	for _, consent := range list {
		parent := int64(0)
		if n := len(consent.DependencyPath); n > 1 {
			parent = consent.DependencyPath[n-2]
		}
		children[parent] = append(children[parent], consent)
	}
	var meets func(parent int64, scope scopes.Node) bool
	meets = func(parent int64, scope scopes.Node) bool {
		return slices.ContainsFunc(children[parent], func(c gen.Consent) bool {
			return c.ScopeName == scope.Name() && !slices.ContainsFunc(scope.Dependencies(), func(d scopes.Node) bool {
				return !meets(c.ID, d)
			})
		})
	}
	return !slices.ContainsFunc(required, func(s scopes.Node) bool { return !meets(0, s) })
}

func TestForestMeets_AgreesWithModel(t *testing.T) {
	t.Parallel()
	names := rapid.SampledFrom([]string{"a", "b", "c", "d"})
	rapid.Check(t, func(t *rapid.T) {
		var list []gen.Consent
		for i := range rapid.IntRange(0, 14).Draw(t, "consents") {
			id := int64(i + 1)
			path := []int64{id}
			if parent := rapid.IntRange(0, i).Draw(t, "parent"); parent > 0 {
				path = append(slices.Clone(list[parent-1].DependencyPath), id)
			}
			list = append(list, gen.Consent{ID: id, DependencyPath: path, ScopeName: names.Draw(t, "scope")})
		}
		// Requirements are walks down from a root, so that many of them are met.
		var required scopes.List
		for range rapid.IntRange(0, 3).Draw(t, "elements") {
			var parts []string
			for range rapid.IntRange(1, 3).Draw(t, "walks") {
				walk := rapid.SliceOfNDistinct(names, 1, 3, rapid.ID[string]).Draw(t, "walk")
				parts = append(parts, consents.Missing{Path: walk}.String())
			}
			required = append(required, scopes.Scope(strings.Join(parts, " ")))
		}
		shuffled := rapid.Permutation(list).Draw(t, "order")
		forest, err := consents.NewForest(shuffled)
		if err != nil {
			t.Fatal(err)
		}
		want := true
		for _, element := range required {
			graph, err := scopes.Parse(string(element))
			if errors.Is(err, scopes.ErrCycle) {
				t.Skip("a cycle")
			}
			want = want && model(list, graph.Roots())
		}
		got, err := forest.Meets(required)
		if err != nil || got != want {
			t.Fatalf("%s meets %q: %v, %v, want %v", forest, required, got, err, want)
		}
		missing, err := forest.Missing(required)
		if err != nil || (len(missing) == 0) != want {
			t.Fatalf("%s: missing of %q: %v, %v", forest, required, missing, err)
		}
		for _, m := range missing {
			above := scopes.List{scopes.Scope(consents.Missing{Path: m.Path[:len(m.Path)-1]}.String())}
			if ok, err := forest.Meets(above); !ok || err != nil {
				t.Fatalf("%s: %s is missing, and %q above it too: %v", forest, m, above, err)
			}
			element := strings.ReplaceAll(string(required[m.Element]), "*", "")
			alone, _ := scopes.Parse(element)
			both, err := scopes.Parse(element + " " + m.String())
			if err != nil || both.String() != alone.String() {
				t.Fatalf("%s is missing but was not required by %q", m, required[m.Element])
			}
		}
	})
}
