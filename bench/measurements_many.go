package main

import (
	"context"
	"fmt"
)

// mesh measures how long nodes in one process take until each knows all others.
func mesh(nodes int) measurement {
	one := func(role string) func(context.Context, *host) (sample, error) {
		return func(ctx context.Context, h *host) (s sample, err error) {
			p := params{Peers: nodes}
			if p.Port, err = freePort("udp"); err != nil {
				return s, err
			}
			w, err := h.worker(ctx, role, p)
			if err != nil {
				return s, err
			}
			defer w.stop()
			got, err := w.next()
			if err != nil {
				return s, err
			}
			return sample{Metrics: []metric{
				{"time", "s", got.seconds()}, {"CPU", "s", got.CPU},
				{"memory", "MB", got.RSS}, {"threads", "", float64(got.Threads)},
			}}, nil
		}
	}
	return measurement{name: fmt.Sprintf("mesh-of-%d", nodes), runs: 3, sides: []side{
		{name: "zyre", run: one("zyre-mesh")}, {name: "zmq4", run: one("zmq-mesh")},
	}}
}

// idle measures what a node costs that has nothing to do.
func idle(peers int, seconds float64) measurement {
	return measurement{name: fmt.Sprintf("idle-%d-peers", peers), runs: 1, sides: []side{
		{name: "zyre", run: func(ctx context.Context, h *host) (s sample, err error) {
			p := params{Seconds: seconds, Peers: peers}
			if p.Port, err = freePort("udp"); err != nil {
				return s, err
			}
			others, err := h.worker(ctx, "zyre-mesh", p)
			if err != nil {
				return s, err
			}
			defer others.stop()
			if _, err := others.next(); err != nil {
				return s, err
			}
			w, err := h.worker(ctx, "zyre-idle", p)
			if err != nil {
				return s, err
			}
			defer w.stop()
			got, err := w.next()
			if err != nil {
				return s, err
			}
			return sample{Metrics: []metric{
				{"CPU", "%", got.CPU / got.seconds() * 100},
				{"voluntary context switches", "/s", float64(got.Switches) / got.seconds()},
				{"threads", "", float64(got.Threads)},
			}}, nil
		}},
	}}
}

// many measures what a message costs a node with many peers, and what memory a
// peer takes.
func many(peers, count int) measurement {
	one := func(role string, bare float64) func(context.Context, *host) (sample, error) {
		return func(ctx context.Context, h *host) (s sample, err error) {
			p := params{Peers: peers, Count: count, Size: 100, Seconds: bare}
			if p.Port, err = freePort("udp"); err != nil {
				return s, err
			}
			if p.TCP, err = freePort("tcp"); err != nil {
				return s, err
			}
			return exchange(ctx, h, role, p)
		}
	}
	return measurement{name: fmt.Sprintf("with-%d-peers", peers), runs: 3, sides: []side{
		{name: "zyre", run: one("zyre-many", 0)}, {name: "zmq4", run: one("zmq-many", 1)},
	}}
}

// exchange runs a node and its peers.
func exchange(ctx context.Context, h *host, role string, p params) (s sample, err error) {
	node, err := h.worker(ctx, role, p)
	if err != nil {
		return s, err
	}
	defer node.stop()
	ready, err := node.next()
	if err != nil {
		return s, err
	}
	p.Endpoints = []string{ready.Endpoint}
	others, err := h.worker(ctx, "peers", p)
	if err != nil {
		return s, err
	}
	defer others.stop()
	sent, err := node.next()
	if err != nil {
		return s, err
	}
	if _, err := others.next(); err != nil {
		return s, err
	}
	if err := others.tell(); err != nil {
		return s, err
	}
	got, err := node.next()
	if err != nil {
		return s, err
	}
	return sample{Metrics: []metric{
		{"CPU to send", "µs/message", sent.CPU / float64(sent.Count) * 1e6},
		{"CPU to receive", "µs/message", got.CPU / float64(got.Count) * 1e6},
		{"received", "messages/s", float64(got.Count) / got.seconds()},
		{"memory of a peer", "kB", (sent.RSS - sent.Base) * 1024 / float64(p.Peers)},
	}}, nil
}
