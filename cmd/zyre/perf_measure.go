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
	"github.com/go-zyre/zyre/internal/measure"
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
	Size   int     `json:"size"`
	Rounds int     `json:"rounds"`
	Min    float64 `json:"min_ms"`
	P50    float64 `json:"p50_ms"`
	P90    float64 `json:"p90_ms"`
	P99    float64 `json:"p99_ms"`
	Max    float64 `json:"max_ms"`
}

// The sizes of shouts, and of messages that go there and back, in bytes, as in the benchmarks.
const (
	shoutSize     = 100
	roundTripSize = 100
)

// perfPatience is how long an answer may take: a receiver may have much to read first.
const perfPatience = 30 * time.Second

// perfMeasurer measures with the code of the benchmarks in bench/: numbered messages, until
// the receiver has counted the last one, and round trips one after the other, which the
// goroutine that reads the events takes. Only what tells the two sides when to begin
// differs: there a parent process does, here the network that is measured.
type perfMeasurer struct {
	perfFlags
	node     *zyre.Zyre
	started  time.Time
	members  []string // UUIDs of those that are measured
	patience *time.Timer
}

func (m *perfMeasurer) run(ctx context.Context) (*perfResult, error) {
	m.patience = time.NewTimer(perfPatience)
	defer m.patience.Stop()
	r := &perfResult{
		Time: m.started.UTC(), System: fmt.Sprintf("%s/%s, %d processors, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version()),
	}
	waiting, cancel := context.WithTimeout(ctx, m.wait)
	defer cancel()
	for n := 1; n <= m.peers; n++ {
		if err := m.node.WaitPeers(waiting, perfGroup, n); err != nil {
			return nil, fmt.Errorf("%d of %d hosts that run zyre perf --serve are here after %v", n-1, m.peers, m.wait)
		}
		if n == 1 {
			r.DiscoverMS = milliseconds(time.Since(m.started))
		}
	}
	m.members = m.node.PeersByGroup(perfGroup)
	for _, peer := range m.members {
		r.Peers = append(r.Peers, m.node.PeerName(peer))
	}
	first := m.members[0]
	r.Endpoint = m.node.PeerAddress(first)
	whisper := sender{func(message []byte) { m.node.Whisper(first, message) },
		func(message []byte) error { return m.node.WhisperContext(ctx, first, message) }}
	for _, size := range m.sizes {
		t, err := m.throughput(ctx, size, 1, whisper)
		if err != nil {
			return nil, err
		}
		r.Whispers = append(r.Whispers, t)
	}
	var err error
	if r.RoundTrip, err = m.roundTrips(ctx, first); err != nil {
		return nil, err
	}
	r.Shouts, err = m.throughput(ctx, shoutSize, len(m.members), sender{func(message []byte) { m.node.Shout(perfGroup, message) },
		func(message []byte) error { return m.node.ShoutContext(ctx, perfGroup, message) }})
	return r, err
}

// sender sends to those that are measured: as fast as an application can, or until it is
// known that the message and all before it are on their way.
type sender struct {
	fast func(message []byte)
	sure func(message []byte) error
}

// surely sends a message with sure. That nobody is there any more is no error: EXIT says who.
func (s sender) surely(message []byte) error {
	err := s.sure(message)
	if errors.Is(err, zyre.ErrUnknownPeer) || errors.Is(err, zyre.ErrUnknownGroup) {
		return nil
	}
	return err
}

// throughput sends messages of one size for a while, and waits until all receivers have
// counted them.
func (m *perfMeasurer) throughput(ctx context.Context, size, receivers int, to sender) (t perfThroughput, err error) {
	message := make([]byte, size)
	message[0] = perfData
	if err := to.surely(binary.BigEndian.AppendUint32([]byte{perfBegin}, uint32(size))); err != nil {
		return t, err
	}
	var late atomic.Bool
	defer time.AfterFunc(m.duration, func() { late.Store(true) }).Stop()
	begin := time.Now()
	sent, _ := measure.Send(message[1:], func(int) bool { return !late.Load() && ctx.Err() == nil },
		func([]byte) error { to.fast(message); return nil })
	if err := to.surely([]byte{perfFinish}); err != nil {
		return t, err
	}
	for range receivers {
		answer, err := m.next(ctx, perfCount)
		if err != nil {
			return t, err
		}
		var counted measure.Tally
		if err := json.Unmarshal(answer, &counted); err != nil {
			return t, fmt.Errorf("what was counted: %w", err)
		}
		if counted.Messages != sent || counted.Lost != 0 {
			return t, fmt.Errorf("%d of %d messages of %d bytes have arrived, %d of them out of order", counted.Messages, sent, size, counted.Lost)
		}
	}
	took := time.Since(begin).Seconds()
	perSecond := float64(sent) / took
	return perfThroughput{
		Size: size, Receivers: receivers, Messages: int64(sent), Seconds: took, PerSecond: perSecond,
		MBPS: perSecond * float64(size*receivers) / 1e6,
	}, nil
}

// next waits for the next message of a kind, and returns what follows the kind.
func (m *perfMeasurer) next(ctx context.Context, kind byte) ([]byte, error) {
	m.patience.Reset(perfPatience)
	for {
		select {
		case e, ok := <-m.node.Events():
			switch {
			case !ok:
				return nil, stopped(ctx)
			case e.Type == zyre.EventExit && slices.Contains(m.members, e.PeerUUID):
				return nil, fmt.Errorf("%s has left", safe(e.PeerName))
			case e.Type == zyre.EventWhisper && len(e.Msg) > 0 && e.Msg[0] == kind:
				return e.Msg[1:], nil
			}
		case <-m.patience.C:
			return nil, fmt.Errorf("no answer within %v", perfPatience)
		case <-ctx.Done():
			return nil, errInterrupted
		}
	}
}

// roundTrips measures how long a message takes there and back.
func (m *perfMeasurer) roundTrips(ctx context.Context, peer string) (r perfRoundTrip, err error) {
	message := make([]byte, roundTripSize)
	message[0] = perfAsk
	trips, lost, err := measure.RoundTrips(message[1:], m.rounds,
		func([]byte) error { m.node.Whisper(peer, message); return nil },
		func() ([]byte, error) { return m.next(ctx, perfEcho) })
	switch {
	case err != nil:
		return r, err
	case lost > 0:
		return r, errors.New("a wrong message came back")
	}
	slices.Sort(trips)
	at := func(percent int) float64 { return milliseconds(measure.Percentile(trips, percent)) }
	return perfRoundTrip{Size: roundTripSize, Rounds: len(trips), Min: at(0), P50: at(50), P90: at(90), P99: at(99), Max: at(100)}, nil
}
