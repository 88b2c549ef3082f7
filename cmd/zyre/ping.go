package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/internal/measure"
)

// pingFlags say how zyre ping pings.
type pingFlags struct {
	count   int
	every   time.Duration
	timeout time.Duration
	wait    time.Duration
}

func newPing(a *app) *cobra.Command {
	f := pingFlags{every: time.Second, timeout: 2 * time.Second, wait: 5 * time.Second}
	cmd := &cobra.Command{
		Use:   "ping [PEER...]",
		Short: "Measure the round trip to nodes",
		Long: "Ping nodes, given by name, UUID or the beginning of a UUID, or else all that are here.\n" +
			"It sends PING of ZRE, which every implementation answers, and prints a line for each\n" +
			"reply, and at the end how many replies were missing and how long the others took.\n" +
			"Exit status 0 means that every node has answered at least once.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.every <= 0 || f.timeout <= 0 || f.count < 0 {
				return usageError{errors.New("--every and --timeout must be more than 0, --count not less")}
			}
			return a.withNode(cmd.Context(), nil, func(node *zyre.Zyre) error {
				go discardEvents(node)
				p := &pinger{app: a, pingFlags: f, node: node, stats: map[string]*pingStats{}}
				return p.run(cmd.Context(), args)
			})
		},
		Example: "  zyre ping                     # all nodes, until Ctrl-C\n" +
			"  zyre ping alice --count 3",
	}
	cmd.Flags().IntVarP(&f.count, "count", "c", f.count, "`NUMBER` of pings to each node; 0 goes on until Ctrl-C")
	cmd.Flags().DurationVar(&f.every, "every", f.every, "time between two pings to a node")
	cmd.Flags().DurationVar(&f.timeout, "timeout", f.timeout, "how long to wait for a reply")
	cmd.Flags().DurationVarP(&f.wait, "wait", "w", f.wait, "how long to wait for the nodes to appear")
	return cmd
}

// pinger pings peers. One goroutine, that of run, owns it.
type pinger struct {
	*app
	pingFlags
	node    *zyre.Zyre
	stats   map[string]*pingStats // by UUID
	replies chan pingReply
	pending int // pings without a reply or a failure
}

// pingStats is what is known of the pings to one peer.
type pingStats struct {
	peer  zyre.PeerInfo
	sent  int
	trips []time.Duration
}

// pingReply is what became of one ping.
type pingReply struct {
	UUID     string  `json:"peer"`
	Name     string  `json:"name"`
	Endpoint string  `json:"endpoint"`
	Seq      int     `json:"seq"`
	RTT      float64 `json:"rtt_ms,omitempty"`
	Error    string  `json:"error,omitempty"`

	trip time.Duration
	err  error
}

// pingSummary is the last line of a peer in JSON.
type pingSummary struct {
	UUID   string  `json:"peer"`
	Name   string  `json:"name"`
	Sent   int     `json:"sent"`
	Got    int     `json:"answered"`
	Min    float64 `json:"min_ms"`
	Median float64 `json:"median_ms"`
	P99    float64 `json:"p99_ms"`
	Max    float64 `json:"max_ms"`
}

// run pings until all was sent, or ctx ends.
func (p *pinger) run(ctx context.Context, words []string) error {
	p.replies = make(chan pingReply)
	targets := func() []zyre.PeerInfo { return p.node.PeerList() }
	if len(words) > 0 {
		var fixed []zyre.PeerInfo
		for _, word := range words {
			peer, err := waitPeer(ctx, p.node, word, p.wait)
			if err != nil {
				return err
			}
			fixed = append(fixed, peer)
		}
		targets = func() []zyre.PeerInfo { return fixed }
	} else if err := p.waitAny(ctx); err != nil {
		return err
	}
	ticker := time.NewTicker(p.every)
	defer ticker.Stop()
	for round := 1; p.count == 0 || round <= p.count; round++ {
		for _, peer := range targets() {
			p.send(ctx, peer)
		}
		for waiting := true; waiting; {
			select {
			case r := <-p.replies:
				p.take(ctx, r)
			case <-ticker.C:
				waiting = false
			case <-ctx.Done():
				return p.finish(ctx)
			}
			if round == p.count && p.pending == 0 {
				waiting = false
			}
		}
	}
	return p.finish(ctx)
}

