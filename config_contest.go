package zyre

import (
	"slices"
	"time"
)

// SetContestInGroup makes the node stand for election as the leader of a group, which it
// also has to join. Of the members that contest, the one with the smallest UUID is
// elected. Every member, whether it contests or not, gets a LEADER event for each change
// of the leader. When the leader leaves the group or exits, another is elected. A name
// longer than 255 bytes makes Start return an error that wraps ErrTooLong. It works at
// any time. It is zyre_set_contest_in_group of libzyre.
//
// Use it only in groups whose members are all nodes of libzyre or of this package: the
// commands of an election are not in RFC 36, and pyre, zyre.js and gyre break on them.
func (z *Zyre) SetContestInGroup(group string) *Zyre {
	ok := z.setLive(change{"contest in group", group, tooLong(group), func(c *config) {
		if !slices.Contains(c.contests, group) {
			c.contests = append(c.contests, group)
		}
	}})
	if ok {
		z.configure(func(n *node, now time.Time) { n.zre.contest(now, group) })
	}
	return z
}
