package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/go-zyre/zyre"
)

// maxStall is how long the reader of a pipe may read nothing at all, as a pager does, until
// its node is given up.
const maxStall = 30 * 24 * time.Hour

// maxLine is the longest line, in bytes, that is sent as one message; --whole sends more.
const maxLine = 64 << 20

// pubFlags say what zyre pub sends, and to whom.
type pubFlags struct {
	to    string
	whole bool
	chunk int
	peers int
	wait  time.Duration
}

func newPub(a *app) *cobra.Command {
	f := pubFlags{peers: 1, wait: 10 * time.Second}
	cmd := &cobra.Command{
		Use:   "pub [GROUP]",
		Short: "Shout what is read to a group, or whisper it to a node",
		Long: "Read standard input and shout each line to a group, or with --to whisper it to a node. The\n" +
			"input can also be one message as a whole, or be cut into messages of equal size.\n\n" +
			"It waits until there is somebody to send to. While a receiver is slow, so is the reading of\n" +
			"the input. At the end it waits until the nodes of the receivers have everything: exit\n" +
			"status 0 means that they do.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case (len(args) == 1) == (f.to != ""):
				return usageError{errors.New("give either a group, or a node by --to")}
			case f.whole && f.chunk != 0, f.chunk < 0, f.peers < 1:
				return usageError{errors.New("--whole does not go with --chunk, which must be more than 0 as --peers must")}
			}
			waitLong := func(node *zyre.Zyre) { node.SetStalledTimeout(maxStall) }
			return a.withNode(cmd.Context(), waitLong, func(node *zyre.Zyre) error {
				p := &publisher{app: a, pubFlags: f, node: node, exits: newExits()}
				if f.to == "" {
					p.group = args[0]
				}
				go p.exits.watch(node, func(e *zyre.Event) bool { // ends when the node stops
					return f.to == "" && e.Type == zyre.EventJoin && e.Group == p.group
				})
				return p.run(cmd.Context())
			})
		},
		Example: "  echo \"rain at six\" | zyre pub weather\n" +
			"  echo \"umbrella?\" | zyre pub --to alice\n" +
			"  tar c src | zyre pub backup --chunk 65536",
	}
	cmd.Flags().StringVar(&f.to, "to", f.to, "whisper to a `NODE`, given by name, UUID or the beginning of a UUID")
	cmd.Flags().BoolVar(&f.whole, "whole", f.whole, "send all input as one message")
	cmd.Flags().IntVar(&f.chunk, "chunk", f.chunk, "send the input in messages of so many `BYTES`, whatever is in it")
	cmd.Flags().IntVar(&f.peers, "peers", f.peers, "wait for this `NUMBER` of nodes in the group")
	cmd.Flags().DurationVarP(&f.wait, "wait", "w", f.wait, "how long to wait for them")
	return cmd
}

// publisher sends what it reads.
type publisher struct {
	*app
	pubFlags
	node  *zyre.Zyre
	group string // or
	peer  string // UUID
	exits *exits
}

func (p *publisher) run(ctx context.Context) error {
	if err := p.waitReceivers(ctx); err != nil {
		return err
	}
	messages := make(chan []byte)
	failed := make(chan error, 1)
	go func() { // ends with the input, or with the process if the input does not end
		defer close(messages)
		failed <- p.read(ctx, messages)
	}()
	for {
		select {
		case <-ctx.Done():
			return errInterrupted
		case message, more := <-messages:
			if !more {
				if err := <-failed; err != nil {
					return err
				}
				return p.confirm(ctx)
			}
			if err := p.send(ctx, message); err != nil {
				return err
			}
		}
	}
}

// waitReceivers waits until there is somebody to send to.
func (p *publisher) waitReceivers(ctx context.Context) error {
	if p.to != "" {
		peer, err := waitPeer(ctx, p.node, p.to, p.wait)
		p.peer = peer.UUID
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, p.wait)
	defer cancel()
	err := p.node.WaitPeers(waiting, p.group, p.peers)
	switch {
	case ctx.Err() != nil:
		return errInterrupted
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%d of %d nodes are in the group %s after %v; nothing was sent", len(p.node.PeersByGroup(p.group)), p.peers, p.group, p.wait)
	}
	return err
}

