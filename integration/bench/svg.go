package main

import (
	"fmt"
	"html"
	"slices"
	"strings"
)

// drawn are the quantities in the picture.
var drawn = []string{
	"first event, 1 at a time, p50",
	"first event, 64 at a time, p50",
	"gap between events, p99",
	coldStart,
}

// draw is the report as bars, one group a quantity, with the spread as a line.
func (r *report) draw() string {
	const width, label, bar, top = 720, 230, 18, 40
	var b strings.Builder
	y := top
	for _, what := range drawn {
		var figures []*figure
		largest := 0.0
		for _, f := range r.Figures {
			if f.What == what {
				figures = append(figures, f)
				largest = max(largest, slices.Max(f.Values))
			}
		}
		if len(figures) == 0 {
			continue
		}
		fmt.Fprintf(&b, `<text x="10" y="%d" font-weight="bold">%s, %s</text>`+"\n", y+12, html.EscapeString(what), figures[0].Unit)
		y += 22
		scale := func(v float64) float64 { return v / largest * (width - label - 90) }
		for _, f := range figures {
			middle := y + bar/2 - 2
			fmt.Fprintf(&b, `<text x="10" y="%d">%s</text><rect x="%d" y="%d" width="%.1f" height="%d" fill="#4a7fb5"/>`, y+12, html.EscapeString(f.Way), label, y, scale(f.Median), bar-4)
			fmt.Fprintf(&b, `<path d="M%.1f %dH%.1f" stroke="#222"/><text x="%.1f" y="%d">%.3g</text>`+"\n",
				label+scale(slices.Min(f.Values)), middle, label+scale(slices.Max(f.Values)), label+scale(slices.Max(f.Values))+6, y+12, f.Median)
			y += bar
		}
		y += 14
	}
	head := fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n"+`<rect width="100%%" height="100%%" fill="#fff"/>`+"\n"+`<text x="10" y="20">%s, %s, median of %d rounds</text>`+"\n",
		width, y, r.Date, html.EscapeString(r.Machine), r.Rounds)
	return head + b.String() + "</svg>\n"
}
