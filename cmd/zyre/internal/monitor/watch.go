package monitor

import (
	"context"
	"sync"
	"time"

	"github.com/go-zyre/zyre"
)

// sampleInterval is the time between two samples of the node.
const sampleInterval = time.Second

// maxAsking is how many peers are asked for their view, or pinged, at the same time.
const maxAsking = 16

// Source is a running node, as *zyre.Zyre is.
type Source interface {
	// Name is as of zyre.Zyre, and so are all the others.
	Name() string
	// Endpoint is where peers reach it.
	Endpoint() string
	// OwnGroups are the groups that it has joined.
	OwnGroups() []string
	// Leader is the UUID of the leader of one of them.
	Leader(group string) (string, bool)
	// Stats are its counters.
	Stats() zyre.Stats
	// PeerList is what it knows of its peers.
	PeerList() []zyre.PeerInfo
	// Events is where its events come from.
	Events() chan *zyre.Event
	// PeerView asks a peer whom it sees.
	PeerView(ctx context.Context, uuid string) (zyre.View, error)
	// Ping asks a peer for a sign of life.
	Ping(ctx context.Context, uuid string) (time.Duration, error)
}

// Watch feeds a stream from a node, until the node has stopped or ctx ends, and ends the
// stream. It alone may read the node's events meanwhile. Peers that tell their view are
// asked for it if ask is set.
func Watch(ctx context.Context, node Source, s *Stream, ask bool) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer s.End()
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { sampleEach(ctx, node, s) })
	wg.Go(func() { pingAll(ctx, node, s) })
	if ask {
		wg.Go(func() { askAll(ctx, node, s) })
	}
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-node.Events():
			if !ok {
				return
			}
			s.Event(func(m *Model, now time.Time) { m.Event(now, e) })
		}
	}
}

func sampleEach(ctx context.Context, node Source, s *Stream) {
	tick := time.NewTicker(sampleInterval)
	defer tick.Stop()
	for {
		sample := takeSample(node)
		s.Sample(func(m *Model, now time.Time) { m.Sample(now, sample) })
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func takeSample(node Source) Sample {
	s := Sample{
		Name: node.Name(), Address: node.Endpoint(), Groups: node.OwnGroups(), Stats: node.Stats(),
		Peers: node.PeerList(), Leaders: map[string]string{},
	}
	for _, g := range s.Groups { // a node knows the leaders of its own groups
		if leader, ok := node.Leader(g); ok {
			s.Leaders[g] = leader
		}
	}
	return s
}

// askAll asks the peers for their views in turn.
func askAll(ctx context.Context, node Source, s *Stream) {
	eachDue(ctx, s, (*Model).NextToAsk, func(uuid string, interval time.Duration) {
		if v, err := node.PeerView(ctx, uuid); err == nil {
			s.view(interval, v)
		} // else its view grows old, and says nothing any more
	})
}

// pingAll pings the peers in turn, so that the node knows their round trips.
func pingAll(ctx context.Context, node Source, s *Stream) {
	eachDue(ctx, s, (*Model).NextToPing, func(uuid string, interval time.Duration) {
		ctx, cancel := context.WithTimeout(ctx, interval)
		defer cancel()
		_, _ = node.Ping(ctx, uuid) // the next sample has its round trip; who does not answer becomes evasive
	})
}

// eachDue calls do for each peer that is due, for a few of them at the same time.
func eachDue(ctx context.Context, s *Stream, next func(*Model, time.Time) (string, time.Duration, bool), do func(uuid string, interval time.Duration)) {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	free := make(chan struct{}, maxAsking)
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		select {
		case free <- struct{}{}:
		default:
			continue // many do not answer
		}
		uuid, interval, ok := s.due(next)
		if !ok {
			<-free
			continue
		}
		wg.Go(func() {
			defer func() { <-free }()
			do(uuid, interval)
		})
	}
}

func (s *Stream) due(next func(*Model, time.Time) (string, time.Duration, bool)) (uuid string, interval time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return next(s.model, s.now())
}

func (s *Stream) view(interval time.Duration, v zyre.View) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.model.View(s.now(), interval, v)
}
