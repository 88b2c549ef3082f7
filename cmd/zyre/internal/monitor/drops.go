package monitor

import (
	"reflect"
	"time"

	"github.com/go-zyre/zyre"
)

// whyDropped says for each field of zyre.Dropped what it means and what to look at.
var whyDropped = map[string]string{
	"ToUnknownPeer":   "sent to a peer that has not entered, or is gone",
	"ToUnknownGroup":  "sent to a group that no peer has joined",
	"BadIdentity":     "from a connection that names no UUID: a program that does not speak ZRE",
	"Foreign":         "of another protocol or version: does somebody scan the port?",
	"Malformed":       "cut short, or with impossible lengths: a faulty implementation",
	"UnknownCommand":  "with a command that ZRE does not have: a newer version?",
	"BeforeHello":     "from a node that has not said HELLO: it takes this node for one it has met",
	"HelloRefused":    "HELLOs out of sequence, too large, or too many new nodes at once",
	"HelloThrottled":  "a peer restarts its session again and again, and is ignored for 5 s",
	"Unreachable":     "endpoints that cannot be used from here, or not yet",
	"LookupsRefused":  "host names not looked up: too many at once",
	"StatusMismatch":  "JOIN or LEAVE with an unexpected count; acted on all the same",
	"GroupsRefused":   "groups beyond the limit for one peer",
	"LateShouts":      "shouts to a group that this node has left, or not joined",
	"BadBeacons":      "datagrams that are no beacon, or of a secure node while this one is plain (or the reverse)",
	"OwnBeacons":      "beacons with this node's own UUID or endpoint: is another node a copy of it?",
	"BeaconsRefused":  "beacons of new nodes beyond the limits: a crowd, or a flood",
	"HalfOpenEvicted": "nodes forgotten to make room for newer ones, before they said HELLO",
	"NeverEntered":    "nodes that beacon and never said HELLO: TCP from them or to them is blocked",
	"KeysRefused":     "wrong key or none: a node with another certificate, or without one",
	"ElectionIgnored": "elections by nodes outside the group",
	"ViewsRefused":    "questions for this node's view beyond the limits, or answers that came too late",
	"TooLarge":        "with more frames or bytes than this node takes: see SetMaxMessage",
	"ConnectionsCut":  "connections that held too much of this node: does somebody flood it?",
	"ElectionDelayed": "elections that had to wait: members of a group come and go too often",
	"LogRecords":      "records that the log was too slow for",
	"Errors":          "errors of the sockets: is the number of descriptors enough?",
}

// dropCounts are the counters of one sample, by field.
func dropCounts(d zyre.Dropped) map[string]uint64 {
	counts := map[string]uint64{}
	v := reflect.ValueOf(d)
	for i := range v.NumField() {
		if n, ok := v.Field(i).Interface().(uint64); ok {
			counts[v.Type().Field(i).Name] = n
		}
	}
	return counts
}

// dropNames are the fields of zyre.Dropped, in their order.
func dropNames() (names []string) {
	t := reflect.TypeFor[zyre.Dropped]()
	for i := range t.NumField() {
		names = append(names, t.Field(i).Name)
	}
	return names
}

// drops follows what the monitor's node drops.
type drops struct {
	counts map[string]uint64
	lastAt map[string]time.Time
}

// update takes the counters of a sample, and returns those that have grown and by how much.
func (d *drops) update(now time.Time, dropped zyre.Dropped) map[string]uint64 {
	grown := map[string]uint64{}
	if d.lastAt == nil {
		d.lastAt = map[string]time.Time{}
	}
	counts := dropCounts(dropped)
	for name, n := range counts {
		if n > d.counts[name] {
			grown[name] = n - d.counts[name]
			d.lastAt[name] = now
		}
	}
	d.counts = counts
	return grown
}

// list returns what was dropped so far.
func (d *drops) list() []Drop {
	list := []Drop{}
	for _, name := range dropNames() {
		if n := d.counts[name]; n > 0 {
			list = append(list, Drop{What: name, Why: whyDropped[name], Count: n, Last: millis(d.lastAt[name])})
		}
	}
	return list
}
