// Plot draws what bench -json has written, as SVG files.
//
//	go run ./plot [-dir DIRECTORY] FILE.json
//
// It writes throughput.svg (by size of message), latency.svg (distribution of the
// round trip) and peers.svg (cost of a message by number of peers).
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// report is the part of the file that is drawn.
type report struct {
	Machine struct{ CPU, Go, Libzmq string }
	Results []struct {
		Name  string
		Sides map[string][]sample
	}
}

type sample struct {
	Metrics []struct {
		Name  string
		Value float64
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
	dir := flag.String("dir", ".", "`directory` to write to")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: plot [-dir DIRECTORY] FILE.json")
		os.Exit(2)
	}
	if err := run(flag.Arg(0), *dir); err != nil {
		fmt.Fprintln(os.Stderr, "plot:", err)
		os.Exit(1)
	}
}

func run(file, dir string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var r report
	if err := json.Unmarshal(text, &r); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	for name, c := range map[string]chart{
		"throughput.svg": r.throughput(), "latency.svg": r.latency(), "peers.svg": r.peers(),
	} {
		if len(c.lines) == 0 {
			continue
		}
		c.note = fmt.Sprintf("%s, %s, libzmq %s", r.Machine.CPU, r.Machine.Go, r.Machine.Libzmq)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(c.svg()), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// throughput is the rate of one-way messages by their size.
func (r *report) throughput() chart {
	c := chart{title: "Messages one way, two processes", x: "bytes of payload", y: "MB/s", logX: true, logY: true}
	sizes := map[string]float64{"100B": 100, "1KiB": 1 << 10, "64KiB": 64 << 10, "1MiB": 1 << 20}
	r.collect(&c, "one-way-", "throughput", func(rest string) (float64, bool) {
		v, ok := sizes[rest]
		return v, ok
	})
	return c
}

// peers is what it costs to receive a message by the number of peers.
func (r *report) peers() chart {
	c := chart{title: "CPU time to receive a message of 100 B", x: "peers", y: "µs", logX: true}
	r.collect(&c, "with-", "CPU to receive", func(rest string) (float64, bool) {
		v, err := strconv.ParseFloat(strings.TrimSuffix(rest, "-peers"), 64)
		return v, err == nil
	})
	return c
}

// latency is the distribution of round trips.
func (r *report) latency() chart {
	c := chart{title: "Round trip of a message of 100 B", x: "% of round trips that take at most", y: "µs", logY: true}
	for _, res := range r.Results {
		if res.Name != "round-trip" {
			continue
		}
		for side, samples := range res.Sides {
			for q := range 100 { // without the maximum, which is the machine's
				var v []float64
				for _, s := range samples {
					if len(s.Quantiles) > q {
						v = append(v, s.Quantiles[q])
					}
				}
				c.add(side, float64(q), v)
			}
		}
	}
	return c
}

// collect adds a metric of all measurements whose names begin with prefix; x tells
// from the rest of the name where they belong.
func (r *report) collect(c *chart, prefix, metric string, x func(string) (float64, bool)) {
	for _, res := range r.Results {
		rest, ok := strings.CutPrefix(res.Name, prefix)
		at, known := x(rest)
		if !ok || !known {
			continue
		}
		for side, samples := range res.Sides {
			var v []float64
			for _, s := range samples {
				if y, ok := s.metric(metric); ok {
					v = append(v, y)
				}
			}
			c.add(side, at, v)
		}
	}
}

// median of what need not be sorted; the slice must not be empty.
func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
