package zyre

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-zyre/zyre/internal/netif"
	"github.com/go-zyre/zyre/internal/transport"
	"github.com/go-zyre/zyre/internal/zgossip"
)

// handle carries out commands in turn; whispers that follow each other go out peer by
// peer.
func (n *node) handle(now time.Time, commands []command) {
	for i := range commands {
		c := &commands[i]
		if c.kind == cmdWhisper {
			n.zre.addWhisper(&c.message)
			continue
		}
		n.zre.sendWhispers(now)
		n.handleOne(now, c)
	}
	n.zre.sendWhispers(now)
}

// handleOne carries out a command other than a whisper.
func (n *node) handleOne(now time.Time, c *command) {
	switch c.kind {
	case cmdShout:
		n.zre.shout(now, &c.message)
	case cmdTake:
		n.take(now, c.news)
	case cmdStop:
		n.stopAt = n.zre.beginStop(now)
		n.inbox.StopOffering()
	case cmdKill:
		n.stopAt = now
	}
	if c.done != nil {
		close(c.done)
	}
}

// take takes what an edge of the node offers, or runs a closure of the facade.
func (n *node) take(now time.Time, news any) {
	switch v := news.(type) {
	case func(now time.Time):
		v(now)
	case sighting:
		n.sighted(now, &v)
	case []netif.Link:
		n.relocate(now, v)
	case zgossip.Tuple:
		n.tuple(now, v)
	case transport.Resolved:
		if !v.Named {
			n.routing.resolved(now, v.Endpoint, v.Numeric)
			n.followRoutes(now)
		}
		n.zre.resolved(now, lookupKey{v.Endpoint, !v.Named}, v.Numeric, v.Err)
	}
}

// do runs fn on the node's goroutine and returns when it has run, or with ErrNotRunning
// when it never will.
func (n *node) do(fn func(now time.Time)) error {
	c := command{kind: cmdTake, news: fn, done: make(chan struct{})}
	if err := n.commands.put(c); err != nil {
		return err
	}
	select {
	case <-c.done:
		return nil
	case <-n.commands.stopped:
	}
	select {
	case <-c.done:
		return nil
	default:
		return ErrNotRunning
	}
}

// send sends a message and returns what became of it.
func (n *node) send(ctx context.Context, c *command) error {
	var outcome error
	known := make(chan struct{})
	c.receipt = &receipt{answer: func(err error) { outcome = err; close(known) }}
	if err := ctx.Err(); err != nil {
		c.release()
		return err
	}
	err := n.commands.message(ctx, c)
	if errors.Is(err, ErrNotRunning) {
		return err
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPushedBack, err)
	}
	n.commands.waitBegins()
	defer n.commands.waitEnds()
	select {
	case <-known:
	case <-n.commands.stopped:
	case <-ctx.Done():
		_ = n.do(func(time.Time) { n.zre.withdraw(c.receipt, fmt.Errorf("%w: %w", ErrPushedBack, ctx.Err())) })
	}
	select {
	case <-known:
		return outcome
	default:
		return ErrNotRunning
	}
}
