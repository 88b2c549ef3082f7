package main

import (
	"context"
	"fmt"
	"strconv"
)

// measurement is one thing to measure, in several ways.
type measurement struct {
	name  string
	sides []side
	runs  int // at most; 0 for no limit
}

// side is one way to do the work: zyre comes first, what it is compared with
// after it.
type side struct {
	name   string
	needsC bool
	run    func(context.Context, *host) (sample, error)
}

// measurements are all there are. Those of a group are compared with each other, and
// so they take turns.
func measurements(o options) (groups [][]measurement) {
	div := pick(o.short, 10, 1)
	alone := func(m measurement) { groups = append(groups, []measurement{m}) }
	for _, c := range []struct{ size, count int }{
		{100, 1_000_000}, {1 << 10, 500_000}, {16 << 10, 60_000}, {64 << 10, 20_000},
		{256 << 10, 6000}, {1 << 20, 1500}, {16 << 20, 100},
	} {
		alone(oneWay(c.size, c.count/div))
	}
	alone(shouts(8, 100, 100_000/div))
	alone(shouts(8, 64<<10, 3000/div))
	alone(roundTrip("round-trip", overLoopback, 100, 20_000/div))
	if mayUnshare() == nil {
		alone(roundTrip("round-trip-veth", overVeth, 100, 20_000/div))
	}
	alone(startToEnter(pick(o.short, 30, 100)))
	alone(idle(10, o.idle.Seconds()))
	for _, nodes := range o.meshes() {
		alone(mesh(nodes))
	}
	numbers := pick(o.short, []int{1, 10, 50}, []int{1, 10, 50, 200})
	var all, one []measurement
	for _, peers := range numbers {
		all = append(all, many(fmt.Sprintf("with-%d-peers", peers), peers, peers, 400_000/div))
		one = append(one, many(fmt.Sprintf("one-of-%d-peers", peers), peers, 1, 400_000/div))
	}
	return append(groups, all, one)
}

// sizeName writes 65536 as 64KiB.
func sizeName(size int) string {
	switch {
	case size >= 1<<20:
		return strconv.Itoa(size>>20) + "MiB"
	case size >= 1<<10:
		return strconv.Itoa(size>>10) + "KiB"
	}
	return strconv.Itoa(size) + "B"
}

// oneWay measures messages that one process sends to another.
func oneWay(size, count int) measurement {
	p := params{Count: count, Size: size, Peers: 1}
	bare := func(recv, send string) func(context.Context, *host) (sample, error) {
		return func(ctx context.Context, h *host) (sample, error) {
			return flow(
				func(string) (*process, error) { return h.worker(ctx, recv, p) },
				func(e string) (*process, error) {
					return h.worker(ctx, send, params{Count: count, Size: size, Endpoints: []string{e}})
				}, p)
		}
	}
	return measurement{name: "one-way-" + sizeName(size), sides: []side{
		{name: "zyre", run: func(ctx context.Context, h *host) (s sample, err error) {
			p := p
			if p.Port, err = freePort("udp"); err != nil {
				return s, err
			}
			return flow(
				func(string) (*process, error) { return h.worker(ctx, "zyre-recv", p) },
				func(string) (*process, error) { return h.worker(ctx, "zyre-send", p) }, p)
		}},
		{name: "zmq4", run: bare("zmq-recv", "zmq-send")},
		{name: "libzmq in C", needsC: true, run: func(ctx context.Context, h *host) (sample, error) {
			n, size := strconv.Itoa(count), strconv.Itoa(size)
			return flow(
				func(string) (*process, error) { return h.c(ctx, "recv", n, size) },
				func(e string) (*process, error) { return h.c(ctx, "send", e, n, size) }, p)
		}},
		{name: "zmq4, actor", run: bare("actor-recv", "actor-send")},
	}}
}

type starter func(endpoint string) (*process, error)

