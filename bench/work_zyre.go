package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/internal/measure"
)

// roles are what a worker can be told to do.
var roles = map[string]func(*output, params) error{
	"zyre-recv":     zyreRecv,
	"zyre-send":     zyreSend,
	"zyre-shout":    zyreShout,
	"zyre-echo":     zyreEcho,
	"zyre-ping":     zyrePing,
	"zyre-anchor":   zyreAnchor,
	"zyre-newcomer": zyreNewcomer,
	"zyre-mesh":     zyreMesh,
	"zyre-idle":     zyreIdle,
	"zyre-many":     zyreMany,
	"peers":         peers,
	"zmq-recv":      zmqRecv,
	"zmq-send":      zmqSend,
	"zmq-echo":      zmqEcho,
	"zmq-ping":      zmqPing,
	"zmq-anchor":    zmqAnchor,
	"actor-recv":    actorRecv,
	"actor-send":    actorSend,
	"actor-echo":    actorEcho,
	"actor-ping":    actorPing,
	"zmq-newcomer":  zmqNewcomer,
	"zmq-mesh":      zmqMesh,
	"zmq-many":      zmqMany,
}

const group = "bench"

func newNode(p params) *zyre.Zyre {
	return zyre.NewZyre(context.Background()).SetInterface(here().iface).SetPort(p.Port)
}

// startNode starts a node and waits until as many peers have entered.
func startNode(p params) (z *zyre.Zyre, entered []string, err error) {
	z = newNode(p)
	if err := z.Start(); err != nil {
		return nil, nil, err
	}
	entered, err = awaitPeers(z, p.Peers, "ENTER")
	if err != nil {
		z.Stop()
	}
	return z, entered, err
}

// awaitPeers waits for as many events of a kind and returns whose they were.
func awaitPeers(z *zyre.Zyre, count int, kind string) (ids []string, err error) {
	late := time.After(timeout + time.Duration(count)*time.Second)
	for len(ids) < count {
		select {
		case e, ok := <-z.Events():
			if !ok {
				return nil, errors.New("node stopped")
			}
			if e.Type == kind {
				ids = append(ids, e.PeerUUID)
			}
		case <-late:
			return nil, fmt.Errorf("%d of %d peers came (%s)", len(ids), count, kind)
		}
	}
	return ids, nil
}

// zyreRecv receives Count messages.
func zyreRecv(w *output, p params) error {
	z := newNode(p)
	z.Join(group)
	if err := z.Start(); err != nil {
		return err
	}
	defer z.Stop()
	w.send(message{})
	t := newTally(1, p)
	late := time.After(6 * timeout)
	for {
		select {
		case e := <-z.Events():
			if (e.Type == "WHISPER" || e.Type == "SHOUT") && t.add(e.Msg) {
				w.send(t.m)
				w.wait()
				return nil
			}
			if e.Type == "EXIT" && t.Messages > 0 {
				return fmt.Errorf("EXIT after %d of %d messages", t.Messages, t.count)
			}
		case <-late:
			return fmt.Errorf("%d of %d messages came", t.Messages, t.count)
		}
	}
}

// discard reads the events of a node that is not interested in them.
func discard(z *zyre.Zyre) {
	events := z.Events()
	go func() { // ends with the node
		for range events {
		}
	}()
}

// zyreSend whispers Count messages to its one peer.
func zyreSend(w *output, p params) error {
	z, entered, err := startNode(p)
	if err != nil {
		return err
	}
	defer z.Stop()
	discard(z)
	w.send(message{})
	w.wait()
	return sendAll(w, p, func(payload []byte) { z.Whisper(entered[0], payload) })
}

// sendAll sends Count messages, each to all Peers.
func sendAll(w *output, p params, send func(payload []byte)) error {
	base, begin, cpu := memory().rss, time.Now(), cpuTime()
	sent, _ := measure.Send(make([]byte, p.Size), func(sent int) bool { return sent < p.Count },
		func(payload []byte) error { send(payload); return nil })
	w.send(message{Begin: begin.UnixNano(), End: time.Now().UnixNano(), CPU: cpuTime() - cpu, Count: sent * p.Peers,
		Base: base, Peak: peakMemory()})
	w.wait()
	return nil
}

// zyreShout shouts Count messages to the group once all Peers are in it.
func zyreShout(w *output, p params) error {
	z := newNode(p)
	if err := z.Start(); err != nil {
		return err
	}
	defer z.Stop()
	if _, err := awaitPeers(z, p.Peers, "JOIN"); err != nil {
		return err
	}
	discard(z)
	w.send(message{})
	w.wait()
	return sendAll(w, p, func(payload []byte) { z.Shout(group, payload) })
}

// zyreEcho answers every whisper.
func zyreEcho(w *output, p params) error {
	z := newNode(p)
	if err := z.Start(); err != nil {
		return err
	}
	defer z.Stop()
	answer := func(e *zyre.Event) { z.Whisper(e.PeerUUID, e.Msg) }
	if p.Elsewhere {
		questions, whisper := make(chan *zyre.Event), answer
		defer close(questions)
		go func() { // ends with questions
			for e := range questions {
				whisper(e)
			}
		}()
		answer = func(e *zyre.Event) { questions <- e }
	}
	w.send(message{})
	for {
		select {
		case e := <-z.Events():
			if e.Type == "WHISPER" {
				answer(e)
			}
		case <-w.gone:
			return nil
		}
	}
}

