package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/internal/measure"
)

// The bare loops use the sockets as a ZRE node does: a DEALER for each peer that
// sends a header of six bytes and the payload, a ROUTER that gets the routing id
// as well. They know that there are three frames and never ask libzmq.

const (
	highWaterMark = 1000 // as in zyre
	timeout       = 20 * time.Second
)

var bareHeader = []byte{0xAA, 0xA1, 2, 2, 0, 0}

func openSocket(kind zmq.Type) (*zmq.Socket, error) {
	s, err := zmq.NewSocket(kind)
	if err != nil {
		return nil, err
	}
	return s, errors.Join(s.SetSndhwm(highWaterMark), s.SetRcvhwm(highWaterMark), s.SetLinger(2*time.Second),
		s.SetSndtimeo(timeout), s.SetRcvtimeo(timeout), s.SetReconnectIvl(100*time.Millisecond))
}

// listen opens a ROUTER.
func listen() (*zmq.Socket, string, error) {
	s, err := openSocket(zmq.ROUTER)
	if err != nil {
		return nil, "", err
	}
	endpoint, err := bind(s)
	return s, endpoint, err
}

func bind(s *zmq.Socket) (string, error) {
	if err := s.Bind("tcp://" + here().address + ":*"); err != nil {
		return "", err
	}
	return s.GetLastEndpoint()
}

// dial opens a DEALER with a routing id like a node's.
func dial(endpoint string) (*zmq.Socket, error) {
	id := make([]byte, 17)
	_, _ = rand.Read(id)
	id[0] = 1
	return dialAs(endpoint, id)
}

func dialAs(endpoint string, id []byte) (*zmq.Socket, error) {
	s, err := openSocket(zmq.DEALER)
	if err != nil {
		return nil, err
	}
	return s, errors.Join(s.SetIdentity(string(id)), s.Connect(endpoint))
}

func sendBare(s *zmq.Socket, payload []byte) error {
	if _, err := s.SendBytes(bareHeader, zmq.SNDMORE); err != nil {
		return err
	}
	_, err := s.SendBytes(payload, 0)
	return err
}

func recvBare(s *zmq.Socket) (payload []byte, err error) {
	for range 3 {
		if payload, err = s.RecvBytes(0); err != nil {
			return nil, err
		}
	}
	return payload, nil
}

// tally checks what arrives: count messages from each of several senders, and when.
type tally struct {
	*measure.Tally
	count int
	m     message
	cpu   float64
}

func newTally(senders int, p params) *tally {
	return &tally{Tally: measure.NewTally(senders, p.Size), count: senders * p.Count}
}

// add takes note of a payload and says whether it was the last one.
func (t *tally) add(payload []byte) (last bool) {
	if t.Messages == 0 {
		t.m.Base, t.m.Begin, t.cpu = memory().rss, time.Now().UnixNano(), cpuTime()
	}
	if t.Add(payload); t.Messages < t.count {
		return false
	}
	t.m.Count, t.m.Lost = t.Messages, t.Lost
	t.m.End, t.m.CPU, t.m.Peak = time.Now().UnixNano(), cpuTime()-t.cpu, peakMemory()
	return true
}

// zmqRecv receives Count messages from each of Peers senders.
func zmqRecv(w *output, p params) error {
	s, endpoint, err := listen()
	if err != nil {
		return err
	}
	w.send(message{Endpoint: endpoint})
	t := newTally(max(p.Peers, 1), p)
	for {
		payload, err := recvBare(s)
		if err != nil {
			return fmt.Errorf("after %d of %d messages: %w", t.Messages, t.count, err)
		}
		if t.add(payload) {
			break
		}
	}
	w.send(t.m)
	w.wait()
	return s.Close()
}

// zmqSend sends Count messages to each of Endpoints, in turn. With Peers set, the
// endpoints are all one receiver's, and the messages tell the senders apart.
func zmqSend(w *output, p params) error {
	var socs []*zmq.Socket
	for _, e := range p.Endpoints {
		s, err := dial(e)
		if err != nil {
			return err
		}
		defer s.Close()
		socs = append(socs, s)
	}
	w.send(message{})
	w.wait()
	payload := make([]byte, p.Size)
	base, begin, cpu := memory().rss, time.Now(), cpuTime()
	for i := range p.Count {
		for j, s := range socs {
			measure.Number(payload, i, pick(p.Peers > 1, j, 0))
			if err := sendBare(s, payload); err != nil {
				return err
			}
		}
	}
	w.send(message{Begin: begin.UnixNano(), End: time.Now().UnixNano(), CPU: cpuTime() - cpu,
		Count: p.Count * len(socs), Base: base, Peak: peakMemory()})
	w.wait()
	return nil
}

// answerer listens, tells its endpoint, and connects back to the one in the first message.
func answerer(w *output) (in, out *zmq.Socket, err error) {
	in, endpoint, err := listen()
	if err != nil {
		return nil, nil, err
	}
	w.send(message{Endpoint: endpoint})
	back, err := recvBare(in)
	if err != nil {
		return in, nil, err
	}
	if out, err = dial(string(back)); err == nil {
		err = sendBare(out, back)
	}
	return in, out, err
}