// flow runs a receiver and a sender, and reports what the receiver saw.
func flow(receiver, sender starter, p params) (s sample, err error) {
	recv, err := receiver("")
	if err != nil {
		return s, err
	}
	defer recv.stop()
	ready, err := recv.next()
	if err != nil {
		return s, err
	}
	send, err := sender(ready.Endpoint)
	if err != nil {
		return s, err
	}
	defer send.stop()
	sent, err := sentAll(send)
	if err != nil {
		return s, err
	}
	got, err := recv.next()
	if err != nil {
		return s, err
	}
	rate := float64(got.Count) / got.seconds()
	s.Metrics = []metric{
		{"rate", "messages/s", rate},
		{"throughput", "MB/s", rate * float64(p.Size) / 1e6},
		{"CPU, receiver", "µs/message", got.CPU / float64(got.Count) * 1e6},
		{"CPU, sender", "µs/message", sent.CPU / float64(sent.Count) * 1e6},
	}
	if got.Peak > 0 && sent.Peak > 0 { // the C program does not tell
		s.Metrics = append(s.Metrics, metric{"memory, receiver", "MB", got.Peak - got.Base},
			metric{"memory, sender", "MB", sent.Peak - sent.Base})
	}
	return s, nil
}

// sentAll has a sender send, and returns what it reports.
func sentAll(send *process) (sent message, err error) {
	if sent, err = send.next(); err != nil || sent.Count > 0 {
		return sent, err
	}
	if err := send.tell(); err != nil { // it waits for the word; the C program does not
		return sent, err
	}
	return send.next()
}

// shouts measures messages that go to several processes. One of 100 B has no size in its name.
func shouts(members, size, count int) measurement {
	p := params{Count: count, Size: size, Peers: members}
	name := fmt.Sprintf("shout-to-%d", members)
	if size != 100 {
		name += "-" + sizeName(size)
	}
	return measurement{name: name, sides: []side{
		{name: "zyre", run: func(ctx context.Context, h *host) (s sample, err error) {
			p := p
			if p.Port, err = freePort("udp"); err != nil {
				return s, err
			}
			return fanOut(members,
				func(string) (*process, error) { return h.worker(ctx, "zyre-recv", p) },
				func([]string) (*process, error) { return h.worker(ctx, "zyre-shout", p) })
		}},
		{name: "zmq4", run: func(ctx context.Context, h *host) (sample, error) {
			p := params{Count: count, Size: size}
			return fanOut(members,
				func(string) (*process, error) { return h.worker(ctx, "zmq-recv", p) },
				func(endpoints []string) (*process, error) {
					p.Endpoints = endpoints
					return h.worker(ctx, "zmq-send", p)
				})
		}},
		{name: "libzmq in C", needsC: true, run: func(ctx context.Context, h *host) (sample, error) {
			n, size := strconv.Itoa(count), strconv.Itoa(size)
			return fanOut(members,
				func(string) (*process, error) { return h.c(ctx, "recv", n, size) },
				func(endpoints []string) (*process, error) {
					return h.c(ctx, append([]string{"shout", n, size}, endpoints...)...)
				})
		}},
	}}
}

// fanOut runs a process for each member and one sender.
func fanOut(members int, receiver starter, sender func(endpoints []string) (*process, error)) (s sample, err error) {
	var recv []*process
	defer func() { stopAll(recv) }()
	var endpoints []string
	for range members {
		r, err := receiver("")
		if err != nil {
			return s, err
		}
		recv = append(recv, r)
		ready, err := r.next()
		if err != nil {
			return s, err
		}
		endpoints = append(endpoints, ready.Endpoint)
	}
	send, err := sender(endpoints)
	if err != nil {
		return s, err
	}
	defer send.stop()
	sent, err := sentAll(send)
	if err != nil {
		return s, err
	}
	total, last, cpu := 0, int64(0), 0.0
	for _, r := range recv {
		got, err := r.next()
		if err != nil {
			return s, err
		}
		total, last, cpu = total+got.Count, max(last, got.End), cpu+got.CPU
	}
	return sample{Metrics: []metric{
		{"deliveries", "/s", float64(total) / (float64(last-sent.Begin) / 1e9)},
		{"CPU, receivers", "µs/delivery", cpu / float64(total) * 1e6},
		{"CPU, sender", "µs/delivery", sent.CPU / float64(total) * 1e6},
	}}, nil
}

