package main

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strings"

	"golang.org/x/perf/benchfmt"
)

// tolerance is how far a unit may be from what gates.txt says, as a part of it; units that
// are not counted have none. Allocations under 50 are exact: the rest has goroutines of
// net/http beside it.
func tolerance(unit string) (float64, bool) {
	switch {
	case strings.HasSuffix(unit, "-allocs"):
		return 0.02, true
	case strings.HasSuffix(unit, "-B"), strings.Contains(unit, "-B/"):
		return 0.05, true
	case strings.HasSuffix(unit, "/op") && unit != "ns/op":
		return 0, true
	}
	return 0, false
}

// counted returns the units of a benchmark that a gate guards: of the cases that have a limit; if
// none has one, of all but the floor.
func (l line) counted() (units []string) {
	list, cpu := l.cases()
	limited := func(m measured) bool {
		for unit := range l.units {
			if strings.HasPrefix(unit, limitPrefix+m.name+"-") {
				return true
			}
		}
		return false
	}
	any := slices.ContainsFunc(list, limited)
	guarded := func(m measured) bool { return limited(m) || !any && (len(list) == 1 || !math.IsNaN(m.ratio)) }
	for _, m := range list {
		if cpu && guarded(m) && !math.IsNaN(m.allocs) { // wall time is for what waits or runs in parallel
			units = append(units, m.name+"-allocs", m.name+"-B")
		}
	}
	for _, unit := range l.others() {
		if _, ok := tolerance(unit); ok {
			units = append(units, unit)
		}
	}
	slices.Sort(units)
	return units
}

// updateGates writes what is counted. Packages that did not run keep their gates.
func updateGates(name string, fresh results, packages []pkg) error {
	old, err := read(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var gates results
	for _, l := range fresh.lines() {
		gate := &benchfmt.Result{
			Name: benchfmt.Name(l.name), Iters: 1,
			Config: []benchfmt.Config{{Key: "pkg", Value: []byte(l.pkg), File: true}},
		}
		for _, unit := range l.counted() {
			gate.Values = append(gate.Values, benchfmt.Value{Value: l.units[unit], Unit: unit})
		}
		if len(gate.Values) > 0 {
			gates = append(gates, gate)
		}
	}
	return gates.over(old, packages).write(name)
}

// checkGates says what differs from the file, for the packages that ran.
func checkGates(name string, fresh results, ran []pkg) (problems []string, err error) {
	gates, err := read(name)
	if err != nil {
		return nil, err
	}
	now := fresh.lines()
	for _, gate := range gates.lines() {
		if !slices.ContainsFunc(ran, func(p pkg) bool { return p.path == gate.pkg }) {
			continue
		}
		at := slices.IndexFunc(now, func(l line) bool { return l.pkg == gate.pkg && l.name == gate.name })
		if at < 0 {
			problems = append(problems, fmt.Sprintf("%s %s did not run: remove it from gates.txt with -update", gate.pkg, gate.name))
			continue
		}
		for _, unit := range sortedKeys(gate.units) {
			want, allowed := gate.units[unit], 0.0
			allowed, _ = tolerance(unit)
			got, ok := now[at].units[unit]
			if !ok || math.Abs(got-want) > allowed*want {
				problems = append(problems, fmt.Sprintf("%s %s: %s is %s, gates.txt says %s", gate.pkg, gate.name, unit, short(got), short(want)))
			}
		}
	}
	known := gates.lines()
	for _, l := range now {
		same := func(gate line) bool { return l.pkg == gate.pkg && l.name == gate.name }
		if len(l.counted()) > 0 && !slices.ContainsFunc(known, same) {
			problems = append(problems, fmt.Sprintf("%s %s is not in gates.txt: add it with -update", l.pkg, l.name))
		}
	}
	return problems, nil
}
