// Bench measures package zyre beside bare ZeroMQ.
//
//	go run . [-short] [-runs N] [-only NAMES] [-nodes N] [-idle D] [-json FILE] [-profile DIR]
//
// Each measurement is made several times with zyre, with a bare loop over zmq4
// that does the same work, and for some with a C program over libzmq, in turn, so
// that whatever else the machine does hits all of them. What counts is the ratio
// in one run. The processes talk over the loopback interface, or between two network
// namespaces that the benchmark makes.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// options are what the flags set.
type options struct {
	short bool
	runs  int
	only  string
	nodes int // 0 for the default
	idle  time.Duration
	json  string
}

func main() {
	if len(os.Args) == 4 && os.Args[1] == "worker" {
		os.Exit(work(os.Args[2], os.Args[3]))
	}
	var o options
	flag.BoolVar(&o.short, "short", false, "a quick look, under a minute")
	flag.IntVar(&o.runs, "runs", 0, "runs of each measurement (default 5, with -short 2)")
	flag.StringVar(&o.only, "only", "", "comma-separated `names` of measurements: those that contain one of them")
	flag.IntVar(&o.nodes, "nodes", 0, "nodes of the mesh (default 50, and without -short 200 too)")
	flag.DurationVar(&o.idle, "idle", 0, "how long to watch an idle node (default 20s, with -short 3s)")
	flag.StringVar(&o.json, "json", "", "write all samples to `file`")
	profile := flag.String("profile", "", "write CPU profiles of all Go processes to `directory`")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "bench: no arguments but flags")
		os.Exit(2)
	}
	if *profile != "" {
		if err := os.Setenv(profileDir, *profile); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
	}
	if o.runs <= 0 {
		o.runs = pick(o.short, 2, 5)
	}
	if o.idle <= 0 {
		o.idle = pick(o.short, 3*time.Second, 20*time.Second)
	}
	limit, cancel := context.WithTimeout(context.Background(), pick(o.short, 3*time.Minute, 30*time.Minute))
	ctx, stop := signal.NotifyContext(limit, os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// meshes are the numbers of nodes to measure a mesh of.
func (o options) meshes() []int {
	switch {
	case o.nodes > 0:
		return []int{o.nodes}
	case o.short:
		return []int{50}
	}
	return []int{10, 50, 200}
}

// run makes all measurements, prints them, and writes the file.
func run(ctx context.Context, o options) error {
	r := newReport(o)
	dir, err := os.MkdirTemp("", "zyre-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	h := &host{compileBare(ctx, dir), loopback}
	fmt.Printf("%s, %d CPUs, %s, libzmq %s, zmq4 %s\n", r.Machine.CPU, r.Machine.CPUs,
		runtime.Version(), r.Machine.Libzmq, r.Machine.Zmq4)
	if h.bare == "" {
		fmt.Println("no C compiler or no libzmq headers: without the C program")
	}
	if err := mayUnshare(); err != nil {
		fmt.Printf("without the pair of virtual interfaces: %v\n", err)
	}
	failed := 0
	for _, group := range measurements(o) {
		group = slices.DeleteFunc(group, func(m measurement) bool { return !selected(o.only, m.name) })
		failed += measureGroup(ctx, h, group, o, r)
	}
	if o.json != "" {
		if err := r.write(o.json); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d measurements failed", failed)
	}
	return nil
}

// measureGroup runs every side of every measurement of a group in turn, prints what came out,
// and returns how many measurements failed.
func measureGroup(ctx context.Context, h *host, group []measurement, o options, r *report) (failed int) {
	results, begin := map[string]*result{}, time.Now()
	for i := range o.runs {
		if i > 0 && o.short && time.Since(begin) > 3*time.Second {
			break // a slow machine: one run has to do
		}
		for _, m := range group {
			if m.runs > 0 && i >= m.runs {
				continue
			}
			if i == 0 {
				results[m.name] = r.begin(m.name)
			} else if results[m.name] == nil {
				continue // it failed
			}
			if err := m.turn(ctx, h, results[m.name]); err != nil {
				failed++
				results[m.name] = nil
				fmt.Printf("%-16s %v\n", m.name, err)
			}
		}
	}
	for _, m := range group {
		if res := results[m.name]; res != nil {
			res.print(os.Stdout)
		}
	}
	return failed
}

// turn runs each side once.
func (m measurement) turn(ctx context.Context, h *host, res *result) error {
	for _, s := range m.sides {
		if s.needsC && h.bare == "" {
			continue
		}
		sample, err := s.run(ctx, h)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		res.add(s.name, sample)
	}
	return nil
}

func selected(only, name string) bool {
	if only == "" {
		return true
	}
	for _, part := range strings.Split(only, ",") {
		if part != "" && strings.Contains(name, part) {
			return true
		}
	}
	return false
}

func pick[T any](cond bool, a, b T) T {
	if cond {
		return a
	}
	return b
}
