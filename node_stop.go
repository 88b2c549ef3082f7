package zyre

import (
	"errors"
	"time"
)

// stop ends the node, by cmdStop or cmdKill, and returns when nothing of it is left.
func (n *node) stop(how commandKind) {
	_ = n.commands.put(command{kind: how})
	<-n.commands.done
}

// isFinished reports whether the node may end: Stop was called, and the peers have
// confirmed what was sent or had the time to.
func (n *node) isFinished(now time.Time) bool {
	return !n.stopAt.IsZero() && (!now.Before(n.stopAt) || n.zre.isConfirmed())
}

// usesGoodbyeMessage reports whether the node says GOODBYE to its peers over their
// connections, which is quicker and surer than a beacon. Only libzyre and this package
// know the command, so it is sent only where there are no others: beside gossip, fixed
// endpoints, required peers and CURVE.
func (c *config) usesGoodbyeMessage() bool {
	return c.gossip.enabled() || c.endpoint != "" || len(c.required) > 0 || c.curve.enabled()
}

// shutdown says goodbye and closes everything, in the order that libzmq wants.
func (n *node) shutdown(now time.Time) {
	if n.cfg.usesGoodbyeMessage() {
		n.zre.sayGoodbye(now)
	}
	n.closeDiscovery()
	n.commands.close()
	unsent := n.zre.close(now, n.cfg.usesGoodbyeMessage())
	n.zre.counters.unsent += uint64(unsent)
	if err := errors.Join(n.inbox.Close(), n.seams.transport.Close()); err != nil {
		n.log.Warn("cannot close", "err", err)
	}
	dropped := n.events.dropBacklog()
	n.end = n.stats(now)
	n.end.EventsDropped, n.end.Gossip = uint64(dropped), n.gossip.stats()
	close(n.counted)
	n.log.Info("stopped", "events_dropped", dropped, "messages_unsent", unsent)
	n.cfg.logs.flush() // who sees the end of the events may end the process
	n.events.close(&Event{Type: EventStop, PeerUUID: n.zre.id, PeerName: n.zre.name})
}

// final returns the counters as the node ended, once that is certain.
func (n *node) final() *Stats {
	<-n.counted
	end := n.end // a copy, which does not keep the node
	return &end
}
