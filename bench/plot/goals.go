package main

import (
	"fmt"
	"slices"
	"strings"
)

// goal is what a number is held to.
type goal struct {
	what        string
	measurement string
	metric      string
	to          string // the side that zyre is compared with; empty if with none
	unit        string
	least       bool // the limit is the least, else the most
	limit       float64
}

var goalList = []goal{
	{"whispers of 100 B one way, compared with a bare zmq4 loop", "one-way-100B", "rate", "zmq4", "×", true, 0.55},
	{"shouts of 100 B to eight processes, compared with eight bare DEALERs", "shout-to-8", "deliveries", "zmq4", "×", true, 0.5},
	{"whispers of 100 B one way, compared with libzmq in C", "one-way-100B", "rate", "libzmq in C", "×", true, 0.6},
	{"whispers of 64 KiB one way, compared with libzmq in C", "one-way-64KiB", "rate", "libzmq in C", "×", true, 0.9},
	{"… CPU of the receiver", "one-way-64KiB", "CPU, receiver", "libzmq in C", "×", false, 1.3},
	{"… CPU of the sender", "one-way-64KiB", "CPU, sender", "libzmq in C", "×", false, 1.3},
	{"whispers of 1 MiB one way, compared with libzmq in C", "one-way-1MiB", "rate", "libzmq in C", "×", true, 0.9},
	{"… CPU of the receiver", "one-way-1MiB", "CPU, receiver", "libzmq in C", "×", false, 1.3},
	{"… CPU of the sender", "one-way-1MiB", "CPU, sender", "libzmq in C", "×", false, 1.3},
	{"… memory of the receiver above what it had before", "one-way-1MiB", "memory, receiver", "", "MB", false, 16},
	{"… memory of the sender", "one-way-1MiB", "memory, sender", "", "MB", false, 16},
	{"shouts of 64 KiB to eight processes, compared with eight DEALERs in C", "shout-to-8-64KiB", "deliveries", "libzmq in C", "×", true, 0.8},
	{"round trip, median, compared with libzmq in C", "round-trip", "p50", "libzmq in C", "×", false, 1.3},
	{"round trip, 99 %, compared with libzmq in C", "round-trip", "p99", "libzmq in C", "×", false, 1.5},
	{"round trip over a veth pair, median", "round-trip-veth", "p50", "libzmq in C", "×", false, 1.3},
	{"round trip over a veth pair, 99 %", "round-trip-veth", "p99", "libzmq in C", "×", false, 1.5},
	{"from Start to ENTER, median", "start-to-enter", "p50", "", "ms", false, 5},
	{"50 nodes in one process find each other: time", "mesh-of-50", "time", "", "s", false, 0.75},
	{"… CPU", "mesh-of-50", "CPU", "", "s", false, 1},
	{"… memory", "mesh-of-50", "memory", "", "MB", false, 120},
	{"200 nodes in several processes: time", "mesh-of-200", "time", "", "s", false, 6},
	{"… CPU", "mesh-of-200", "CPU", "", "s", false, 12},
	{"… 20 of them restart: CPU, compared with their share", "mesh-of-200", "restarts: CPU, of their share", "", "×", false, 1},
	{"idle node with 10 peers: CPU", "idle-10-peers", "CPU", "", "%", false, 0.2},
}

// goals writes a table of what is aimed at and what came out.
func (r *report) goals(b *strings.Builder) {
	b.WriteString("\n### Goals\n\n| | goal | measured | | bare sockets |\n|---|---:|---:|---|---:|\n")
	for _, g := range goalList {
		i := slices.IndexFunc(r.Results, func(res *result) bool { return res.Name == g.measurement })
		if i < 0 {
			continue
		}
		res := r.Results[i]
		if g.to != "" {
			g.write(b, res.ratios(g.metric, g.to), nil)
		} else {
			g.write(b, res.values(sides[0], g.metric), res.values(sides[1], g.metric))
		}
	}
	for _, by := range []struct{ prefix, metric, what string }{
		{oneTalks, "CPU to receive", "CPU to receive a message from one of 1 to 200 peers: highest to lowest"},
		{oneTalks, "CPU to send", "CPU to send a message to one of them"},
		{allTalk, "CPU to receive", "CPU to receive a message from all of them in turn"},
		{allTalk, "CPU to send", "CPU to send a message to all of them in turn"},
	} {
		g := goal{what: by.what, unit: "×", limit: 1.2}
		g.write(b, r.flatness(by.prefix, sides[0], by.metric), r.flatness(by.prefix, sides[1], by.metric))
	}
}

// write writes a row, if the goal's number was measured: v, and what the bare sockets
// of zmq4 alone make of it.
func (g *goal) write(b *strings.Builder, v, bare []float64) {
	if len(v) == 0 {
		return
	}
	sign, met := "≤", median(v) <= g.limit
	if g.least {
		sign, met = "≥", median(v) >= g.limit
	}
	verdict := "missed"
	if met {
		verdict = "met"
	}
	fmt.Fprintf(b, "| %s | %s %s %s | %s | %s | %s |\n",
		g.what, sign, digits(g.limit), g.unit, spread(v), verdict, spread(bare))
}

// flatness is the ratio of the greatest median of a side's metric to the least, over
// the measurements with a prefix: the numbers of peers.
func (r *report) flatness(prefix, side, metric string) []float64 {
	var medians []float64
	for _, res := range r.Results {
		if v := res.values(side, metric); strings.HasPrefix(res.Name, prefix) && len(v) > 0 {
			medians = append(medians, median(v))
		}
	}
	if len(medians) < 2 || slices.Min(medians) <= 0 {
		return nil
	}
	return []float64{slices.Max(medians) / slices.Min(medians)}
}