// asker listens, connects to an answerer, and tells it where to connect back to.
func asker(p params) (in, out *zmq.Socket, err error) {
	in, endpoint, err := listen()
	if err != nil {
		return nil, nil, err
	}
	if out, err = dial(p.Endpoints[0]); err == nil {
		err = sendBare(out, []byte(endpoint))
	}
	if err == nil {
		_, err = recvBare(in)
	}
	return in, out, err
}

// echo sends back what comes, in whatever way messages are sent and received.
func echo(w *output, p params, send func(payload []byte) error, receive func() ([]byte, error)) error {
	for range p.Count {
		payload, err := receive()
		if err != nil {
			return err
		}
		if err := send(payload); err != nil {
			return err
		}
	}
	w.wait()
	return nil
}

// zmqEcho answers on a connection back to the endpoint in the first message.
func zmqEcho(w *output, p params) error {
	in, out, err := answerer(w)
	if err != nil {
		return err
	}
	return echo(w, p, func(payload []byte) error { return sendBare(out, payload) }, func() ([]byte, error) { return recvBare(in) })
}

// zmqPing measures round trips to zmqEcho.
func zmqPing(w *output, p params) error {
	in, out, err := asker(p)
	if err != nil {
		return err
	}
	return pings(w, p, func(payload []byte) error { return sendBare(out, payload) }, func() ([]byte, error) { return recvBare(in) })
}

// pings measures round trips, in whatever way messages are sent and received.
func pings(w *output, p params, send func(payload []byte) error, receive func() ([]byte, error)) error {
	trips, lost, err := measure.RoundTrips(make([]byte, p.Size), p.Count, send, receive)
	if err != nil {
		return err
	}
	m := message{Lost: lost}
	for _, trip := range trips {
		m.Micros = append(m.Micros, micros(trip))
	}
	w.send(m)
	w.wait()
	return nil
}

// zmqAnchor answers each newcomer on a connection of its own.
func zmqAnchor(w *output, p params) error {
	in, endpoint, err := listen()
	if err != nil {
		return err
	}
	defer in.Close()
	w.send(message{Endpoint: endpoint})
	for range p.Count {
		back, err := recvBare(in)
		if err != nil {
			return err
		}
		out, err := dial(string(back))
		if err != nil {
			return err
		}
		defer out.Close()
		if err := sendBare(out, back); err != nil {
			return err
		}
	}
	w.wait()
	return nil
}

// zmqNewcomer measures how long it takes from nothing to zmqAnchor's answer.
func zmqNewcomer(w *output, p params) error {
	m := message{}
	for range p.Count {
		begin := time.Now()
		in, endpoint, err := listen()
		if err != nil {
			return err
		}
		out, err := dial(p.Endpoints[0])
		if err != nil {
			return err
		}
		if err := sendBare(out, []byte(endpoint)); err != nil {
			return err
		}
		if _, err := recvBare(in); err != nil {
			return err
		}
		m.Micros = append(m.Micros, micros(time.Since(begin)))
		if err := errors.Join(out.Close(), in.Close()); err != nil {
			return err
		}
	}
	w.send(m)
	w.wait()
	return nil
}

// zmqMesh connects Peers ROUTERs with each other and passes one message on every
// connection, as a mesh of nodes does with HELLO. Nodes of them are of this process, and all
// have one TCP port, each at an address of its own.
func zmqMesh(w *output, p params) error {
	zmq.SetMaxSockets(65535)
	at := func(node int) string { return fmt.Sprintf("tcp://127.1.%d.%d:%d", node/250, node%250+1, p.TCP) }
	var in, out []*zmq.Socket
	for i := range p.Nodes {
		s, err := openSocket(zmq.ROUTER)
		if err != nil {
			return err
		}
		if err := s.Bind(at(p.First + i)); err != nil {
			return err
		}
		in = append(in, s)
	}
	w.send(message{})
	w.wait()
	base, begin, cpu := memory().rss, time.Now(), cpuTime()
	for i := range in {
		for other := range p.Peers {
			if other == p.First+i {
				continue
			}
			s, err := dial(at(other))
			if err != nil {
				return err
			}
			out = append(out, s)
			if err := sendBare(s, make([]byte, 100)); err != nil {
				return err
			}
		}
	}
	for _, s := range in {
		for range p.Peers - 1 {
			if _, err := recvBare(s); err != nil {
				return err
			}
		}
	}
	m := message{Begin: begin.UnixNano(), End: time.Now().UnixNano(), CPU: cpuTime() - cpu, Base: base}
	m.RSS, m.Threads = memory().rss, memory().threads
	w.send(m)
	w.wait()
	for _, s := range append(out, in...) {
		_ = s.SetLinger(0)
		_ = s.Close()
	}
	return nil
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