// waitAny waits for some peer.
func (p *pinger) waitAny(ctx context.Context) error {
	waiting, cancel := context.WithTimeout(ctx, p.wait)
	defer cancel()
	err := p.node.WaitPeers(waiting, "", 1)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return errInterrupted
	case waiting.Err() != nil:
		return fmt.Errorf("no node is here after %v; zyre doctor finds out why", p.wait)
	}
	return err
}

// send pings a peer. The goroutine ends with the reply, or the timeout.
func (p *pinger) send(ctx context.Context, peer zyre.PeerInfo) {
	s := p.stats[peer.UUID]
	if s == nil {
		s = &pingStats{peer: peer}
		p.stats[peer.UUID] = s
	}
	s.sent++
	p.pending++
	r := pingReply{UUID: peer.UUID, Name: peer.Name, Endpoint: peer.Endpoint, Seq: s.sent}
	go func() {
		waiting, cancel := context.WithTimeout(ctx, p.timeout)
		defer cancel()
		r.trip, r.err = p.node.Ping(waiting, r.UUID)
		p.replies <- r
	}()
}

// take prints what became of a ping.
func (p *pinger) take(ctx context.Context, r pingReply) {
	p.pending--
	s := p.stats[r.UUID]
	switch {
	case r.err == nil:
		s.trips = append(s.trips, r.trip)
		r.RTT = milliseconds(r.trip)
	case errors.Is(r.err, context.DeadlineExceeded):
		r.Error = fmt.Sprintf("no reply within %v", p.timeout)
	case ctx.Err() != nil:
		s.sent-- // nobody knows whether it would have been answered
		return
	case errors.Is(r.err, zyre.ErrUnknownPeer):
		r.Error = "it has left"
	default:
		r.Error = r.err.Error()
	}
	if p.json {
		_ = p.out.object(r) // the printer keeps the error
		return
	}
	from := fmt.Sprintf("%s %s %s: seq=%d", shownName(r.Name), r.UUID[:6], safe(r.Endpoint), r.Seq)
	if r.err != nil {
		_ = p.out.line("%s %s", from, p.out.paint(red, safe(r.Error)))
		return
	}
	_ = p.out.line("%s time=%.3f ms", from, r.RTT)
}

// finish takes the replies that are under way, and prints the summary.
func (p *pinger) finish(ctx context.Context) error {
	for p.pending > 0 {
		p.take(ctx, <-p.replies)
	}
	all := make([]*pingStats, 0, len(p.stats))
	for _, s := range p.stats {
		if s.sent > 0 {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b *pingStats) int {
		return cmp.Or(cmp.Compare(a.peer.Name, b.peer.Name), cmp.Compare(a.peer.UUID, b.peer.UUID))
	})
	silent := 0
	for _, s := range all {
		if len(s.trips) == 0 {
			silent++
		}
		p.summarize(s)
	}
	switch {
	case silent > 0:
		return fmt.Errorf("%d of %d nodes did not answer", silent, len(all))
	case len(all) == 0:
		return errInterrupted
	}
	return nil
}

func (p *pinger) summarize(s *pingStats) {
	sum := pingSummary{UUID: s.peer.UUID, Name: s.peer.Name, Sent: s.sent, Got: len(s.trips)}
	if len(s.trips) > 0 {
		slices.Sort(s.trips)
		sum.Min, sum.Max = milliseconds(s.trips[0]), milliseconds(s.trips[len(s.trips)-1])
		sum.Median, sum.P99 = milliseconds(measure.Percentile(s.trips, 50)), milliseconds(measure.Percentile(s.trips, 99))
	}
	if p.json {
		_ = p.out.object(sum)
		return
	}
	_ = p.out.line("%s %s: %d sent, %d answered, %.0f %% lost", shownName(sum.Name), sum.UUID[:6], sum.Sent, sum.Got,
		100*float64(sum.Sent-sum.Got)/float64(sum.Sent))
	if sum.Got > 0 {
		_ = p.out.line("  round trip min %.3f ms, median %.3f, 99 %% %.3f, max %.3f", sum.Min, sum.Median, sum.P99, sum.Max)
	}
}
