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
var sides = []string{"zyre", "zmq4", "zmq4, actor", "libzmq in C",
	"zyre, GOMAXPROCS=1", "zyre, GOMAXPROCS=4", "zyre, another goroutine"}

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
	b.WriteString("\n### One way, by size of message\n\n")
	r.grid(&b, true, []rows{
		{"one-way-", "rate", "messages a second"},
		{"one-way-", "CPU, receiver", "CPU of the receiver, µs a message"},
		{"one-way-", "CPU, sender", "CPU of the sender, µs a message"},
		{"one-way-", "memory, receiver", "memory of the receiver above what it had before, MB"},
		{"one-way-", "memory, sender", "memory of the sender above what it had before, MB"},
	})
	b.WriteString("### By number of peers\n\n")
	r.grid(&b, true, []rows{
		{oneTalks, "CPU to receive", "CPU to receive from one of them, µs a message"},
		{oneTalks, "CPU to send", "CPU to send to one of them, µs a message"},
		{allTalk, "CPU to receive", "CPU to receive from all in turn, µs a message"},
		{allTalk, "CPU to send", "CPU to send to all in turn, µs a message"},
		{allTalk, "memory of a peer", "memory for each peer, kB"},
	})
	b.WriteString("### By number of nodes that all find each other\n\n")
	r.grid(&b, false, []rows{
		{meshes, "time", "time, s"}, {meshes, "CPU", "CPU, s"}, {meshes, "memory", "memory, MB"},
		{meshes, "threads of a process", "threads of a process"}, {meshes, "processes", "processes"},
		{meshes, "restarts: time", "a tenth of them restarts: time, s"}, {meshes, "restarts: CPU", "CPU, s"},
		{meshes, "restarts: CPU, of their share", "CPU, of their share of the above"},
	})
	b.WriteString("### Other measurements\n\n")
	r.others(&b)
	return b.String()
}

// rows are those of a grid for one metric of the measurements with a prefix.
type rows struct{ prefix, metric, title string }

// meshes is the prefix of the measurements of nodes that all find each other.
const meshes = "mesh-of-"

// grid writes a table with a column for each measurement, named after its prefix, and
// rows for each metric: one for each side, and with ratios one for each side that zyre
// is compared with.
func (r *report) grid(b *strings.Builder, ratios bool, metrics []rows) {
	var columns []string
	cells := map[string]*result{} // by whole name
	for _, m := range metrics {
		for _, res := range r.Results {
			if column, ok := strings.CutPrefix(res.Name, m.prefix); ok {
				cells[res.Name] = res
				if !slices.Contains(columns, column) {
					columns = append(columns, column)
				}
			}
		}
	}
	if columns == nil {
		return
	}
	b.WriteString("| | |")
	for _, column := range columns {
		fmt.Fprintf(b, " %s |", strings.TrimSuffix(column, "-peers"))
	}
	b.WriteString("\n|---|---|" + strings.Repeat("---:|", len(columns)) + "\n")
	for _, m := range metrics {
		title := m.title // in the first row alone
		line := func(name string, values func(*result) []float64) {
			text, measured := "", false
			for _, column := range columns {
				var v []float64
				if res := cells[m.prefix+column]; res != nil {
					v = values(res)
				}
				text, measured = text+" "+spread(v)+" |", measured || len(v) > 0
			}
			if measured {
				fmt.Fprintf(b, "| %s | %s |%s\n", title, name, text)
				title = ""
			}
		}
		for _, side := range sides {
			line(side, func(res *result) []float64 { return res.values(side, m.metric) })
		}
		for _, side := range compared(sides) {
			if ratios {
				line("zyre ÷ "+side, func(res *result) []float64 { return res.ratios(m.metric, side) })
			}
		}
	}
	b.WriteString("\n")
}

// others writes one table of all metrics of the measurements that are made only once.
func (r *report) others(b *strings.Builder) {
	var measured []*result
	var titles, names []string
	for _, t := range []struct{ name, title string }{
		{"shout-to-8", "shouts to eight processes"}, {"shout-to-8-64KiB", "shouts of 64 KiB to eight processes"}, {"round-trip", "round trip"},
		{"round-trip-veth", "round trip over a veth pair"},
		{"start-to-enter", "from Start to ENTER"}, {"idle-10-peers", "idle node with ten peers"},
	} {
		for _, res := range r.Results {
			if res.Name == t.name {
				measured, titles = append(measured, res), append(titles, t.title)
				names = append(names, res.names()...)
			}
		}
	}
	if measured == nil {
		return
	}
	names = slices.DeleteFunc(slices.Clone(sides), func(n string) bool { return !slices.Contains(names, n) })
	b.WriteString("| |")
	for _, n := range names {
		fmt.Fprintf(b, " %s |", n)
	}
	for _, n := range compared(names) {
		fmt.Fprintf(b, " zyre ÷ %s |", n)
	}
	b.WriteString("\n|---|" + strings.Repeat("---:|", len(names)+len(compared(names))) + "\n")
	for i, res := range measured {
		for _, m := range res.Sides[res.names()[0]][0].Metrics {
			res.row(b, titles[i]+": "+strings.TrimSpace(m.Name+" "+m.Unit), m.Name, names)
		}
	}
}

// row writes one metric of a measurement.
func (res *result) row(b *strings.Builder, first, metric string, names []string) {
	fmt.Fprintf(b, "| %s |", first)
	for _, n := range names {
		fmt.Fprintf(b, " %s |", spread(res.values(n, metric)))
	}
	for _, n := range compared(names) {
		fmt.Fprintf(b, " %s |", spread(res.ratios(metric, n)))
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

// compared are the sides that zyre is compared with.
func compared(names []string) []string {
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
