package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// metric is one number of a sample.
type metric = struct {
	Name, Unit string
	Value      float64
}

// everything is a report of all measurements, as bench -json writes them.
func everything() report {
	small, sizes := []string{"zyre", "zmq4"}, []string{"zyre", "zmq4", "libzmq in C"}
	peers := []string{"CPU to send", "CPU to receive", "received", "memory of a peer"}
	mesh := []string{"time", "CPU", "memory", "threads of a process", "processes"}
	way := []string{"rate", "throughput", "CPU, receiver", "CPU, sender", "memory, receiver", "memory, sender"}
	quantiles := []string{"p50", "p90", "p99", "max"}
	var r report
	for i, m := range []struct {
		name           string
		sides, metrics []string
	}{
		{"one-way-100B", sizes, way}, {"one-way-1KiB", sizes, way},
		{"one-way-64KiB", sizes, way}, {"one-way-1MiB", sizes, way}, {"one-way-16MiB", sizes, way},
		{"shout-to-8-64KiB", sizes, []string{"deliveries", "CPU, receivers", "CPU, sender"}},
		{"shout-to-8", small, []string{"deliveries", "CPU, receivers", "CPU, sender"}},
		{"round-trip", sides, quantiles}, {"start-to-enter", small, quantiles},
		{"idle-10-peers", small[:1], []string{"CPU", "threads"}},
		{"mesh-of-10", small, mesh}, {"mesh-of-50", small, mesh}, {"mesh-of-200", small[:1], mesh},
		{"with-1-peers", small, peers}, {"with-200-peers", small, peers},
		{"one-of-1-peers", small, peers}, {"one-of-200-peers", small, peers},
	} {
		res := &result{Name: m.name, Sides: map[string][]sample{}}
		for j, side := range m.sides {
			for turn := range 3 {
				s := sample{}
				for k, name := range m.metrics {
					s.Metrics = append(s.Metrics, metric{name, "µs", float64(1 + i + j + turn + k)})
				}
				if m.metrics[0] == "p50" {
					for q := range 101 {
						s.Quantiles = append(s.Quantiles, float64(100+q+j+turn))
					}
				}
				res.Sides[side] = append(res.Sides[side], s)
			}
		}
		r.Results = append(r.Results, res)
	}
	return r
}

// save writes a report to a file.
func save(t *testing.T, file string, r report) {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Plots and tables of a whole run.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	results := filepath.Join(dir, "results.json")
	save(t, results, everything())
	doc := filepath.Join(dir, "doc.md")
	old := "before\n" + beginMark + "\nold\n" + endMark + "\nafter\n"
	if err := os.WriteFile(doc, []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time replaces the tables of the first
		if err := run(results, dir, doc); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(doc)
	if err != nil {
		t.Fatal(err)
	}
	got := string(text)
	if !strings.HasPrefix(got, "before\n") || !strings.HasSuffix(got, "\nafter\n") || strings.Contains(got, "\nold\n") {
		t.Errorf("text around the tables is not as it was: %.60q … %.60q", got, got[max(0, len(got)-60):])
	}
	if n := strings.Count(got, "### Goals"); n != 1 {
		t.Errorf("%d tables of goals, want 1", n)
	}
	for _, title := range []string{"### One way", "### By number of peers", "### By number of nodes", "### Other"} {
		if !strings.Contains(got, "\n"+title) {
			t.Errorf("no table %q", title)
		}
	}
	columns := 0
	for line := range strings.Lines(got) {
		switch n := strings.Count(line, "|"); {
		case n == 0:
			columns = 0
		case columns == 0:
			columns = n
		case n != columns:
			t.Errorf("row has %d columns, want %d: %s", n-1, columns-1, line)
		}
	}
	for _, name := range []string{"throughput.svg", "latency.svg", "peers.svg", "peers-all.svg"} {
		checkSVG(t, filepath.Join(dir, name))
	}
}

// checkSVG checks that a file is XML and has no number that is none.
func checkSVG(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if s := string(text); strings.Contains(s, "NaN") || strings.Contains(s, "Inf") {
		t.Errorf("%s has numbers that are none", file)
	}
	for d := xml.NewDecoder(strings.NewReader(string(text))); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
}

// One run of part of the measurements, all values the same, is no reason to fail.
func TestRun_little(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "results.json")
	one := func(measurement, name string) *result {
		s := sample{}
		s.Metrics = append(s.Metrics, metric{name, "µs", 7})
		return &result{Name: measurement, Sides: map[string][]sample{"zyre": {s}}}
	}
	tests := map[string][]*result{
		"none":    nil,
		"peers":   {one("with-1-peers", "CPU to receive")},
		"one of":  {one("one-of-1-peers", "CPU to send"), one("one-of-10-peers", "CPU to send")},
		"one way": {one("one-way-100B", "throughput")},
		"idle":    {one("idle-10-peers", "CPU")},
		"unknown": {one("something", "else")},
	}
	for name, results := range tests {
		t.Run(name, func(t *testing.T) {
			save(t, file, report{Results: results})
			doc := filepath.Join(dir, "doc.md")
			if err := os.WriteFile(doc, []byte(beginMark+endMark), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := run(file, dir, doc); err != nil {
				t.Error(err)
			}
			plots, _ := filepath.Glob(filepath.Join(dir, "*.svg"))
			for _, p := range plots {
				checkSVG(t, p)
			}
		})
	}
}

func TestDigits(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.01234: "0.0123", 1: "1", 7.777: "7.78", 99.96: "100", 1234: "1230",
		12345: "12,300", 1234567: "1,230,000", 999_999: "1,000,000",
	} {
		if got := digits(v); got != want {
			t.Errorf("digits(%v) = %q, want %q", v, got, want)
		}
	}
}
