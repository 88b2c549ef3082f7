package zyre

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// Dump writes the state of the node for people to read: its UUID, name, endpoints,
// headers and groups, the same of its peers, and the number of members and the leader
// of each group. It is one consistent snapshot; text from peers is quoted. Before Start
// and after Stop it writes what has been set. Errors of the writer are not reported; a
// nil writer gets nothing. It is zyre_print of libzyre.
func (z *Zyre) Dump(w io.Writer) {
	if w == nil {
		return
	}
	text := ask(z, (*node).dump)
	if n := z.node.Load(); text != "" && n != nil {
		text += dumpGossip(n.gossip.stats(), time.Now())
	}
	if text == "" {
		text = fmt.Sprintf("node %s %q: not running, groups %s\n", z.UUID(), z.Name(), list(z.OwnGroups()))
	}
	_, _ = io.WriteString(w, text)
}

func (n *node) dump(now time.Time) string {
	var b strings.Builder
	z := n.zre
	fmt.Fprintf(&b, "node %s %q\n", z.id, z.name)
	fmt.Fprintf(&b, "  endpoints %s\n", list(n.binder.endpoints))
	if n.gossip != nil && len(n.gossip.bound) > 0 {
		fmt.Fprintf(&b, "  gossip hub %s\n", list(n.gossip.bound))
	}
	fmt.Fprintf(&b, "  headers %s\n", dumpHeaders(z.headers))
	fmt.Fprintf(&b, "  groups %s\n", list(z.ownGroups()))
	s := n.stats(now)
	for _, i := range s.Interfaces {
		fmt.Fprintf(&b, "  interface %q %s: %s\n", i.Name, i.Address, i.Reason)
	}
	fmt.Fprintf(&b, "peers %d, half open %d\n", s.Peers, s.HalfOpen)
	for _, p := range s.PeerList {
		fmt.Fprintf(&b, "  %s %q %s\n", p.UUID, p.Name, p.Endpoint)
		id, _ := parseUUID(p.UUID)
		fmt.Fprintf(&b, "    headers %s\n", dumpHeaders(z.peers[id].headers))
		fmt.Fprintf(&b, "    groups %s, idle %v, received %d, sent %d, waiting %d\n",
			list(p.Groups), p.Idle.Round(time.Millisecond), p.Received, p.Sent, p.Waiting)
	}
	for _, h := range s.HalfOpenList {
		fmt.Fprintf(&b, "  half open: %s %s for %v\n", h.UUID, h.Endpoint, ago(now, h.Since))
	}
	fmt.Fprintf(&b, "groups of peers %d\n", len(z.groups))
	for _, name := range slices.Sorted(maps.Keys(z.groups)) {
		leader := ""
		if e := z.elections[name]; e != nil && e.leader != "" {
			leader = ", leader " + e.leader
		}
		fmt.Fprintf(&b, "  %q: %d members%s\n", name, len(z.groups[name].peers), leader)
	}
	fmt.Fprintf(&b, "warnings %d\n", len(s.Warnings))
	for _, w := range s.Warnings {
		fmt.Fprintf(&b, "  %s: %d times, first %v and last %v ago\n", w.Text, w.Count, ago(now, w.Since), ago(now, w.Last))
	}
	return b.String()
}

func dumpGossip(s GossipStats, now time.Time) string {
	var b strings.Builder
	for _, h := range s.Hubs {
		if h.Since.IsZero() {
			fmt.Fprintf(&b, "gossip hub %s at %q does not answer: %s\n", h.Endpoint, h.Address, h.LastError)
		} else {
			fmt.Fprintf(&b, "gossip hub %s at %q answers for %v\n", h.Endpoint, h.Address, ago(now, h.Since))
		}
	}
	return b.String()
}

func ago(now, then time.Time) time.Duration { return now.Sub(then).Round(time.Second) }

func dumpHeaders(headers map[string]string) string {
	var all []string
	for _, k := range slices.Sorted(maps.Keys(headers)) {
		all = append(all, k+"="+headers[k])
	}
	return list(all)
}

// list quotes what may come from the network, so that it cannot pose as a line of
// the dump.
func list(names []string) string { return fmt.Sprintf("%q", names) }