// read cuts the input into messages.
func (p *publisher) read(ctx context.Context, messages chan<- []byte) error {
	put := func(message []byte) bool {
		select {
		case messages <- message:
			return true
		case <-ctx.Done():
			return false
		}
	}
	switch {
	case p.whole:
		all, err := io.ReadAll(p.in)
		if err == nil {
			put(all)
		}
		return err
	case p.chunk > 0:
		for {
			chunk := make([]byte, p.chunk)
			n, err := io.ReadFull(p.in, chunk)
			if n > 0 && !put(chunk[:n]) {
				return nil
			}
			switch {
			case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
				return nil
			case err != nil:
				return err
			}
		}
	}
	lines := bufio.NewScanner(p.in)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	for lines.Scan() {
		if !put(append([]byte(nil), lines.Bytes()...)) {
			return nil
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("a line is longer than %d bytes; --whole or --chunk sends it", maxLine)
	}
	return lines.Err()
}

func (p *publisher) send(ctx context.Context, message []byte) error {
	var err error
	if p.to == "" {
		err = p.node.ShoutContext(ctx, p.group, message)
	} else {
		err = p.node.WhisperContext(ctx, p.peer, message)
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return errInterrupted
	case errors.Is(err, zyre.ErrUnknownGroup):
		return fmt.Errorf("nobody is left in the group %s; the rest of the input was not sent", p.group)
	case errors.Is(err, zyre.ErrUnknownPeer):
		return fmt.Errorf("%s has left; the rest of the input was not sent", p.to)
	}
	return err
}

// confirm waits until the nodes of the receivers have everything. A PING goes behind what is
// under way, and its answer comes when all of that was read; but it goes past what still
// waits in this node, as shouts do for a receiver that reads nothing. A receiver that has
// said goodbye needs no more.
func (p *publisher) confirm(ctx context.Context) error {
	peers := []string{p.peer}
	if p.to == "" {
		peers = p.node.PeersByGroup(p.group)
	}
	if err := p.waitSent(ctx, peers); err != nil {
		return err
	}
	for _, peer := range peers {
		if err := p.confirmOne(ctx, peer); err != nil {
			return err
		}
	}
	if lost := p.exits.lost(); lost != "" {
		return errors.New(lost)
	}
	return nil
}

// waitSent waits until nothing waits in this node for the receivers any more.
func (p *publisher) waitSent(ctx context.Context, peers []string) error {
	isWaiting := func(peer zyre.PeerStats) bool { return peer.Waiting > 0 && slices.Contains(peers, peer.UUID) }
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for slices.ContainsFunc(p.node.Stats().PeerList, isWaiting) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errInterrupted
		}
	}
	return nil
}

func (p *publisher) confirmOne(ctx context.Context, peer string) error {
	const patience = 5 * time.Second // then ask again: an answer can be lost with a connection
	for {
		waiting, cancel := context.WithTimeout(ctx, patience)
		_, err := p.node.Ping(waiting, peer)
		cancel()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return errInterrupted
		case errors.Is(err, context.DeadlineExceeded):
		case errors.Is(err, zyre.ErrUnknownPeer):
			return p.exits.wait(ctx, peer)
		default:
			return err
		}
	}
}

// exits knows why receivers have gone.
type exits struct {
	mu      sync.Mutex
	members map[string]bool   // receivers that are or were here, by UUID
	reasons map[string]string // of those that have gone, for the user; "" after a goodbye
	changed chan struct{}     // closed at the next EXIT
}

func newExits() *exits {
	return &exits{members: map[string]bool{}, reasons: map[string]string{}, changed: make(chan struct{})}
}

// watch reads the events of a node until it stops.
func (x *exits) watch(node *zyre.Zyre, isReceiver func(e *zyre.Event) bool) {
	for e := range node.Events() {
		x.mu.Lock()
		if isReceiver(e) {
			x.members[e.PeerUUID] = true
		}
		if e.Type == zyre.EventExit {
			reason := ""
			if e.Reason != zyre.ReasonGoodbye {
				reason = fmt.Sprintf("%s is gone (%s): it may not have everything", e.PeerName, e.Reason)
			}
			x.reasons[e.PeerUUID] = reason
			close(x.changed)
			x.changed = make(chan struct{})
		}
		x.mu.Unlock()
	}
}

// wait returns why a peer that has gone has done so; nil if it said goodbye.
func (x *exits) wait(ctx context.Context, peer string) error {
	for {
		x.mu.Lock()
		reason, gone := x.reasons[peer]
		changed := x.changed
		x.mu.Unlock()
		switch {
		case gone && reason != "":
			return errors.New(reason)
		case gone:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return errInterrupted
		}
	}
}

// lost says which receiver has gone without a goodbye; "" if none has.
func (x *exits) lost() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	for peer := range x.members {
		if reason := x.reasons[peer]; reason != "" {
			return reason
		}
	}
	return ""
}
