package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/perf/benchfmt"
)

// results are lines of benchmarks.
type results []*benchfmt.Result

func read(name string) (results, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	return parse(file)
}

func parse(text io.Reader) (results, error) {
	var list results
	reader := benchfmt.NewReader(text, "")
	for reader.Scan() {
		if r, ok := reader.Result().(*benchfmt.Result); ok {
			list = append(list, r.Clone())
		}
	}
	return list, reader.Err()
}

func (rs results) write(name string) error {
	var text strings.Builder
	writer := benchfmt.NewWriter(&text)
	for _, r := range rs {
		if err := writer.Write(r); err != nil {
			return err
		}
	}
	return os.WriteFile(name, []byte(text.String()), 0o644)
}

// over returns the results with the old ones of packages that have no new ones, in the order
// of the packages.
func (rs results) over(old results, packages []pkg) (all results) {
	for _, p := range packages {
		of := rs.of(p)
		if len(of) == 0 {
			of = old.of(p)
		}
		all = append(all, of...)
	}
	return all
}

func (rs results) of(p pkg) (of results) {
	for _, r := range rs {
		if r.GetConfig("pkg") == p.path {
			of = append(of, r)
		}
	}
	return of
}

// line is a benchmark with the medians of its units over all its runs.
type line struct {
	pkg, name string
	units     map[string]float64
}

var processors = regexp.MustCompile(`-\d+$`) // GOMAXPROCS at the end of a name

// lines merges the runs of each benchmark.
func (rs results) lines() (list []line) {
	values := map[string]map[string][]float64{}
	for _, r := range rs {
		l := line{pkg: r.GetConfig("pkg"), name: processors.ReplaceAllString(r.Name.String(), "")}
		if values[l.pkg+" "+l.name] == nil {
			values[l.pkg+" "+l.name] = map[string][]float64{}
			list = append(list, l)
		}
		for _, v := range r.Values {
			unit, value := v.Unit, v.Value
			if v.OrigUnit != "" {
				unit, value = v.OrigUnit, v.OrigValue
			}
			values[l.pkg+" "+l.name][unit] = append(values[l.pkg+" "+l.name][unit], value)
		}
	}
	for i, l := range list {
		list[i].units = map[string]float64{}
		for unit, of := range values[l.pkg+" "+l.name] {
			slices.Sort(of)
			list[i].units[unit] = of[len(of)/2]
		}
	}
	slices.SortStableFunc(list, func(a, b line) int { // sub-benchmarks may come in any order
		if a.pkg != b.pkg || strings.Split(a.name, "/")[0] != strings.Split(b.name, "/")[0] {
			return 0
		}
		return strings.Compare(a.name, b.name)
	})
	return list
}

const limitPrefix = "max:"

// limit returns the limit of a unit.
func (l line) limit(unit string) (float64, bool) {
	limit, ok := l.units[limitPrefix+unit]
	return limit, ok
}

// overLimit says which figures are over their limits.
func (rs results) overLimit() (over []string) {
	for _, l := range rs.lines() {
		for _, unit := range sortedKeys(l.units) {
			if limit, ok := l.limit(unit); ok && l.units[unit] > limit {
				over = append(over, fmt.Sprintf("%s %s: %s is %s, the limit is %s", l.pkg, l.name, unit, short(l.units[unit]), short(limit)))
			}
		}
	}
	return over
}

// measured is one case of a benchmark.
type measured struct {
	name          string
	time          float64 // ns; NaN for none
	ratio         float64 // NaN for the case that the others are compared with
	allocs, bytes float64 // NaN for none
}

// cases returns what a benchmark compared: the floor first, then by time. CPU reports
// whether it is processor time.
func (l line) cases() (list []measured, cpu bool) {
	get := func(unit string) float64 {
		if value, ok := l.units[unit]; ok {
			return value
		}
		return math.NaN()
	}
	for _, unit := range sortedKeys(l.units) {
		name, isCPU := strings.CutSuffix(unit, "-cpu-ns")
		if !isCPU {
			wall := false
			if name, wall = strings.CutSuffix(unit, "-ns"); !wall {
				continue
			}
		}
		if strings.HasPrefix(name, limitPrefix) {
			continue
		}
		cpu = cpu || isCPU
		list = append(list, measured{name, l.units[unit], get(name + "-x"), get(name + "-allocs"), get(name + "-B")})
	}
	slices.SortStableFunc(list, func(a, b measured) int {
		switch {
		case math.IsNaN(a.ratio) == math.IsNaN(b.ratio):
			return int(a.time - b.time)
		case math.IsNaN(a.ratio):
			return -1
		default:
			return 1
		}
	})
	return list, cpu
}

// others returns the units that belong to no case.
func (l line) others() (units []string) {
	list, _ := l.cases()
	for _, unit := range sortedKeys(l.units) {
		ofCase := slices.ContainsFunc(list, func(m measured) bool {
			return strings.HasPrefix(unit, m.name+"-") && slices.Contains([]string{"cpu-ns", "ns", "x", "allocs", "B"}, unit[len(m.name)+1:])
		})
		if !ofCase && !strings.HasPrefix(unit, limitPrefix) && unit != "ns/op" {
			units = append(units, unit)
		}
	}
	return units
}
