package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/internal/measure"
)

// perfGroup is the group of those that answer measurements.
const perfGroup = "zyre-perf"

// The first byte of a message says what it is. All come as whispers, and the first three as
// shouts too.
const (
	perfBegin  = 'B' // forget what was counted of this sender; what follows has so many bytes
	perfData   = 'D' // count, by the number behind it
	perfFinish = 'F' // say what was counted
	perfCount  = 'C' // the answer: a measure.Tally
	perfAsk    = 'A' // send it back
	perfEcho   = 'E' // here it is
)

// minSize is the size of the smallest message: the byte above, and its number.
const minSize = 1 + measure.NumberSize

// perfFlags say what zyre perf measures.
type perfFlags struct {
	serve    bool
	peers    int
	wait     time.Duration
	duration time.Duration
	sizes    []int
	rounds   int
	html     string
}

func newPerf(a *app) *cobra.Command {
	f := perfFlags{
		peers: 1, wait: 10 * time.Second, duration: time.Second,
		sizes: []int{10, 100, 1000, 10_000, 100_000, 1_000_000}, rounds: 2000,
	}
	cmd := &cobra.Command{
		Use:   "perf",
		Short: "Measure throughput and round trips between hosts",
		Long: "Start zyre perf --serve on one or several hosts, and zyre perf on another. It measures how\n" +
			"long it takes to find the first of them, how many whispers of each size pass in a second,\n" +
			"how long a message there and back takes, and how many shouts reach all of them in a\n" +
			"second. The result is a table, JSON with --json, and with --html a page with plots.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, size := range f.sizes {
				if size < minSize || size > maxLine {
					return usageError{fmt.Errorf("--sizes must be from %d to %d", minSize, maxLine)}
				}
			}
			if f.peers < 1 || f.duration <= 0 || f.rounds < 1 || len(f.sizes) == 0 {
				return usageError{errors.New("--peers, --duration, --rounds and --sizes must be more than 0")}
			}
			if f.serve {
				join := func(node *zyre.Zyre) { node.Join(perfGroup) }
				return a.withNode(cmd.Context(), join, func(node *zyre.Zyre) error { return a.servePerf(cmd.Context(), node) })
			}
			return a.perf(cmd.Context(), f)
		},
		Example: "  zyre perf --serve                     # on one host\n" +
			"  zyre perf --html perf.html            # on another",
	}
	cmd.Flags().BoolVar(&f.serve, "serve", f.serve, "answer measurements until Ctrl-C")
	cmd.Flags().IntVar(&f.peers, "peers", f.peers, "wait for this `NUMBER` that answer")
	cmd.Flags().DurationVarP(&f.wait, "wait", "w", f.wait, "how long to wait for them")
	cmd.Flags().DurationVar(&f.duration, "duration", f.duration, "how long to send messages of each size")
	cmd.Flags().IntSliceVar(&f.sizes, "sizes", f.sizes, "sizes of messages, in `BYTES`")
	cmd.Flags().IntVar(&f.rounds, "rounds", f.rounds, "`NUMBER` of round trips to measure")
	cmd.Flags().StringVar(&f.html, "html", f.html, "write a page with plots to this `FILE`")
	return cmd
}

// perf measures, and prints what was measured.
func (a *app) perf(ctx context.Context, f perfFlags) error {
	var result *perfResult
	m := &perfMeasurer{perfFlags: f}
	start := func(node *zyre.Zyre) { m.node, m.started = node, time.Now() }
	err := a.withNode(ctx, start, func(*zyre.Zyre) (err error) {
		result, err = m.run(ctx)
		return err
	})
	switch {
	case ctx.Err() != nil:
		return errInterrupted
	case err != nil:
		return err
	}
	if f.html != "" {
		page, err := result.page()
		if err == nil {
			err = os.WriteFile(f.html, page, 0o644)
		}
		if err != nil {
			return err
		}
	}
	if a.json {
		return a.out.object(result)
	}
	return a.out.table(result.table())
}

// servePerf answers until ctx ends.
func (a *app) servePerf(ctx context.Context, node *zyre.Zyre) error {
	if err := a.errOut.line("%s answers measurements; run zyre perf on another host", safe(node.Name())); err != nil {
		return err
	}
	tallies := map[string]*measure.Tally{}
	for e := range node.Events() {
		if e.Type == zyre.EventExit {
			delete(tallies, e.PeerUUID)
		}
		if e.Type != zyre.EventWhisper && e.Type != zyre.EventShout || len(e.Msg) == 0 {
			continue
		}
		switch e.Msg[0] {
		case perfBegin:
			if len(e.Msg) == 5 {
				tallies[e.PeerUUID] = measure.NewTally(1, int(binary.BigEndian.Uint32(e.Msg[1:]))-1)
			}
		case perfData:
			if t := tallies[e.PeerUUID]; t != nil {
				t.Add(e.Msg[1:])
			}
		case perfFinish:
			if t := tallies[e.PeerUUID]; t != nil {
				answer, err := json.Marshal(t)
				if err != nil {
					return err
				}
				node.Whisper(e.PeerUUID, append([]byte{perfCount}, answer...))
			}
		case perfAsk:
			e.Msg[0] = perfEcho
			node.Whisper(e.PeerUUID, e.Msg)
		}
	}
	if ctx.Err() == nil {
		return stopped(ctx)
	}
	return nil
}