// roundTrip measures how long an answer takes.
func roundTrip(name string, over wire, size, count int) measurement {
	p := params{Count: count, Size: size, Peers: 1}
	loop := func(echo, ping string) func(context.Context, *host) (sample, error) {
		return func(ctx context.Context, h *host) (sample, error) {
			return roundTrips(ctx, h, over, echo, ping, p)
		}
	}
	ours := func(procs int, elsewhere bool) func(context.Context, *host) (sample, error) {
		return func(ctx context.Context, h *host) (s sample, err error) {
			p := p
			p.Procs, p.Elsewhere = procs, elsewhere
			if p.Port, err = freePort("udp"); err != nil {
				return s, err
			}
			return roundTrips(ctx, h, over, "zyre-echo", "zyre-ping", p)
		}
	}
	return measurement{name: name, sides: []side{
		{name: "zyre", run: ours(0, false)},
		{name: "zmq4", run: loop("zmq-echo", "zmq-ping")},
		{name: "libzmq in C", needsC: true, run: func(ctx context.Context, h *host) (sample, error) {
			a, b, remove, err := over(ctx)
			if err != nil {
				return sample{}, err
			}
			defer remove()
			n, size := strconv.Itoa(count), strconv.Itoa(size)
			return latencies(
				func(string) (*process, error) { return h.at(a).c(ctx, "echo", n) },
				func(e string) (*process, error) { return h.at(b).c(ctx, "ping", e, n, size) }, "µs", 1)
		}},
		{name: "zmq4, actor", run: loop("actor-echo", "actor-ping")},
		{name: "zyre, GOMAXPROCS=1", run: ours(1, false)},
		{name: "zyre, GOMAXPROCS=4", run: ours(4, false)},
		{name: "zyre, another goroutine", run: ours(0, true)},
	}}
}

// roundTrips runs a worker that answers and one that asks, at either end of a wire.
func roundTrips(ctx context.Context, h *host, over wire, echo, ping string, p params) (sample, error) {
	a, b, remove, err := over(ctx)
	if err != nil {
		return sample{}, err
	}
	defer remove()
	return latencies(
		func(string) (*process, error) { return h.at(a).worker(ctx, echo, p) },
		func(endpoint string) (*process, error) {
			p.Endpoints = []string{endpoint}
			return h.at(b).worker(ctx, ping, p)
		}, "µs", 1)
}

// startToEnter measures how long a new node takes to know another.
func startToEnter(rounds int) measurement {
	return measurement{name: "start-to-enter", sides: []side{
		{name: "zyre", run: func(ctx context.Context, h *host) (sample, error) {
			port, err := freePort("udp")
			if err != nil {
				return sample{}, err
			}
			p := params{Port: port, Count: rounds}
			return latencies(
				func(string) (*process, error) { return h.worker(ctx, "zyre-anchor", p) },
				func(string) (*process, error) { return h.worker(ctx, "zyre-newcomer", p) }, "ms", 1e-3)
		}},
		{name: "zmq4", run: func(ctx context.Context, h *host) (sample, error) {
			return latencies(
				func(string) (*process, error) { return h.worker(ctx, "zmq-anchor", params{Count: rounds}) },
				func(e string) (*process, error) {
					return h.worker(ctx, "zmq-newcomer", params{Count: rounds, Endpoints: []string{e}})
				}, "ms", 1e-3)
		}},
	}}
}

// latencies runs a process that answers and one that asks, and reports what the
// latter measured, in units of scale µs.
func latencies(server, client starter, unit string, scale float64) (s sample, err error) {
	echo, err := server("")
	if err != nil {
		return s, err
	}
	defer echo.stop()
	ready, err := echo.next()
	if err != nil {
		return s, err
	}
	ping, err := client(ready.Endpoint)
	if err != nil {
		return s, err
	}
	defer ping.stop()
	got, err := ping.next()
	if err != nil {
		return s, err
	}
	q := quantiles(got.Micros)
	return sample{Quantiles: q, Metrics: []metric{
		{"p50", unit, q[50] * scale}, {"p90", unit, q[90] * scale},
		{"p99", unit, q[99] * scale}, {"max", unit, q[100] * scale},
	}}, nil
}
