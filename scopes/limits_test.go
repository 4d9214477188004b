package scopes_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/globusauth/globusauth/scopes"
)

const mebibyte = 1 << 20

// nested returns s1[s2[s3...]], depth levels deep.
func nested(depth int) string {
	var b strings.Builder
	for i := range depth {
		if i > 0 {
			b.WriteByte('[')
		}
		fmt.Fprintf(&b, "s%d", i)
	}
	b.WriteString(strings.Repeat("]", depth-1))
	return b.String()
}

// chained returns s0[s1] s1[s2] ..., which merging makes as deep as it is long.
func chained(depth int) string {
	var b strings.Builder
	for i := range depth - 1 {
		fmt.Fprintf(&b, "s%d[s%d] ", i, i+1)
	}
	return b.String()
}

// upward is chained with its last part first, so that every scope is known before the ones above it.
func upward(depth int) string {
	parts := strings.Fields(chained(depth))
	slices.Reverse(parts)
	return strings.Join(parts, " ")
}

// doubling returns a graph of 2n+1 names that has 2^n leaves in full.
func doubling(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "a%d[a%d b%d] b%d[a%d b%d] ", i, i+1, i+1, i, i+1, i+1)
	}
	return b.String()
}

func TestParse_DepthLimit(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(int) string{"nested": nested, "chained": chained, "upward": upward} {
		graph, err := scopes.Parse(make(64))
		if err != nil {
			t.Errorf("%s: 64 levels: %v", name, err)
			continue
		}
		if again := mustParse(t, graph.String()); again.String() != graph.String() {
			t.Errorf("%s: 64 levels do not survive printing", name)
		}
		if _, err := scopes.Parse(make(65)); !errors.Is(err, scopes.ErrTooLarge) {
			t.Errorf("%s: 65 levels: %v, want ErrTooLarge", name, err)
		}
	}
	// Far deeper, no call stack grows with it.
	for name, text := range map[string]string{
		"brackets":      strings.Repeat("a[", mebibyte/2),
		"only brackets": strings.Repeat("[", mebibyte),
	} {
		if _, err := scopes.Parse(text); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := scopes.Parse(chained(20_000)); !errors.Is(err, scopes.ErrTooLarge) {
		t.Errorf("a chain of 20000: %v, want ErrTooLarge", err)
	}
	for length, want := range map[int]error{63: scopes.ErrCycle, 64: scopes.ErrCycle, 65: scopes.ErrTooLarge, 10_000: scopes.ErrTooLarge} {
		if _, err := scopes.Parse(chained(length) + fmt.Sprintf("s%d[s0]", length-1)); !errors.Is(err, want) {
			t.Errorf("a cycle of %d: %v, want %v", length, err, want)
		}
	}
}

func TestParse_TextLimit(t *testing.T) {
	t.Parallel()
	full := strings.Repeat("x", mebibyte)
	if graph, err := scopes.Parse(full); err != nil || graph.String() != full {
		t.Errorf("1 MiB: %v", err)
	}
	if _, err := scopes.Parse(full + "x"); !errors.Is(err, scopes.ErrTooLarge) {
		t.Errorf("a byte more: %v, want ErrTooLarge", err)
	}
	if _, err := scopes.Parse(strings.Repeat("a ", mebibyte)); !errors.Is(err, scopes.ErrTooLarge) {
		t.Errorf("2 MiB that print as one letter: %v, want ErrTooLarge", err)
	}
	var many scopes.List
	for range mebibyte/2 + 1 {
		many = append(many, "a")
	}
	if err := many.Validate(); !errors.Is(err, scopes.ErrTooLarge) {
		t.Errorf("1 MiB and a byte, spaces between the elements included: %v, want ErrTooLarge", err)
	}
	if err := many[1:].Validate(); err != nil {
		t.Errorf("two bytes less: %v", err)
	}
	half := scopes.Scope(full[:mebibyte/2])
	list := scopes.List{half, "y" + half}
	if err := list.Validate(); !errors.Is(err, scopes.ErrTooLarge) {
		t.Errorf("1 MiB and a byte in two elements: %v, want ErrTooLarge", err)
	}
}

// Shared dependencies are written at every place, so a short text can be
// astronomically long in full. It is refused before it is printed.
func TestParse_ExpansionLimit(t *testing.T) {
	t.Parallel()
	const length = (mebibyte - 12) / 2 // of a name that, twice and with 12 characters around it, is 1 MiB
	text := "x[*" + strings.Repeat("z", length) + "] y[x]"
	if graph, err := scopes.Parse(text); err != nil || len(graph.String()) != mebibyte {
		t.Errorf("1 MiB in full: %v", err)
	}
	if _, err := scopes.Parse(strings.Replace(text, "y", "yy", 1)); !errors.Is(err, scopes.ErrTooLarge) {
		t.Errorf("a byte more in full: %v, want ErrTooLarge", err)
	}
	for n := 1; n <= 60; n++ {
		text := doubling(n)
		graph, err := scopes.Parse(text)
		if err != nil {
			if !errors.Is(err, scopes.ErrTooLarge) || n < 12 {
				t.Errorf("doubling(%d), %d bytes: %v", n, len(text), err)
			}
			continue
		}
		printed := graph.String()
		if len(printed) > mebibyte || n > 16 {
			t.Errorf("doubling(%d): printed %d bytes", n, len(printed))
		}
		if again := mustParse(t, printed); again.String() != printed {
			t.Errorf("doubling(%d) is not stable", n)
		}
	}
}

// hostile returns about size bytes of text in shapes that reward a parser with a
// slow step somewhere.
func hostile(size int) map[string]string {
	return map[string]string{
		"one name":           strings.Repeat("x", size),
		"spaces":             strings.Repeat(" ", size),
		"the same root":      strings.Repeat("a ", size/2),
		"the same edge":      strings.Repeat("a[b] ", size/5),
		"marks":              strings.Repeat("*a a ", size/5),
		"many roots":         numbered("s%06d ", size),
		"many dependencies":  "a[" + numbered("s%06d ", size-4) + "]",
		"dependencies twice": "a[" + numbered("s%06d ", size/2-2) + numbered("*s%06d ", size/2-4) + "]",
		"one each":           numbered("s%06d[x] ", size),
		"one for all":        numbered("a[s%06d] ", size),
		"wide and shared":    numbered("s%06d[x[y[z]]] ", size),
		"deep again":         strings.Repeat(nested(20)+" ", size/(len(nested(20))+1)),
	}
}

func numbered(format string, size int) string {
	var b strings.Builder
	for i := 0; b.Len() < size-16; i++ {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// Memory grows as the text does: 16 times the text, at most 16 times the bytes
// and only logarithmically more allocations. BenchmarkLinear shows it of time.
//
//nolint:paralleltest // Counts allocations of the process.
func TestParse_LinearTime(t *testing.T) {
	measure := func(text string) (bytes, mallocs uint64) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		graph, err := scopes.Parse(text)
		runtime.ReadMemStats(&after)
		if err != nil {
			t.Fatal(err)
		}
		runtime.KeepAlive(graph)
		return after.TotalAlloc - before.TotalAlloc, after.Mallocs - before.Mallocs
	}
	small, large := hostile(mebibyte/64), hostile(mebibyte/4)
	for name := range small {
		bytesSmall, mallocsSmall := measure(small[name])
		bytesLarge, mallocsLarge := measure(large[name])
		// Tables grow by doubling and by groups, so the size just before and just
		// after a step differ by up to two.
		if bytesLarge > 2*16*bytesSmall+4096 {
			t.Errorf("%s: %d bytes for 16 KiB, %d for 256 KiB", name, bytesSmall, bytesLarge)
		}
		if bytesLarge > 25*mebibyte {
			t.Errorf("%s: %d bytes for 256 KiB", name, bytesLarge)
		}
		if mallocsLarge > 16*mallocsSmall+100 {
			t.Errorf("%s: %d allocations for 16 KiB, %d for 256 KiB", name, mallocsSmall, mallocsLarge)
		}
		t.Logf("%-20s %10d %10d bytes, %5d %5d allocations", name, bytesSmall, bytesLarge, mallocsSmall, mallocsLarge)
	}
}

// All that a graph offers may be used by several goroutines at once; the race
// detector says whether that is so.
func TestGraph_ConcurrentUse(t *testing.T) {
	t.Parallel()
	graph := mustParse(t, "z[b *a] y[z[*c]] openid")
	want := graph.String()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			roots := graph.Roots()
			clear(roots[0].Dependencies())
			if graph.String() != want || graph.List().String() != want || len(roots) != 3 {
				t.Error("a shared graph changed")
			}
		})
	}
	wg.Wait()
}

func TestGraphString_HostileTextIsStable(t *testing.T) {
	t.Parallel()
	for name, text := range hostile(mebibyte / 32) {
		graph := mustParse(t, text)
		printed := graph.String()
		again := mustParse(t, printed)
		if again.String() != printed {
			t.Errorf("%s: not stable", name)
		}
		if joined := graph.List().String(); joined != printed {
			t.Errorf("%s: List and String differ", name)
		}
	}
}
