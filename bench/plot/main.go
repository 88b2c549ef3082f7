// Plot turns what bench -json has written into plots and tables.
//
//	go run ./plot [-dir DIRECTORY] [-doc FILE.md] FILE.json
//
// It writes throughput.svg (by size of message), latency.svg (distribution of the
// round trip), peers.svg and peers-all.svg (cost of a message by number of peers, of
// which one talks, or all), and puts the tables into the document.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-zyre/zyre/internal/measure"
)

// report is the part of the file that is shown.
type report struct {
	Time    time.Time
	Short   bool
	Machine struct {
		CPU, Kernel, Go, Libzmq, Zmq4, Zyre string
		CPUs                                int
	}
	Results []*result
}

// result is one measurement: for each side the samples of all runs.
type result struct {
	Name  string
	Sides map[string][]sample
}

type sample struct {
	Metrics []struct {
		Name, Unit string
		Value      float64
	}
	Quantiles []float64
}

func (s sample) metric(name string) (float64, bool) {
	for _, m := range s.Metrics {
		if m.Name == name {
			return m.Value, true
		}
	}
	return 0, false
}

func main() {
	dir := flag.String("dir", ".", "`directory` for the plots")
	doc := flag.String("doc", "", "Markdown `file` to put the tables into")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: plot [-dir DIRECTORY] [-doc FILE.md] FILE.json")
		os.Exit(2)
	}
	if err := run(flag.Arg(0), *dir, *doc); err != nil {
		fmt.Fprintln(os.Stderr, "plot:", err)
		os.Exit(1)
	}
}

func run(file, dir, doc string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var r report
	if err := json.Unmarshal(text, &r); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	for name, c := range map[string]*chart{
		"throughput.svg": r.throughput(), "latency.svg": r.latency(),
		"peers.svg":     r.peers(oneTalks, "one of them talks"),
		"peers-all.svg": r.peers(allTalk, "all of them talk in turn"),
	} {
		if len(c.lines) == 0 {
			continue // not measured
		}
		c.note = fmt.Sprintf("%s, %d CPUs, %s, libzmq %s. Median of the runs, and their range.",
			r.Machine.CPU, r.Machine.CPUs, r.Machine.Go, r.Machine.Libzmq)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(c.svg()), 0o644); err != nil {
			return err
		}
	}
	if doc == "" {
		return nil
	}
	return insert(doc, r.markdown())
}

// throughput is the rate of one-way messages by their size.
func (r *report) throughput() *chart {
	c := &chart{
		title: "Messages one way, from process to process", x: "size of a message", y: "MB/s",
		ticks: []tick{
			{100, "100 B"}, {1 << 10, "1 KiB"}, {16 << 10, "16 KiB"}, {64 << 10, "64 KiB"},
			{256 << 10, "256 KiB"}, {1 << 20, "1 MiB"}, {16 << 20, "16 MiB"},
		},
		logX: true, logY: true,
	}
	for _, res := range r.Results {
		rest, ok := strings.CutPrefix(res.Name, "one-way-")
		i := slices.IndexFunc(c.ticks, func(t tick) bool { return strings.ReplaceAll(t.name, " ", "") == rest })
		if !ok || i < 0 {
			continue
		}
		for _, side := range res.names() {
			c.add(side, false, c.ticks[i].at, res.values(side, "throughput"))
		}
	}
	return c
}

// Prefixes of the measurements by number of peers.
const oneTalks, allTalk = "one-of-", "with-"

// peers is what a message costs by the number of peers.
func (r *report) peers(prefix, who string) *chart {
	c := &chart{title: "CPU time for a message of 100 B: " + who, x: "peers", y: "µs", logX: true}
	for _, m := range []struct {
		metric, name string
		dashed       bool
	}{{"CPU to receive", ", receive", false}, {"CPU to send", ", send", true}} {
		for _, res := range r.Results {
			rest, ok := strings.CutPrefix(res.Name, prefix)
			count, err := strconv.ParseFloat(strings.TrimSuffix(rest, "-peers"), 64)
			if !ok || err != nil {
				continue
			}
			if t := (tick{count, digits(count)}); !slices.Contains(c.ticks, t) {
				c.ticks = append(c.ticks, t)
			}
			for _, side := range res.names() {
				c.add(side+m.name, m.dashed, count, res.values(side, m.metric))
			}
		}
	}
	return c
}

// latency is the distribution of round trips, its upper end drawn out: 90, 99 and
// 99.9 % would be as far from each other.
func (r *report) latency() *chart {
	place := func(percent int) float64 { return -math.Log10(1 - float64(percent)/100) }
	c := &chart{title: "Round trip of a message of 100 B", x: "of the round trips take at most", y: "µs", logY: true}
	for _, q := range []int{0, 50, 75, 90, 95, 99} {
		c.ticks = append(c.ticks, tick{place(q), strconv.Itoa(q) + " %"})
	}
	for _, res := range r.Results {
		if res.Name != "round-trip" {
			continue
		}
		for _, side := range res.names() {
			for q := range 100 { // without the maximum, which is the machine's
				var v []float64
				for _, s := range res.Sides[side] {
					if len(s.Quantiles) > q {
						v = append(v, s.Quantiles[q])
					}
				}
				c.add(side, strings.Contains(side, ", "), place(q), v)
			}
		}
	}
	return c
}

// median of what need not be sorted; the slice must not be empty.
func median(v []float64) float64 {
	return measure.Median(slices.Sorted(slices.Values(v)))
}
