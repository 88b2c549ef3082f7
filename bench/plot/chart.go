package main

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
)

// chart is a set of lines over values of x that all have a tick.
type chart struct {
	title, x, y, note string
	ticks             []tick
	logX, logY        bool
	lines             []*line
}

// tick is a value on the x axis and how it is written.
type tick struct {
	at   float64
	name string
}

type line struct {
	name   string
	dashed bool
	points []point
}

// point is a median with its range.
type point struct{ x, y, low, high float64 }

// add adds the samples at x to a line.
func (c *chart) add(name string, dashed bool, x float64, samples []float64) {
	if len(samples) == 0 {
		return
	}
	i := slices.IndexFunc(c.lines, func(l *line) bool { return l.name == name })
	if i < 0 {
		i = len(c.lines)
		c.lines = append(c.lines, &line{name: name, dashed: dashed})
	}
	c.lines[i].points = append(c.lines[i].points,
		point{x, median(samples), slices.Min(samples), slices.Max(samples)})
}

const (
	width, height            = 800, 420
	left, right, top, bottom = 72, 208, 74, 58
	ink, faint               = "#24292f", "#6e7781"
)

// colour is that of a side; Okabe and Ito's, which the colour-blind can tell apart.
func colour(name string) string {
	switch {
	case strings.HasPrefix(name, "zyre"):
		return "#0072b2"
	case strings.HasPrefix(name, "zmq4"):
		return "#d55e00"
	}
	return "#009e73"
}

// axis maps values to a stretch of pixels.
type axis struct {
	low, high float64
	from, to  float64
	log       bool
}

func (a axis) at(v float64) float64 {
	low, high := a.low, a.high
	if a.log {
		low, high, v = math.Log10(low), math.Log10(high), math.Log10(max(v, low))
	}
	if low == high {
		return a.from
	}
	return a.from + (v-low)/(high-low)*(a.to-a.from)
}

// ticks are round values on the axis.
func (a axis) ticks() (t []float64) {
	if a.log {
		steps := []float64{1}
		if a.high/a.low < 1000 {
			steps = []float64{1, 2, 5}
		}
		for p := math.Pow(10, math.Floor(math.Log10(a.low))); p <= a.high; p *= 10 {
			for _, s := range steps {
				if v := s * p; v >= a.low*0.999 && v <= a.high*1.001 {
					t = append(t, v)
				}
			}
		}
		return t
	}
	step := math.Pow(10, math.Floor(math.Log10(a.high-a.low)))
	for (a.high-a.low)/step < 4 {
		step /= 2
	}
	for i := 0.0; a.low+i*step <= a.high; i++ {
		t = append(t, a.low+i*step)
	}
	return t
}

// axes span all points.
func (c *chart) axes() (x, y axis) {
	first, last := c.ticks[0].at, c.ticks[len(c.ticks)-1].at
	x = axis{low: first, high: last, from: left, to: width - right, log: c.logX}
	y = axis{low: math.Inf(1), high: math.Inf(-1), from: height - bottom, to: top, log: c.logY}
	for _, l := range c.lines {
		for _, p := range l.points {
			y.low, y.high = min(y.low, p.low), max(y.high, p.high)
		}
	}
	if c.logY {
		y.low, y.high = y.low/1.25, y.high*1.25
	} else {
		y.low, y.high = 0, y.high*1.1
	}
	return x, y
}

func (c *chart) svg() string {
	var b strings.Builder
	x, y := c.axes()
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d"`+
		` font-family="system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" rx="6" fill="white"/>`+"\n", width, height)
	label(&b, left, 26, "start", 16, ink, c.title)
	label(&b, left, 44, "start", 11, faint, c.note)
	label(&b, left-8, top-10, "end", 12, faint, c.y)
	label(&b, (left+width-right)/2, height-14, "middle", 12, faint, c.x)
	for _, v := range y.ticks() {
		fmt.Fprintf(&b, `<path d="M%d %.1fH%d" stroke="#e4e8ec"/>`+"\n", left, y.at(v), width-right)
		label(&b, left-8, y.at(v)+4, "end", 12, ink, digits(v))
	}
	for _, t := range c.ticks {
		fmt.Fprintf(&b, `<path d="M%.1f %dV%d" stroke="#e4e8ec"/>`+"\n", x.at(t.at), top, height-bottom)
		label(&b, x.at(t.at), height-bottom+18, "middle", 12, ink, t.name)
	}
	for i, l := range c.lines {
		l.draw(&b, x, y)
		at := float64(top + 24*i + 8)
		fmt.Fprintf(&b, `<path d="M%d %.1fh24" %s/>`+"\n", width-right+16, at, l.stroke())
		label(&b, width-right+48, at+4, "start", 13, ink, l.name)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func (l *line) stroke() string {
	dash := ""
	if l.dashed {
		dash = ` stroke-dasharray="6 4"`
	}
	return fmt.Sprintf(`fill="none" stroke="%s" stroke-width="2.5" stroke-linejoin="round"%s`, colour(l.name), dash)
}

// draw draws the medians, and as an area around them the range.
func (l *line) draw(b *strings.Builder, x, y axis) {
	slices.SortFunc(l.points, func(p, q point) int { return int(math.Copysign(1, p.x-q.x)) })
	var mid, area, back []string
	for _, p := range l.points {
		mid = append(mid, fmt.Sprintf("%.1f,%.1f", x.at(p.x), y.at(p.y)))
		area = append(area, fmt.Sprintf("%.1f,%.1f", x.at(p.x), y.at(p.high)))
		back = append(back, fmt.Sprintf("%.1f,%.1f", x.at(p.x), y.at(p.low)))
	}
	slices.Reverse(back)
	fmt.Fprintf(b, `<polygon points="%s" fill="%s" opacity="0.13"/>`+"\n",
		strings.Join(append(area, back...), " "), colour(l.name))
	fmt.Fprintf(b, `<polyline points="%s" %s/>`+"\n", strings.Join(mid, " "), l.stroke())
	if len(l.points) > 20 {
		return
	}
	for _, p := range l.points {
		fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"/>`+"\n", x.at(p.x), y.at(p.y), colour(l.name))
	}
}

func label(b *strings.Builder, x, y float64, anchor string, size int, fill, text string) {
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="%s" font-size="%d" fill="%s">%s</text>`+"\n",
		x, y, anchor, size, fill, html.EscapeString(text))
}
