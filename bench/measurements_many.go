package main

import (
	"context"
	"fmt"
)

// mesh measures how long nodes on one host take until each knows all others. They
// run in as few processes as may have enough descriptors. Of many, some restart then.
func mesh(nodes int) measurement {
	one := func(role string, inProcess, restart int) func(context.Context, *host) (sample, error) {
		processes := processesFor(nodes, inProcess, descriptorLimit())
		return func(ctx context.Context, h *host) (sample, error) {
			return runMesh(ctx, h, role, processes, params{Peers: nodes, Restart: restart})
		}
	}
	restart := pick(nodes >= 200, nodes/10, 0)
	return measurement{name: fmt.Sprintf("mesh-of-%d", nodes), runs: 3, sides: []side{
		{name: "zyre", run: one("zyre-mesh", 1, restart)}, {name: "zmq4", run: one("zmq-mesh", overTCP, 0)},
	}}
}

// overTCP is how many descriptors two nodes need for each other at each of them, with TCP.
const overTCP = 3

// processesFor returns in how few processes so many nodes fit, if two of one process need so many
// descriptors for each other at each of them.
func processesFor(nodes, inProcess, limit int) int {
	const own = 16 // descriptors of a node without peers, and a bit
	for processes := 1; processes < nodes; processes++ {
		each := (nodes + processes - 1) / processes
		if each*(own+(nodes-each)*overTCP+each*inProcess) <= limit*95/100 {
			return processes
		}
	}
	return nodes
}

// runMesh starts processes that make a mesh together, and lets some of its nodes restart.
func runMesh(ctx context.Context, h *host, role string, processes int, p params) (s sample, err error) {
	var ps []*process
	defer func() { stopAll(ps) }()
	if p.Port, err = freePort("udp"); err != nil {
		return s, err
	}
	if p.TCP, err = freePort("tcp"); err != nil {
		return s, err
	}
	p.Restart = min(p.Restart, p.Peers/processes)
	for i := range processes {
		p := p
		p.First = p.Peers * i / processes
		p.Nodes = p.Peers*(i+1)/processes - p.First
		w, err := h.worker(ctx, role, p)
		if err != nil {
			return s, err
		}
		ps = append(ps, w)
	}
	all, err := together(ps)
	if err != nil {
		return s, err
	}
	s.Metrics = []metric{
		{"time", "s", all.seconds()}, {"CPU", "s", all.CPU}, {"memory", "MB", all.RSS},
		{"threads of a process", "", float64(all.Threads)}, {"processes", "", float64(processes)},
	}
	if p.Restart == 0 {
		return s, nil
	}
	if err := tellAll(ps); err != nil { // to stop them
		return s, err
	}
	again, err := together(ps)
	if err != nil {
		return s, err
	}
	share := 1 - pairs(p.Peers-p.Restart)/pairs(p.Peers)
	s.Metrics = append(s.Metrics,
		metric{"restarts: time", "s", again.seconds()}, metric{"restarts: CPU", "s", again.CPU},
		metric{"restarts: CPU, of their share", "×", again.CPU / (all.CPU * share)})
	return s, nil
}

// pairs is how many pairs there are of so many nodes.
func pairs(nodes int) float64 { return float64(nodes) * float64(nodes-1) / 2 }

// together waits until all are ready, lets them begin, and adds up what they report.
func together(ps []*process) (all message, err error) {
	for _, w := range ps {
		if _, err := w.next(); err != nil {
			return all, err
		}
	}
	if err := tellAll(ps); err != nil {
		return all, err
	}
	for i, w := range ps {
		got, err := w.next()
		if err != nil {
			return all, err
		}
		if i == 0 || got.Begin < all.Begin {
			all.Begin = got.Begin
		}
		all.End, all.Threads = max(all.End, got.End), max(all.Threads, got.Threads)
		all.CPU, all.RSS = all.CPU+got.CPU, all.RSS+got.RSS
	}
	return all, nil
}

func tellAll(ps []*process) error {
	for _, w := range ps {
		if err := w.tell(); err != nil {
			return err
		}
	}
	return nil
}

// idle measures what a node costs that has nothing to do.
func idle(peers int, seconds float64) measurement {
	return measurement{name: fmt.Sprintf("idle-%d-peers", peers), runs: 3, sides: []side{
		{name: "zyre", run: func(ctx context.Context, h *host) (s sample, err error) {
			p := params{Seconds: seconds, Peers: peers, Nodes: peers}
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
			if err := others.tell(); err != nil {
				return s, err
			}
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

// many measures what a message costs a node with many peers, some of which talk, and
// what memory a peer takes.
func many(name string, peers, talking, count int) measurement {
	one := func(role string, bare float64) func(context.Context, *host) (sample, error) {
		return func(ctx context.Context, h *host) (s sample, err error) {
			p := params{Peers: peers, Talking: talking, Count: count / talking, Size: 100, Seconds: bare}
			if p.Port, err = freePort("udp"); err != nil {
				return s, err
			}
			if p.TCP, err = freePort("tcp"); err != nil {
				return s, err
			}
			return exchange(ctx, h, role, p)
		}
	}
	return measurement{name: name, sides: []side{
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
