// report reads `go test -json` from standard input and tells a person what
// happened: failures with what they printed, skipped tests with their reasons,
// and one closing line with the counts.
//
//	go test -json ./... | report
//
// It exits 1 when a test or package failed, when nothing was run, and, with
// -strict, when a test was skipped for another reason than the machine's kernel.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"

	"github.com/hal0-dev/hal0/integration/bed"
)

type event struct {
	Action  string
	Package string
	Test    string
	Output  string
	Elapsed float64
}

// report adds up the events of one or more runs.
type report struct {
	out     io.Writer
	output  map[string][]string // by package and test
	counts  map[string]int      // pass, fail, skip: tests
	skips   []string
	refused int      // of the skipped tests: the machine's kernel does not let them run
	broken  []string // packages that failed beside their tests
	slowest []timed
}

type timed struct {
	name    string
	seconds float64
}

func main() {
	strict := flag.Bool("strict", false, "count a skipped test as a failure")
	flag.Parse()
	r := &report{out: os.Stdout, output: map[string][]string{}, counts: map[string]int{}}
	if err := r.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(2)
	}
	if !r.close(*strict) {
		os.Exit(1)
	}
}

func (r *report) read(in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Fprintln(r.out, lines.Text()) // a build's own words
			continue
		}
		r.add(e)
	}
	return lines.Err()
}

func (r *report) add(e event) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "output", "build-output":
		if e.Action == "build-output" {
			fmt.Fprint(r.out, e.Output)
			return
		}
		r.output[key] = append(r.output[key], e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			r.packageEnded(e)
			return
		}
		r.testEnded(e, key)
	}
}

func (r *report) testEnded(e event, key string) {
	r.counts[e.Action]++
	name := e.Test + "  (" + e.Package + ")"
	if !strings.Contains(e.Test, "/") {
		r.slowest = append(r.slowest, timed{name, e.Elapsed})
	}
	switch e.Action {
	case "fail":
		fmt.Fprintf(r.out, "FAILED %s\n%s", name, strings.Join(r.output[key], ""))
	case "skip":
		why := reason(r.output[key])
		r.skips = append(r.skips, name+": "+why)
		if strings.Contains(why, bed.Refused) {
			r.refused++
		}
	}
	delete(r.output, key)
}

func (r *report) packageEnded(e event) {
	key := e.Package + " "
	fmt.Fprintf(r.out, "%-4s %s  %.1f s\n", e.Action, e.Package, e.Elapsed)
	if e.Action == "fail" {
		r.broken = append(r.broken, e.Package)
		fmt.Fprint(r.out, strings.Join(r.output[key], ""))
		for k, lines := range r.output { // a test that a panic or a timeout cut off
			if strings.HasPrefix(k, key) && k != key {
				fmt.Fprintf(r.out, "UNFINISHED %s\n%s", strings.TrimPrefix(k, key), strings.Join(lines, ""))
				delete(r.output, k)
			}
		}
	}
	delete(r.output, key)
}

// reason is what a test said when it skipped itself.
func reason(output []string) string {
	for _, line := range output {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- ") {
			return line
		}
	}
	return "no reason given"
}

func (r *report) close(strict bool) bool {
	sort.Slice(r.slowest, func(i, j int) bool { return r.slowest[i].seconds > r.slowest[j].seconds })
	for i, s := range r.slowest {
		if i == 8 || s.seconds < 1 {
			break
		}
		fmt.Fprintf(r.out, "%6.1f s  %s\n", s.seconds, s.name)
	}
	if len(r.skips) > 0 {
		fmt.Fprintln(r.out, "skipped:")
	}
	for _, s := range r.skips {
		fmt.Fprintln(r.out, "  ", s)
	}
	failed := r.counts["fail"]
	if failed == 0 {
		failed = len(r.broken)
	}
	if strict {
		failed += len(r.skips) - r.refused
	}
	fmt.Fprintf(r.out, "%d passed, %d failed, %d skipped\n", r.counts["pass"], failed, r.counts["skip"])
	return failed == 0 && r.counts["pass"] > 0
}
