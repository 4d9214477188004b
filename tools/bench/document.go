package main

import (
	_ "embed"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

//go:embed head.md
var head string

// writeDocument writes docs/benchmarks.md and its charts.
func writeDocument(root string, packages []pkg, all results) error {
	var b strings.Builder
	b.WriteString(head)
	limits(&b, packages, all)
	for _, p := range packages {
		of := all.of(p)
		if len(of) == 0 {
			continue
		}
		lines := of.lines()
		fmt.Fprintf(&b, "\n## %s\n\n", p.title())
		if chart := chart(lines); chart != "" {
			name := "benchmarks-" + strings.ReplaceAll(p.title(), "/", "-") + ".svg"
			if err := os.MkdirAll(filepath.Join(root, "docs", "images"), 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(root, "docs", "images", name), []byte(chart), 0o644); err != nil {
				return err
			}
			fmt.Fprintf(&b, "![Times as multiples of the first row of each table](images/%s)\n\n", name)
		}
		for _, d := range p.docs {
			section(&b, d, lines)
		}
		r := of[0]
		fmt.Fprintf(&b, "Measured on %s with %s on %s cores of %s, %s.", r.GetConfig("date"), r.GetConfig("go"), r.GetConfig("cpus"), r.GetConfig("cpu"), r.GetConfig("goos"))
		if len(p.peers) > 0 {
			fmt.Fprintf(&b, " With %s.", strings.Join(p.peers, ", "))
		}
		fmt.Fprintf(&b, "\n\n```console\n$ %s\n```\n", p.command())
	}
	return os.WriteFile(filepath.Join(root, "docs", "benchmarks.md"), []byte(b.String()), 0o644)
}

func (p pkg) title() string {
	if p.dir == "." {
		return "globusauth"
	}
	return filepath.ToSlash(p.dir)
}

func (p pkg) command() string {
	command := "go test "
	if p.module != "." {
		command = "go test -C " + filepath.ToSlash(p.module) + " -tags interop "
	}
	return command + "-run '^$' -bench . " + p.pattern()
}

// limits writes the table of all limits.
func limits(b *strings.Builder, packages []pkg, all results) {
	b.WriteString("\n## Limits\n\n| benchmark | what | limit | measured | |\n|---|---|---|---|---|\n")
	for _, p := range packages {
		for _, l := range all.of(p).lines() {
			for _, unit := range sortedKeys(l.units) {
				limit, ok := l.limit(unit)
				if !ok {
					continue
				}
				kept := "kept"
				if l.units[unit] > limit {
					kept = "**exceeded**"
				}
				fmt.Fprintf(b, "| %s %s | %s | %s | %s | %s |\n", p.title(), l.name, describe(unit), show(unit, limit), show(unit, l.units[unit]), kept)
			}
		}
	}
}

// section writes what a benchmark is about and its table.
func section(b *strings.Builder, d doc, lines []line) {
	fmt.Fprintf(b, "%s\n\n", strings.Replace(d.text, "Benchmark"+d.name, "`"+d.name+"`", 1))
	started := false
	var rest strings.Builder
	for _, l := range lines {
		name, sub, _ := strings.Cut(l.name, "/")
		if name != d.name {
			continue
		}
		list, cpu := l.cases()
		kind := " wall"
		if cpu {
			kind = ""
		}
		for _, m := range list {
			if !started {
				b.WriteString("| | time | ratio | limit | allocations | bytes |\n|---|---|---|---|---|---|\n")
				started = true
			}
			limit := math.NaN()
			if value, ok := l.limit(m.name + "-x"); ok {
				limit = value
			}
			fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s |\n", strings.TrimSpace(sub+" "+m.name), duration(m.time)+kind,
				orNothing(m.ratio), orNothing(limit), orNothing(m.allocs), orNothing(m.bytes))
		}
		for _, unit := range l.others() {
			fmt.Fprintf(&rest, "| %s | %s |\n", strings.TrimSpace(sub+" "+describe(unit)), show(unit, l.units[unit]))
		}
	}
	if started {
		b.WriteString("\n")
	}
	if rest.Len() > 0 {
		fmt.Fprintf(b, "| | |\n|---|---|\n%s\n", &rest)
	}
}

// describe says in words what a unit is.
func describe(unit string) string {
	for _, suffix := range [][2]string{{"-x", "ratio"}, {"-cpu-ns", "CPU time"}, {"-ns", "wall time"}, {"-allocs", "allocations"}} {
		if name, ok := strings.CutSuffix(unit, suffix[0]); ok {
			return name + ", " + suffix[1]
		}
	}
	return unit
}

// show formats a value of a unit.
func show(unit string, value float64) string {
	if strings.HasSuffix(unit, "-ns") {
		return duration(value)
	}
	return short(value)
}

func duration(ns float64) string {
	for _, u := range []struct {
		size float64
		name string
	}{{1e9, "s"}, {1e6, "ms"}, {1e3, "µs"}} {
		if ns >= u.size {
			return short(ns/u.size) + " " + u.name
		}
	}
	return short(ns) + " ns"
}

func orNothing(value float64) string {
	if math.IsNaN(value) {
		return ""
	}
	return short(value)
}

// short formats a number with three digits, or all of an integer.
func short(value float64) string {
	if value >= 100 || value == math.Trunc(value) {
		text := strconv.FormatFloat(math.Round(value), 'f', -1, 64)
		for i := len(text) - 3; i > 0; i -= 3 {
			text = text[:i] + "," + text[i:]
		}
		return text
	}
	return strconv.FormatFloat(value, 'g', 3, 64)
}

func sortedKeys(units map[string]float64) []string { return slices.Sorted(maps.Keys(units)) }
