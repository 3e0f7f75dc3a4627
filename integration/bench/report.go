package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Units of figures.
const (
	unitMS   = "ms"
	unitUS   = "µs"
	unitRate = "1/s"
)

// figure is one quantity of one way, taken several times.
type figure struct {
	Way    string    `json:"way"`
	What   string    `json:"what"`
	Unit   string    `json:"unit"`
	Values []float64 `json:"values"` // one a round
	Median float64   `json:"median"`
}

// report collects the figures of one run.
type report struct {
	Date    string    `json:"date"`
	Machine string    `json:"machine"`
	Rounds  int       `json:"rounds"`
	Streams int       `json:"streams"`
	Figures []*figure `json:"figures"`
}

func newReport(o options) *report {
	return &report{Date: time.Now().UTC().Format(time.DateOnly), Machine: machine(), Rounds: o.rounds, Streams: o.streams}
}

// machine is the processor and how many of it.
func machine() string {
	name := runtime.GOARCH
	text, _ := os.ReadFile("/proc/cpuinfo") // not everywhere
	for line := range strings.SplitSeq(string(text), "\n") {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			name = strings.TrimSpace(value)
			break
		}
	}
	return fmt.Sprintf("%d x %s", runtime.NumCPU(), name)
}

func (r *report) add(way, what, unit string, value float64) {
	f := r.figure(way, what)
	if f == nil {
		f = &figure{Way: way, What: what, Unit: unit}
		r.Figures = append(r.Figures, f)
	}
	f.Values = append(f.Values, value)
	sorted := slices.Sorted(slices.Values(f.Values))
	f.Median = quantile(sorted, .5)
}

func (r *report) figure(way, what string) *figure {
	for _, f := range r.Figures {
		if f.Way == way && f.What == what {
			return f
		}
	}
	return nil
}

// difference is how much more the first way takes than the second; false where
// one of them was not measured.
func (r *report) difference(a, b, what string) (float64, bool) {
	x, y := r.figure(a, what), r.figure(b, what)
	if x == nil || y == nil {
		return 0, false
	}
	return x.Median - y.Median, true
}

// tell prints the report and writes its files.
func (r *report) tell(out io.Writer, o options) error {
	fmt.Fprintf(out, "%s, %s, median (smallest to largest) of %d rounds\n", r.Date, r.Machine, r.Rounds)
	var names []string
	for _, f := range r.Figures {
		if !slices.Contains(names, f.What) {
			names = append(names, f.What)
		}
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, what := range names {
		fmt.Fprintf(table, "\n%s\t\t\t\n", what)
		for _, f := range r.Figures {
			if f.What == what {
				fmt.Fprintln(table, r.line(f))
			}
		}
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print report: %w", err)
	}
	r.sums(out)
	if o.json != "" {
		text, err := json.MarshalIndent(r, "", "  ")
		if err == nil {
			err = os.WriteFile(o.json, append(text, '\n'), 0o644)
		}
		if err != nil {
			return fmt.Errorf("write figures: %w", err)
		}
	}
	if o.svg != "" {
		if err := os.WriteFile(o.svg, []byte(r.draw()), 0o644); err != nil {
			return fmt.Errorf("write picture: %w", err)
		}
	}
	return nil
}

// line is a figure with what it is to the engine's own, or the reverse proxy's
// where the engine has none.
func (r *report) line(f *figure) string {
	ratio := ""
	for _, base := range []string{wayEngine, wayProxy, wayByHand} {
		b := r.figure(base, f.What)
		if kind, _, ok := strings.Cut(f.What, ", "); ok && base == wayProxy && strings.HasPrefix(kind, "CPU") {
			b = r.figure(wayProxy, kind+", proxy")
		}
		if b != nil && b.Median > 0 {
			ratio = fmt.Sprintf("%.2f x %s", f.Median/b.Median, base)
			break
		}
	}
	return fmt.Sprintf("  %s\t%.3g %s\t(%.3g to %.3g)\t%s", f.Way, f.Median, f.Unit, slices.Min(f.Values), slices.Max(f.Values), ratio)
}

// sums tells what the parts add.
func (r *report) sums(out io.Writer) {
	fmt.Fprintln(out, "\nwhat the parts add")
	for _, s := range []struct{ name, with, without, what, unit string }{
		{"the plugin, CPU per event in Traefik", wayAll, wayBare, "CPU per event, traefik", unitUS},
		{"the plugin, CPU per request in Traefik", wayAll, wayBare, "CPU per request, traefik", unitUS},
		{"the plugin, first event, 1 at a time", wayAll, wayBare, "first event, 1 at a time, p50", unitMS},
		{"the sidecar, first event, 1 at a time", waySidecar, wayEngine, "first event, 1 at a time, p50", unitMS},
		{"the whole way, first event, 1 at a time", wayAll, wayEngine, "first event, 1 at a time, p50", unitMS},
		{"the whole way, first event, 64 at a time", wayAll, wayEngine, "first event, 64 at a time, p50", unitMS},
		{"hal0, cold start", wayCold, wayByHand, coldStart, unitMS},
	} {
		if d, ok := r.difference(s.with, s.without, s.what); ok {
			fmt.Fprintf(out, "  %-42s %+.3g %s\n", s.name, d, s.unit)
		}
	}
}
