package main

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/internal/measure"
)

// zyreMany is a node with many peers, all of which are one process. It measures
// the memory that they take, then whispers Count messages to each that talks, in
// turn, and then receives Count from each.
func zyreMany(w *output, p params) error {
	z := newNode(p).SetBeaconPeerPort(p.TCP)
	if err := z.Start(); err != nil {
		return err
	}
	defer z.Stop()
	base := settledMemory()
	w.send(message{Endpoint: fmt.Sprintf("tcp://127.0.0.1:%d", p.TCP)})
	entered, err := awaitPeers(z, p.Peers, "ENTER")
	if err != nil {
		return err
	}
	slices.Sort(entered) // those that talk are the first
	m := message{Base: base, RSS: settledMemory(), Count: p.Count * p.talking()}
	payload := make([]byte, p.Size)
	begin, cpu := time.Now(), cpuTime()
	for i := range p.Count {
		for j, id := range entered[:p.talking()] {
			measure.Number(payload, i, j)
			z.Whisper(id, payload)
		}
	}
	m.Begin, m.End, m.CPU = begin.UnixNano(), time.Now().UnixNano(), cpuTime()-cpu
	w.send(m)
	m, err = receiveMany(z, newTally(p.talking(), p))
	if err != nil {
		return err
	}
	w.send(m)
	w.wait()
	return nil
}

func receiveMany(z *zyre.Zyre, t *tally) (message, error) {
	late := time.After(2 * timeout)
	for {
		select {
		case e := <-z.Events():
			if e.Type == "WHISPER" && t.add(e.Msg) {
				return t.m, nil
			}
		case <-late:
			return t.m, fmt.Errorf("%d of %d messages came", t.Messages, t.count)
		}
	}
}

// zmqMany does the same without zyre: a ROUTER, and a DEALER for each peer.
func zmqMany(w *output, p params) error {
	in, endpoint, err := listen()
	if err != nil {
		return err
	}
	defer in.Close()
	base := settledMemory()
	w.send(message{Endpoint: endpoint})
	var out []*zmq.Socket
	for range p.Peers {
		back, err := recvBare(in)
		if err != nil {
			return err
		}
		s, err := dial(string(back))
		if err != nil {
			return err
		}
		defer s.Close()
		out = append(out, s)
		if err := sendBare(s, back); err != nil {
			return err
		}
	}
	m := message{Base: base, RSS: settledMemory(), Count: p.Count * p.talking()}
	payload := make([]byte, p.Size)
	begin, cpu := time.Now(), cpuTime()
	for i := range p.Count {
		for j, s := range out[:p.talking()] {
			measure.Number(payload, i, j)
			if err := sendBare(s, payload); err != nil {
				return err
			}
		}
	}
	m.Begin, m.End, m.CPU = begin.UnixNano(), time.Now().UnixNano(), cpuTime()-cpu
	w.send(m)
	t := newTally(p.talking(), p)
	for {
		payload, err := recvBare(in)
		if err != nil {
			return err
		}
		if t.add(payload) {
			break
		}
	}
	w.send(t.m)
	w.wait()
	return nil
}

// settledMemory is what the process occupies once Go has given back what it can.
func settledMemory() float64 {
	debug.FreeOSMemory()
	return memory().rss
}

// peers are Peers peers of one node, as cheap as can be: a DEALER each to talk to
// it, and one socket, with a port for each, to listen. First they all say HELLO,
// then those that talk take Count messages each and whisper Count each. With Seconds set
// they talk to zmqMany, which wants nothing but an endpoint as HELLO.
func peers(w *output, p params) error {
	// A DEALER takes what DEALERs send, and minds no two from one node.
	in, err := openSocket(zmq.DEALER)
	if err != nil {
		return err
	}
	defer in.Close()
	out := make([]*zmq.Socket, p.Peers)
	for i := range out {
		endpoint, err := bind(in)
		if err != nil {
			return err
		}
		id := make([]byte, 17)
		_, _ = rand.Read(id)
		id[0] = 1
		binary.BigEndian.PutUint16(id[1:], uint16(i)) // in order
		if out[i], err = dialAs(p.Endpoints[0], id); err != nil {
			return err
		}
		defer out[i].Close()
		if p.Seconds != 0 {
			err = sendBare(out[i], []byte(endpoint))
		} else {
			_, err = out[i].SendBytes(hello(endpoint, i), 0)
		}
		if err != nil {
			return err
		}
	}
	answers, err := takeAll(in, out[0], p)
	if err != nil {
		return err
	}
	w.send(message{})
	w.wait()
	payload := make([]byte, p.Size)
	for i := range p.Count {
		for j, s := range out[:p.talking()] {
			measure.Number(payload, i, j)
			seq := i + 2
			if j == 0 {
				seq += answers
			}
			if err := whisper(s, uint16(seq), payload); err != nil {
				return err
			}
		}
	}
	w.send(message{})
	w.wait()
	return nil
}

// takeAll takes the node's HELLOs and all its messages, and returns how many of its PINGs the
// first peer answered: a node sends no more than 8 MiB that are not confirmed. To a socket that
// listens for all it does not show who was asked, but so much is sent only if just one peer talks.
func takeAll(in, first *zmq.Socket, p params) (answers int, err error) {
	for got := 0; got < p.Count*p.talking(); {
		payload, err := in.RecvBytes(0)
		if err != nil {
			return answers, fmt.Errorf("after %d messages: %w", got, err)
		}
		if p.Seconds == 0 && p.talking() == 1 && isPing(payload) {
			answers++
			seq := answers + 1
			if _, err := first.SendBytes([]byte{0xAA, 0xA1, 7, 2, byte(seq >> 8), byte(seq)}, 0); err != nil {
				return answers, err
			}
			continue
		}
		for more := true; more; {
			if more, err = in.GetRcvmore(); err == nil && more {
				payload, err = in.RecvBytes(0)
			}
			if err != nil {
				return answers, err
			}
		}
		if len(payload) == p.Size {
			got++
		}
	}
	return answers, nil
}

func isPing(frame []byte) bool { return len(frame) == 6 && frame[2] == 6 }

// hello makes a HELLO frame: no groups, status 0, a name, no headers.
func hello(endpoint string, number int) []byte {
	name := fmt.Sprint("peer ", number)
	b := append([]byte{0xAA, 0xA1, 1, 2, 0, 1, byte(len(endpoint))}, endpoint...)
	b = append(b, 0, 0, 0, 0, 0)
	b = append(append(b, byte(len(name))), name...)
	return append(b, 0, 0, 0, 0)
}

func whisper(s *zmq.Socket, seq uint16, payload []byte) error {
	_, err := s.SendBytes([]byte{0xAA, 0xA1, 2, 2, byte(seq >> 8), byte(seq)}, zmq.SNDMORE)
	_, last := s.SendBytes(payload, 0)
	return errors.Join(err, last)
}
