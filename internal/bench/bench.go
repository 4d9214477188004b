// Package bench is for benchmarks that compare: a floor, the subject and its peers
// run in turns, so that all of them meet the same load, and the results are one line
// of go test's output.
//
// The units of that line, with NAME for a case:
//
//	NAME-cpu-ns or NAME-ns   processor or wall time of one operation
//	NAME-allocs, NAME-B      allocations of one operation, of the whole process
//	NAME-x                   the time as a multiple of the first case's
//	max:UNIT                 the limit of another unit of the line
//
// tools/bench reads them.
package bench

import (
	"math"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"testing"
	"time"
)

// Case is a function to measure.
type Case struct {
	Name string // the first case of a benchmark is the floor
	Run  func()
	// Ops is the number of operations in one Run. Zero is one.
	Ops int
	// Limit is the maximum multiple of the floor's time. Zero is none.
	Limit float64
	// Clock replaces the clock, for work that another process does. Its allocations are not counted.
	Clock func() time.Duration
}

// CPU compares the processor time of cases: that of the process, and of the child
// processes it has waited for. Where the system has no such clock, it is wall time.
func CPU(b *testing.B, cases ...Case) {
	b.Helper()
	compare(b, "-cpu-ns", ProcessTime, 1, true, cases)
}

// Wall compares the wall time of cases, for what waits. It counts no allocations.
func Wall(b *testing.B, cases ...Case) {
	b.Helper()
	compare(b, "-ns", wallTime, 1, false, cases)
}

// Parallel compares the wall time for an operation when many goroutines run each case.
func Parallel(b *testing.B, goroutines int, cases ...Case) {
	b.Helper()
	compare(b, "-ns", wallTime, goroutines, true, cases)
}

// Report reports a value with its maximum.
func Report(b *testing.B, value float64, unit string, limit float64) {
	b.Helper()
	b.ReportMetric(value, unit)
	b.ReportMetric(limit, "max:"+unit)
}

// turn is how long a turn takes at least: long enough to contain the garbage collection
// that it causes, which is not started anew in another process. Short tests only count.
func (c Case) turn() time.Duration {
	switch {
	case testing.Short():
		return time.Millisecond
	case c.Clock != nil:
		return 100 * time.Millisecond
	default:
		return 10 * time.Millisecond
	}
}

var start = time.Now()

func wallTime() time.Duration { return time.Since(start) }

// sample holds the figures of one case, one for each round.
type sample struct{ times, ratios []float64 }

func compare(b *testing.B, unit string, clock func() time.Duration, goroutines int, counts bool, cases []Case) {
	b.Helper()
	for i := range cases {
		cases[i].Ops = max(cases[i].Ops, 1)
	}
	runs := make([]int, len(cases))
	for i, c := range cases {
		runs[i] = calibrate(c, goroutines)
	}
	samples := make([]sample, len(cases))
	for b.Loop() {
		for i, c := range cases {
			s := &samples[i]
			s.measure(c, clock, runs[i], goroutines)
			s.ratios = append(s.ratios, s.times[len(s.times)-1]/samples[0].times[len(s.times)-1])
		}
	}
	b.ReportMetric(0, "ns/op")
	for i, c := range cases {
		s := &samples[i]
		b.ReportMetric(median(s.times), c.Name+unit)
		if c.Clock == nil && counts {
			allocs, bytes := count(c)
			b.ReportMetric(allocs, c.Name+"-allocs")
			b.ReportMetric(bytes, c.Name+"-B")
		}
		switch {
		case i > 0 && c.Limit > 0:
			Report(b, median(s.ratios), c.Name+"-x", c.Limit)
		case i > 0:
			b.ReportMetric(median(s.ratios), c.Name+"-x")
		}
	}
}

// calibrate returns how many runs fill a turn.
func calibrate(c Case, goroutines int) int {
	begin := wallTime()
	c.Run()
	if wallTime()-begin > c.turn() {
		return goroutines
	}
	for runs := goroutines; ; runs *= 2 {
		begin := wallTime()
		repeat(c.Run, runs, goroutines)
		if took := wallTime() - begin; took >= c.turn()/2 {
			more := max(1, int(float64(c.turn())/float64(took)*float64(runs/goroutines)))
			return more * goroutines
		}
	}
}

// measure is one turn. It starts without garbage of the turn before.
func (s *sample) measure(c Case, clock func() time.Duration, runs, goroutines int) {
	if c.Clock != nil {
		clock = c.Clock
	}
	runtime.GC()
	begin := clock()
	repeat(c.Run, runs, goroutines)
	s.times = append(s.times, float64(clock()-begin)/float64(runs*c.Ops))
}

// count returns the allocations and bytes of one operation: the least of several tries, since other
// goroutines can only add to them. A collection during a try would empty pools.
func count(c Case) (allocs, bytes float64) {
	try := func(runs int) time.Duration {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		begin := wallTime()
		repeat(c.Run, runs, 1)
		took := wallTime() - begin
		runtime.ReadMemStats(&after)
		ops := float64(runs * c.Ops)
		allocs = min(allocs, math.Floor(float64(after.Mallocs-before.Mallocs)/ops))
		bytes = min(bytes, math.Floor(float64(after.TotalAlloc-before.TotalAlloc)/ops))
		return took
	}
	allocs, bytes = math.Inf(1), math.Inf(1)
	tries, runs := 5, 20
	switch took := try(1); {
	case took > 50*time.Millisecond: // one run is enough of them
		tries = 0
	case took > 2*time.Millisecond:
		runs = 2
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	for range tries {
		runtime.GC()
		c.Run()
		try(runs)
	}
	return allocs, bytes
}

func repeat(run func(), runs, goroutines int) {
	if goroutines == 1 {
		for range runs {
			run()
		}
		return
	}
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range runs / goroutines {
				run()
			}
		})
	}
	wg.Wait()
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// Max sets the maximum of a unit that a comparison reported.
func Max(b *testing.B, unit string, limit float64) {
	b.Helper()
	b.ReportMetric(limit, "max:"+unit)
}
