package main

import (
	"fmt"
	"html"
	"maps"
	"math"
	"slices"
	"strings"
)

// chart is a set of lines, one for each side of a measurement.
type chart struct {
	title, x, y, note string
	logX, logY        bool
	lines             map[string][]point
}

// point is a median with its range.
type point struct{ x, y, low, high float64 }

// add adds the samples at x to a line.
func (c *chart) add(line string, x float64, samples []float64) {
	if len(samples) == 0 {
		return
	}
	if c.lines == nil {
		c.lines = map[string][]point{}
	}
	c.lines[line] = append(c.lines[line], point{x, median(samples), slices.Min(samples), slices.Max(samples)})
}

const (
	width, height            = 720, 420
	left, right, top, bottom = 70, 150, 50, 60
)

var colours = map[string]string{"zyre": "#0072b2", "zmq4": "#d55e00", "libzmq in C": "#009e73"}

// axis maps values to a stretch of pixels.
type axis struct {
	low, high float64
	from, to  float64
	log       bool
}

func (a axis) at(v float64) float64 {
	low, high := a.low, a.high
	if a.log {
		low, high, v = math.Log10(low), math.Log10(high), math.Log10(v)
	}
	return a.from + (v-low)/(high-low)*(a.to-a.from)
}

// ticks are round values on the axis.
func (a axis) ticks() (t []float64) {
	if a.log {
		for v := math.Pow(10, math.Ceil(math.Log10(a.low)-1e-9)); v <= a.high*1.0001; v *= 10 {
			t = append(t, v)
		}
		return t
	}
	step := math.Pow(10, math.Floor(math.Log10(a.high-a.low)))
	if (a.high-a.low)/step < 3 {
		step /= 2
	}
	for v := math.Ceil(a.low/step) * step; v <= a.high*1.0001; v += step {
		t = append(t, v)
	}
	return t
}

// axes span all points.
func (c *chart) axes() (x, y axis) {
	x = axis{low: math.Inf(1), high: math.Inf(-1), from: left, to: width - right, log: c.logX}
	y = axis{low: math.Inf(1), high: math.Inf(-1), from: height - bottom, to: top, log: c.logY}
	for _, line := range c.lines {
		for _, p := range line {
			x.low, x.high = min(x.low, p.x), max(x.high, p.x)
			y.low, y.high = min(y.low, p.low), max(y.high, p.high)
		}
	}
	if c.logY {
		y.low, y.high = max(y.low, 1e-3), math.Pow(10, math.Ceil(math.Log10(y.high)))
		y.low = math.Pow(10, math.Floor(math.Log10(y.low)))
	} else {
		y.low, y.high = 0, y.high*1.1
	}
	if x.low == x.high {
		x.high = x.low + 1
	}
	return x, y
}

func (c *chart) svg() string {
	var b strings.Builder
	x, y := c.axes()
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", width, height)
	label(&b, left, 20, "start", c.title, "15")
	label(&b, left, 37, "start", c.note, "11")
	label(&b, (left+width-right)/2, height-15, "middle", c.x, "12")
	label(&b, left-50, top-8, "start", c.y, "12")
	for _, v := range x.ticks() {
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#ddd"/>`+"\n", x.at(v), top, x.at(v), height-bottom)
		label(&b, x.at(v), height-bottom+16, "middle", fmt.Sprintf("%.10g", v), "12")
	}
	for _, v := range y.ticks() {
		fmt.Fprintf(&b, `<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="#ddd"/>`+"\n", left, y.at(v), width-right, y.at(v))
		label(&b, left-6, y.at(v)+4, "end", fmt.Sprintf("%.10g", v), "12")
	}
	for i, name := range slices.Sorted(maps.Keys(c.lines)) {
		c.line(&b, name, x, y)
		label(&b, width-right+30, float64(top+20*i+14), "start", name, "12")
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="18" height="4" fill="%s"/>`+"\n", width-right+8, top+20*i+8, colour(name))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// line draws the medians, and as an area around them the range.
func (c *chart) line(b *strings.Builder, name string, x, y axis) {
	points := slices.SortedFunc(slices.Values(c.lines[name]), func(p, q point) int { return int(math.Copysign(1, p.x-q.x)) })
	var mid, area, back []string
	for _, p := range points {
		mid = append(mid, fmt.Sprintf("%.1f,%.1f", x.at(p.x), y.at(p.y)))
		area = append(area, fmt.Sprintf("%.1f,%.1f", x.at(p.x), y.at(p.high)))
		back = append(back, fmt.Sprintf("%.1f,%.1f", x.at(p.x), y.at(p.low)))
	}
	slices.Reverse(back)
	fmt.Fprintf(b, `<polygon points="%s" fill="%s" opacity="0.15"/>`+"\n", strings.Join(append(area, back...), " "), colour(name))
	fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(mid, " "), colour(name))
}

func colour(name string) string {
	if c, ok := colours[name]; ok {
		return c
	}
	return "#555555"
}

func label(b *strings.Builder, x, y float64, anchor, text, size string) {
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="%s" font-size="%s">%s</text>`+"\n", x, y, anchor, size, html.EscapeString(text))
}
