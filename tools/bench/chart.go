package main

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
)

// chart draws the ratios of a package as bars, with marks at one and at the limits. It is empty
// if there are none. Colours follow the reader's preference for light or dark.
func chart(lines []line) string {
	const (
		left, width, right, row, top = 300, 400, 110, 22, 26
		most                         = 4.0 // longer bars are cut
	)
	type bar struct {
		label  string
		value  float64
		limit  float64
		time   float64
		starts bool // of a benchmark
	}
	var bars []bar
	for _, l := range lines {
		list, _ := l.cases()
		if len(list) < 2 {
			continue
		}
		for i, m := range list {
			limit, _ := l.limit(m.name + "-x")
			if i == 0 {
				m.ratio = 1
			}
			bars = append(bars, bar{strings.TrimSpace(strings.TrimSuffix(l.name, "/one-core") + " " + m.name), m.ratio, limit, m.time, i == 0})
		}
	}
	if len(bars) == 0 {
		return ""
	}
	scale := slices.MaxFunc(bars, func(a, b bar) int { return int(math.Copysign(1, a.value-b.value)) }).value
	for _, b := range bars {
		scale = max(scale, b.limit)
	}
	scale = min(scale, most)
	x := func(value float64) float64 { return left + width*min(value, scale)/scale }
	var b strings.Builder
	height := top + len(bars)*row + 10
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%[1]d" height="%[2]d" role="img" font-family="system-ui, sans-serif" font-size="12">
<title>Times as multiples of the first of each group</title>
<style>
.text { fill: #24292f } .quiet { fill: #57606a } .bar { fill: #0969da } .floor { fill: #8c959f } .line { stroke: #57606a } .limit { stroke: #cf222e; stroke-width: 2 }
@media (prefers-color-scheme: dark) { .text { fill: #e6edf3 } .quiet { fill: #9198a1 } .bar { fill: #4493f8 } .floor { fill: #6e7681 } .line { stroke: #9198a1 } .limit { stroke: #f85149 } }
</style>
<text class="quiet" x="%.0f" y="14" text-anchor="middle">1</text>
`, left+width+right, height, x(1))
	for i, bar := range bars {
		y := top + i*row
		class := "bar"
		if bar.starts {
			class = "floor"
		}
		fmt.Fprintf(&b, `<text class="text" x="%d" y="%d" text-anchor="end">%s</text>`+"\n", left-8, y+14, html.EscapeString(bar.label))
		fmt.Fprintf(&b, `<rect class="%s" x="%d" y="%d" width="%.1f" height="%d"/>`+"\n", class, left, y+3, x(bar.value)-left, row-7)
		if bar.limit > 0 && bar.limit <= scale {
			fmt.Fprintf(&b, `<line class="limit" x1="%.1f" x2="%[1]f" y1="%d" y2="%d"/>`+"\n", x(bar.limit), y, y+row-2)
		}
		text := duration(bar.time)
		if bar.value > scale {
			text += fmt.Sprintf(" (%s)", short(bar.value))
		}
		fmt.Fprintf(&b, `<text class="quiet" x="%.1f" y="%d">%s</text>`+"\n", x(max(bar.value, bar.limit))+6, y+14, text)
	}
	fmt.Fprintf(&b, `<line class="line" x1="%.1f" x2="%[1]f" y1="18" y2="%d" stroke-dasharray="3 3"/>`+"\n</svg>\n", x(1), height-6)
	return b.String()
}
