// Command bench runs the benchmarks of all modules and writes docs/benchmarks.md from them:
//
//	go -C tools run ./bench              # all, about ten minutes on two idle cores
//	go -C tools run ./bench -only scopes # the packages that match; figures of the others stay
//	go -C tools run ./bench -render      # the document again, from docs/benchmarks.txt
//	go -C tools run ./bench -gate        # what is counted, compared with tools/bench/gates.txt
//	go -C tools run ./bench -gate -update
//
// The texts of the document are the doc comments of the benchmarks, and head.md. It ends
// with status 1 if a benchmark fails, or a figure is over its limit or not what gates.txt
// says. See internal/bench for the benchmarks' units.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"
)

func main() {
	o := options{}
	only := flag.String("only", "", "regular expression of packages (folders in the repository)")
	flag.StringVar(&o.time, "benchtime", "2s", "time or number of rounds (like 5x) of each benchmark")
	flag.IntVar(&o.count, "count", 3, "runs of each benchmark; the medians count")
	flag.BoolVar(&o.gate, "gate", false, "compare only what is counted with gates.txt")
	flag.BoolVar(&o.update, "update", false, "with -gate: write gates.txt")
	flag.BoolVar(&o.render, "render", false, "write the document from docs/benchmarks.txt, without running anything")
	flag.StringVar(&o.root, "root", "..", "folder of the repository")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if o.only, err = regexp.Compile(*only); err == nil {
		err = o.run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type options struct {
	root, time           string
	count                int
	only                 *regexp.Regexp
	gate, update, render bool
}

func (o options) run(ctx context.Context) error {
	packages, err := findPackages(o.root)
	if err != nil {
		return err
	}
	raw, gates := filepath.Join(o.root, "docs", "benchmarks.txt"), filepath.Join(o.root, "tools", "bench", "gates.txt")
	if o.render {
		old, err := read(raw)
		if err != nil {
			return err
		}
		return writeDocument(o.root, packages, old)
	}
	var fresh results
	var problems []string
	chosen := o.chosen(packages)
	for i, p := range chosen {
		begin := time.Now()
		fmt.Fprintf(os.Stderr, "[%d/%d] %s\n", i+1, len(chosen), p.dir)
		found, err := o.benchmark(ctx, p)
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", p.dir, err))
			continue
		}
		fresh = append(fresh, found...)
		fmt.Fprintf(os.Stderr, "[%d/%d] %s took %s\n", i+1, len(chosen), p.dir, time.Since(begin).Round(time.Second))
	}
	switch {
	case o.gate && o.update:
		err = updateGates(gates, fresh, packages)
	case o.gate:
		var failed []string
		failed, err = checkGates(gates, fresh, chosen)
		problems = append(problems, failed...)
	default:
		old, readErr := read(raw)
		if readErr != nil && !os.IsNotExist(readErr) {
			return readErr
		}
		all := fresh.over(old, packages)
		if err = all.write(raw); err == nil {
			err = writeDocument(o.root, packages, all)
		}
		problems = append(problems, fresh.overLimit()...)
	}
	if err != nil {
		return err
	}
	for _, p := range problems {
		fmt.Fprintln(os.Stderr, "FAIL", p)
	}
	if len(problems) > 0 {
		return fmt.Errorf("%d problems", len(problems))
	}
	return nil
}

func (o options) chosen(packages []pkg) (chosen []pkg) {
	for _, p := range packages {
		if o.only.MatchString(p.dir) {
			chosen = append(chosen, p)
		}
	}
	return chosen
}

// benchmark runs the benchmarks of a package, prints their lines as they come, and reads
// them.
func (o options) benchmark(ctx context.Context, p pkg) (results, error) {
	args := []string{"test", "-tags", "interop", "-run", "^$", "-bench", ".", "-timeout", "30m"}
	if o.gate {
		args = append(args, "-short", "-benchtime", "5x", "-count", "1")
	} else {
		args = append(args, "-benchtime", o.time, "-count", fmt.Sprint(o.count))
	}
	command := exec.CommandContext(ctx, "go", append(args, p.pattern())...)
	command.Dir = filepath.Join(o.root, p.module)
	command.Stderr = os.Stderr
	stdout, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "date: %s\ngo: %s\ncpus: %d\n", time.Now().UTC().Format(time.DateOnly), runtime.Version(), runtime.NumCPU())
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		text.WriteString(lines.Text() + "\n")
		fmt.Fprintln(os.Stderr, "   ", lines.Text())
	}
	if err := command.Wait(); err != nil {
		return nil, err
	}
	return parse(strings.NewReader(text.String()))
}
