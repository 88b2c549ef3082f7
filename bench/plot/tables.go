package main

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
)

// What stands between these lines of the document is replaced.
const (
	beginMark = "<!-- results: written by make bench-plot -->"
	endMark   = "<!-- end of results -->"
)

// insert puts the tables into a document.
func insert(file, tables string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(text), beginMark)
	_, after, ended := strings.Cut(rest, endMark)
	if !found || !ended {
		return fmt.Errorf("%s: no lines %q and %q", file, beginMark, endMark)
	}
	return os.WriteFile(file, []byte(before+beginMark+"\n\n"+tables+"\n"+endMark+after), 0o644)
}

// sides in the order of the tables.
var sides = []string{"zyre", "zmq4", "libzmq in C", "zyre, GOMAXPROCS=1"}

// markdown writes the results as tables.
func (r *report) markdown() string {
	var b strings.Builder
	short := ""
	if r.Short {
		short = ", **shortened**"
	}
	m := r.Machine
	fmt.Fprintf(&b, "Measured on %s%s: %s, %d CPUs, Linux %s, %s, libzmq %s, zmq4 %s, this package at %s.\n",
		r.Time.Format("2 January 2006"), short, m.CPU, m.CPUs, m.Kernel, m.Go, m.Libzmq, m.Zmq4, m.Zyre)
	r.goals(&b)
	b.WriteString("\n### One way\n\n")
	r.family(&b, "one-way-", "rate", "messages a second")
	r.family(&b, "one-way-", "throughput", "MB/s")
	r.family(&b, "one-way-", "CPU, receiver", "CPU of the receiver, µs a message")
	r.family(&b, "one-way-", "CPU, sender", "CPU of the sender, µs a message")
	b.WriteString("### By number of peers\n\n")
	r.family(&b, oneTalks, "CPU to receive", "CPU to receive from one of them, µs a message")
	r.family(&b, oneTalks, "CPU to send", "CPU to send to one of them, µs a message")
	r.family(&b, allTalk, "CPU to receive", "CPU to receive from all in turn, µs a message")
	r.family(&b, allTalk, "CPU to send", "CPU to send to all in turn, µs a message")
	r.family(&b, allTalk, "memory of a peer", "memory for each peer, kB")
	for _, t := range []struct{ prefix, title string }{
		{"shout-to-8", "Shouts to eight processes"}, {"round-trip", "Round trip"},
		{"start-to-enter", "From Start to ENTER"}, {"mesh-of-", "nodes that all find each other"},
		{"idle-10-peers", "A node with ten peers and nothing to do"},
	} {
		for _, res := range r.Results {
			if rest, ok := strings.CutPrefix(res.Name, t.prefix); ok {
				title := strings.TrimSpace(rest + " " + t.title)
				fmt.Fprintf(&b, "### %s\n\n", title)
				res.table(&b)
			}
		}
	}
	return b.String()
}

// heading begins a table.
func heading(b *strings.Builder, first string, names []string) {
	fmt.Fprintf(b, "| %s |", first)
	for _, n := range names {
		fmt.Fprintf(b, " %s |", n)
	}
	for _, n := range others(names) {
		fmt.Fprintf(b, " zyre ÷ %s |", n)
	}
	b.WriteString("\n|---|" + strings.Repeat("---:|", len(names)+len(others(names))) + "\n")
}

// row writes one metric of a measurement.
func (res *result) row(b *strings.Builder, first, metric string, names []string) {
	fmt.Fprintf(b, "| %s |", first)
	for _, n := range names {
		fmt.Fprintf(b, " %s |", spread(res.values(n, metric)))
	}
	for _, n := range others(names) {
		fmt.Fprintf(b, " %s |", spread(res.ratios(metric, n)))
	}
	b.WriteString("\n")
}

// family writes a table of one metric of all measurements with a prefix.
func (r *report) family(b *strings.Builder, prefix, metric, title string) {
	var names []string
	for _, res := range r.Results {
		rest, ok := strings.CutPrefix(res.Name, prefix)
		if !ok {
			continue
		}
		if names == nil {
			names = res.names()
			heading(b, title, names)
		}
		res.row(b, strings.TrimSuffix(rest, "-peers"), metric, names)
	}
	b.WriteString("\n")
}

// table writes all metrics of one measurement.
func (res *result) table(b *strings.Builder) {
	names := res.names()
	heading(b, "", names)
	for _, m := range res.Sides[names[0]][0].Metrics {
		res.row(b, strings.TrimSpace(m.Name+" "+m.Unit), m.Name, names)
	}
	b.WriteString("\n")
}

// names are the sides that were measured.
func (res *result) names() (n []string) {
	for _, s := range sides {
		if len(res.Sides[s]) > 0 {
			n = append(n, s)
		}
	}
	return n
}

// others are the sides that zyre is compared with.
func others(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return strings.HasPrefix(n, sides[0]) })
}

// values are a metric of a side in all runs.
func (res *result) values(side, name string) (v []float64) {
	for _, s := range res.Sides[side] {
		if x, ok := s.metric(name); ok {
			v = append(v, x)
		}
	}
	return v
}

// ratios are a metric of zyre to that of another side, run by run.
func (res *result) ratios(name, other string) (v []float64) {
	ours, theirs := res.values(sides[0], name), res.values(other, name)
	for i := range min(len(ours), len(theirs)) {
		if theirs[i] != 0 {
			v = append(v, ours[i]/theirs[i])
		}
	}
	return v
}

// spread writes a median with its range.
func spread(v []float64) string {
	if len(v) == 0 {
		return ""
	}
	low, high := slices.Min(v), slices.Max(v)
	if len(v) == 1 || digits(low) == digits(high) {
		return "**" + digits(median(v)) + "**"
	}
	return fmt.Sprintf("**%s** (%s–%s)", digits(median(v)), digits(low), digits(high))
}

// digits writes a number with three significant ones.
func digits(v float64) string {
	if v == 0 {
		return "0"
	}
	scale := math.Pow(10, 2-math.Floor(math.Log10(math.Abs(v))))
	s := strconv.FormatFloat(math.Round(v*scale)/scale, 'f', -1, 64)
	whole, _, _ := strings.Cut(s, ".")
	for i := len(whole) - 3; i > 0 && len(whole) > 4; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
