package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// output is what go test prints for a comparison, in three runs.
const output = `pkg: example.org/m/p
cpu: A Processor
BenchmarkA/b-8 10 100.0 floor-cpu-ns 1.0 floor-allocs 150.0 ours-cpu-ns 1.5 ours-x 1.4 max:ours-x 30 ours-allocs 1000 ours-B 2 requests/op
BenchmarkA/b-8 10 100.0 floor-cpu-ns 1.0 floor-allocs 120.0 ours-cpu-ns 1.2 ours-x 1.4 max:ours-x 30 ours-allocs 1000 ours-B 2 requests/op
BenchmarkA/b-8 10 100.0 floor-cpu-ns 1.0 floor-allocs 130.0 ours-cpu-ns 1.3 ours-x 1.4 max:ours-x 30 ours-allocs 1000 ours-B 2 requests/op
`

var packages = []pkg{{dir: "p", module: ".", path: "example.org/m/p", docs: []doc{{"A", "BenchmarkA is a benchmark."}}}}

func parsed(t *testing.T, text string) results {
	t.Helper()
	list, err := parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestResults_OverLimit(t *testing.T) {
	t.Parallel()
	if over := parsed(t, output).overLimit(); len(over) != 0 {
		t.Errorf("the median is under the limit: %q", over)
	}
	if over := parsed(t, strings.ReplaceAll(output, "1.3 ours-x", "1.6 ours-x")).overLimit(); len(over) != 1 || !strings.Contains(over[0], "A/b: ours-x is 1.5, the limit is 1.4") {
		t.Errorf("%q", over)
	}
}

func TestCheckGates_Differences(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "gates.txt")
	if err := updateGates(name, parsed(t, output), packages); err != nil {
		t.Fatal(err)
	}
	for change, want := range map[string]string{
		"1.2 ours-x 2 ours-x":             "", // a time
		"1.0 floor-allocs 9 floor-allocs": "", // of the floor
		"1000 ours-B 1049 ours-B":         "",
		"1000 ours-B 1051 ours-B":         "ours-B is 1,051, gates.txt says 1,000",
		"30 ours-allocs 31 ours-allocs":   "ours-allocs is 31, gates.txt says 30",
		"30 ours-allocs 29 ours-allocs":   "ours-allocs is 29, gates.txt says 30",
		"2 requests/op 3 requests/op":     "requests/op is 3, gates.txt says 2",
		"BenchmarkA/b-8 BenchmarkC-8":     "A/b did not run",
	} {
		words := strings.Fields(change)
		half := len(words) / 2
		text := strings.ReplaceAll(output, strings.Join(words[:half], " "), strings.Join(words[half:], " "))
		problems, err := checkGates(name, parsed(t, text), packages)
		if err != nil {
			t.Fatal(err)
		}
		if all := strings.Join(problems, "\n"); !strings.Contains(all, want) || (want == "") != (all == "") {
			t.Errorf("%s: %q, want %q", change, all, want)
		}
	}
}

func TestFindPackages_DocumentedBenchmarks(t *testing.T) {
	t.Parallel()
	list, err := findPackages("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		for _, d := range p.docs {
			if !strings.HasPrefix(d.text, "Benchmark"+d.name) {
				t.Errorf("%s: Benchmark%s has no doc comment, which is its text in docs/benchmarks.md", p.dir, d.name)
			}
		}
	}
	if len(list) < 10 {
		t.Errorf("%d packages", len(list))
	}
}