// zyrePing measures round trips to zyreEcho.
func zyrePing(w *output, p params) error {
	z, entered, err := startNode(p)
	if err != nil {
		return err
	}
	defer z.Stop()
	events := z.Events()
	send := func(payload []byte) error { z.Whisper(entered[0], payload); return nil }
	return pings(w, p, send, func() ([]byte, error) {
		for e := range events {
			if e.Type == "WHISPER" {
				return e.Msg, nil
			}
		}
		return nil, errors.New("node stopped")
	})
}

// zyreAnchor is a node that others find.
func zyreAnchor(w *output, p params) error {
	z := newNode(p)
	if err := z.Start(); err != nil {
		return err
	}
	defer z.Stop()
	discard(z)
	w.send(message{})
	w.wait()
	return nil
}

// zyreNewcomer measures the time from Start to the anchor's ENTER, with a new node
// in each round.
func zyreNewcomer(w *output, p params) error {
	var m message
	for range p.Count {
		z := newNode(p)
		begin := time.Now()
		if err := z.Start(); err != nil {
			return err
		}
		_, err := awaitPeers(z, 1, "ENTER")
		m.Micros = append(m.Micros, micros(time.Since(begin)))
		z.Stop()
		if err != nil {
			return err
		}
	}
	w.send(m)
	w.wait()
	return nil
}

// zyreMesh runs Nodes nodes in this process and waits until each knows Peers-1 others. If some
// are to restart, it reports once more when each knows as many again.
func zyreMesh(w *output, p params) error {
	w.send(message{})
	w.wait()
	m := &meshPart{params: p, nodes: make([]*zyre.Zyre, p.Nodes), complete: make(chan error, p.Nodes)}
	defer m.stop()
	if err := m.report(w, func(int) int { return p.Peers - 1 }, p.Nodes); err != nil {
		return err
	}
	if p.Restart > 0 {
		w.wait()
		restart := 0
		if p.First == 0 {
			restart = p.Restart
			stopNodes(m.nodes[:restart])
			awaitClosed()
		}
		w.send(message{})
		w.wait()
		err := m.report(w, func(i int) int { return pick(i < restart, p.Peers-1, p.Restart) }, restart)
		if err != nil {
			return err
		}
	}
	for _, z := range m.nodes {
		discard(z)
	}
	w.wait()
	return nil
}

// meshPart is the part of one process of nodes that all find each other.
type meshPart struct {
	params
	nodes    []*zyre.Zyre
	complete chan error
}

// report starts the first nodes, waits until as many peers as wanted have entered at each, and
// says what that cost.
func (m *meshPart) report(w *output, wanted func(node int) int, start int) error {
	base, begin, cpu := memory().rss, time.Now(), cpuTime()
	for i := range m.nodes {
		if i < start {
			m.nodes[i] = newNode(m.params)
			if err := m.nodes[i].Start(); err != nil {
				return err
			}
		}
		go func(z *zyre.Zyre) {
			_, err := awaitPeers(z, wanted(i), "ENTER")
			m.complete <- err
		}(m.nodes[i])
	}
	for range m.nodes {
		if err := <-m.complete; err != nil {
			return err
		}
	}
	r := message{Begin: begin.UnixNano(), End: time.Now().UnixNano(), CPU: cpuTime() - cpu, Base: base}
	r.RSS, r.Threads = memory().rss, memory().threads
	w.send(r)
	return nil
}

func (m *meshPart) stop() { stopNodes(m.nodes) }

// stopNodes stops nodes, all at the same time.
func stopNodes(nodes []*zyre.Zyre) {
	var all sync.WaitGroup
	for _, z := range nodes {
		if z != nil {
			all.Go(z.Stop)
		}
	}
	all.Wait()
}

// awaitClosed waits until libzmq has closed the connections of nodes that have stopped: it goes on
// with that for some time, while others of the process run. What that takes belongs to what was.
func awaitClosed() {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for before, now := -1, descriptors(); before < 0 || now < before; before, now = now, descriptors() {
		<-tick.C
	}
}

// zyreIdle watches one node with Peers peers that have nothing to say, for Seconds.
func zyreIdle(w *output, p params) error {
	z, _, err := startNode(p)
	if err != nil {
		return err
	}
	defer z.Stop()
	<-time.After(time.Second) // until all have settled
	begin, cpu, before := time.Now(), cpuTime(), memory()
	<-time.After(time.Duration(p.Seconds * float64(time.Second)))
	m := message{Begin: begin.UnixNano(), End: time.Now().UnixNano(), CPU: cpuTime() - cpu}
	after := memory()
	m.Switches, m.Threads = after.switches-before.switches, after.threads
	w.send(m)
	w.wait()
	return nil
}
