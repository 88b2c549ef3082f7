package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-zyre/zyre"
)

// perfResult is what was measured.
type perfResult struct {
	Time       time.Time        `json:"time"`
	Peers      []string         `json:"peers"` // their names
	Endpoint   string           `json:"endpoint"`
	System     string           `json:"system"`
	DiscoverMS float64          `json:"discover_ms"` // from Start until the first was there
	Whispers   []perfThroughput `json:"whispers"`    // to the first
	RoundTrip  perfRoundTrip    `json:"round_trip"`  // with the first
	Shouts     perfThroughput   `json:"shouts"`      // to all
}

// perfThroughput is how much passes.
type perfThroughput struct {
	Size      int     `json:"size"` // bytes of a message
	Receivers int     `json:"receivers"`
	Messages  int64   `json:"messages"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"messages_per_second"` // sent, each to all receivers
	MBPS      float64 `json:"megabytes_per_second"`
}

// perfRoundTrip is how long messages take there and back, in milliseconds.
type perfRoundTrip struct {
	Rounds int     `json:"rounds"`
	Min    float64 `json:"min_ms"`
	P50    float64 `json:"p50_ms"`
	P90    float64 `json:"p90_ms"`
	P99    float64 `json:"p99_ms"`
	Max    float64 `json:"max_ms"`
}

// shoutSize is the size of the shouts, in bytes.
const shoutSize = 100

// perfPatience is how long an answer may take: a receiver may have much to read first.
const perfPatience = 30 * time.Second

// perfMeasurer measures, with the same methods as the benchmarks in bench/: messages a second
// until the receiver has counted the last one, and round trips one after the other. It shares
// no code with them. There a parent process tells both sides on one host what to do, and how
// many messages to send; here the two sides have nothing but the network that is measured.
type perfMeasurer struct {
	perfFlags
	node    *zyre.Zyre
	echoes  chan []byte
	tallies chan perfTally
	exits   chan string // names of those that have gone
	quit    chan struct{}
	members atomic.Pointer[[]string] // UUIDs of those that are measured
}

func (m *perfMeasurer) run(ctx context.Context, started time.Time) (*perfResult, error) {
	m.echoes, m.tallies, m.exits = make(chan []byte, 1), make(chan perfTally), make(chan string)
	m.quit = make(chan struct{})
	defer close(m.quit)
	go m.read() // ends when the node stops
	r := &perfResult{
		Time: started.UTC(), System: fmt.Sprintf("%s/%s, %d processors, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version()),
	}
	waiting, cancel := context.WithTimeout(ctx, m.wait)
	defer cancel()
	for n := 1; n <= m.peers; n++ {
		if err := m.node.WaitPeers(waiting, perfGroup, n); err != nil {
			return nil, fmt.Errorf("%d of %d hosts that run zyre perf --serve are here after %v", n-1, m.peers, m.wait)
		}
		if n == 1 {
			r.DiscoverMS = milliseconds(time.Since(started))
		}
	}
	peers := m.node.PeersByGroup(perfGroup)
	m.members.Store(&peers)
	for _, peer := range peers {
		r.Peers = append(r.Peers, m.node.PeerName(peer))
	}
	r.Endpoint = m.node.PeerAddress(peers[0])
	for _, size := range m.sizes {
		t, err := m.throughput(ctx, size, 1, func(message []byte) error { return m.node.WhisperContext(ctx, peers[0], message) })
		if err != nil {
			return nil, err
		}
		r.Whispers = append(r.Whispers, t)
	}
	var err error
	if r.RoundTrip, err = m.roundTrips(ctx, peers[0]); err != nil {
		return nil, err
	}
	r.Shouts, err = m.throughput(ctx, shoutSize, len(peers), func(message []byte) error { return m.node.ShoutContext(ctx, perfGroup, message) })
	return r, err
}

// read takes the events, and passes answers on.
func (m *perfMeasurer) read() {
	for e := range m.node.Events() {
		switch {
		case e.Type == zyre.EventExit:
			if members := m.members.Load(); members == nil || !slices.Contains(*members, e.PeerUUID) {
				continue
			}
			select {
			case m.exits <- e.PeerName:
			case <-m.quit:
			default: // who waits for nothing need not know
			}
		case e.Type != zyre.EventWhisper || len(e.Msg) == 0:
		case e.Msg[0] == perfEcho:
			select {
			case m.echoes <- e.Msg:
			case <-m.quit:
			}
		case e.Msg[0] == perfCount:
			var t perfTally
			if json.Unmarshal(e.Msg[1:], &t) != nil {
				continue
			}
			select {
			case m.tallies <- t:
			case <-m.quit:
			}
		}
	}
}

// throughput sends messages of one size for a while, and waits until all receivers have
// counted them.
func (m *perfMeasurer) throughput(ctx context.Context, size, receivers int, send func(message []byte) error) (perfThroughput, error) {
	message := make([]byte, size)
	message[0] = perfData
	if err := send([]byte{perfBegin}); err != nil {
		return perfThroughput{}, err
	}
	var sent int64
	begin := time.Now()
	for time.Since(begin) < m.duration {
		if err := send(message); err != nil {
			return perfThroughput{}, err
		}
		sent++
	}
	if err := send([]byte{perfFinish}); err != nil {
		return perfThroughput{}, err
	}
	for range receivers {
		t, err := wait(ctx, m, m.tallies)
		if err != nil {
			return perfThroughput{}, err
		}
		if t.Messages != sent {
			return perfThroughput{}, fmt.Errorf("%d of %d messages of %d bytes have arrived", t.Messages, sent, size)
		}
	}
	took := time.Since(begin).Seconds()
	perSecond := float64(sent) / took
	return perfThroughput{
		Size: size, Receivers: receivers, Messages: sent, Seconds: took, PerSecond: perSecond,
		MBPS: perSecond * float64(size*receivers) / 1e6,
	}, nil
}

// wait waits for an answer.
func wait[T any](ctx context.Context, m *perfMeasurer, answers <-chan T) (answer T, err error) {
	patience := time.NewTimer(perfPatience)
	defer patience.Stop()
	select {
	case answer = <-answers:
		return answer, nil
	case name := <-m.exits:
		return answer, fmt.Errorf("%s has left", name)
	case <-patience.C:
		return answer, fmt.Errorf("no answer within %v", perfPatience)
	case <-ctx.Done():
		return answer, errInterrupted
	}
}

// roundTrips measures how long a message of 9 bytes takes there and back.
func (m *perfMeasurer) roundTrips(ctx context.Context, peer string) (r perfRoundTrip, err error) {
	trips := make([]time.Duration, 0, m.rounds)
	for round := range uint64(m.rounds) {
		message := binary.BigEndian.AppendUint64([]byte{perfAsk}, round)
		begin := time.Now()
		if err := m.node.WhisperContext(ctx, peer, message); err != nil {
			return r, err
		}
		echo, err := wait(ctx, m, m.echoes)
		if err != nil {
			return r, err
		}
		trips = append(trips, time.Since(begin))
		if len(echo) != 9 || binary.BigEndian.Uint64(echo[1:]) != round {
			return r, errors.New("a wrong message came back")
		}
	}
	slices.Sort(trips)
	return perfRoundTrip{
		Rounds: len(trips), Min: milliseconds(trips[0]), P50: milliseconds(percentile(trips, 50)),
		P90: milliseconds(percentile(trips, 90)), P99: milliseconds(percentile(trips, 99)), Max: milliseconds(trips[len(trips)-1]),
	}, nil
}
