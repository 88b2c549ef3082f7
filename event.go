package zyre

import (
	"fmt"
	"log/slog"
	"strings"
)

// The types of an Event, as libzyre names them.
const (
	EventEnter   = "ENTER"   // a peer appeared
	EventExit    = "EXIT"    // a peer is gone
	EventJoin    = "JOIN"    // a peer joined a group
	EventLeave   = "LEAVE"   // a peer left a group
	EventWhisper = "WHISPER" // a message to this node
	EventShout   = "SHOUT"   // a message to a group
	EventEvasive = "EVASIVE" // a peer did not answer a ping
	EventSilent  = "SILENT"  // it has still not answered
	EventLeader  = "LEADER"  // a group has a new leader
	EventStop    = "STOP"    // this node has stopped
)

// Why a peer exited: [Event.Reason] of an EXIT. Where ENTER follows at once, the peer
// itself may have been there all the time.
const (
	ReasonGoodbye   = "goodbye"              // it said so: it stopped
	ReasonExpired   = "expired"              // nothing came from it for the expired timeout
	ReasonLost      = "messages lost"        // messages from it are missing; ENTER follows if it lives
	ReasonRestarted = "restarted"            // it said HELLO again: a new process, or it had removed this node; ENTER follows
	ReasonThrottled = "restarts too often"   // it says HELLO again and again, and is ignored for 5 s
	ReasonReplaced  = "replaced"             // another node is at its endpoint, and it does not answer
	ReasonMoved     = "moved"                // its beacons come from another endpoint, and it does not answer at the old one
	ReasonNoHello   = "HELLO not taken"      // it did not answer after our HELLO, which is said again; ENTER follows when it answers
	ReasonIdentity  = "UUID used by another" // a node with another key used its UUID, which cut its connection; ENTER follows when it answers
	ReasonFailed    = "connection failed"    // it takes no more messages on its connection
	ReasonTooLarge  = "message too large"    // a message to or from it was larger than its receiver takes, and is lost; ENTER follows
	ReasonStalled   = "takes no messages"    // it took nothing of what was shouted to it: see SetStalledTimeout
	ReasonRevoked   = "key revoked"          // its key is not authorized any more: see SetAuthorizedKeys
)

// Event is something that happened to a node. Events come from [Zyre.Events]. Event is
// the zyre_event class of libzyre.
//
// Which fields are set depends on Type:
//
//	ENTER    a peer appeared                PeerUUID PeerName PeerAddr Headers
//	EXIT     a peer is gone                 PeerUUID PeerName PeerAddr Reason
//	JOIN     a peer joined a group          PeerUUID PeerName Group
//	LEAVE    a peer left a group            PeerUUID PeerName Group
//	WHISPER  a message to this node         PeerUUID PeerName Msg Frames
//	SHOUT    a message to a group           PeerUUID PeerName Group Msg Frames
//	EVASIVE  a peer did not answer a ping   PeerUUID PeerName
//	SILENT   it has still not answered      PeerUUID PeerName
//	LEADER   a group has a new leader       PeerUUID PeerName Group
//	STOP     this node has stopped          PeerUUID PeerName, its own
//
// The events of one peer are ENTER, then any number of the others, then EXIT. Each
// time that it comes and goes there is one ENTER and one EXIT. A peer that exits
// leaves its groups without LEAVE events.
//
// An event belongs to the application: the node keeps no reference to it and never
// changes it. Name, headers, group and message are as the peer sent them, and can be
// any bytes: quote them before you print them to a terminal.
type Event struct {
	Type     string            // EventEnter, EventExit, …
	PeerUUID string            // the peer, as 32 upper-case hexadecimal digits
	PeerName string            // the peer's name
	PeerAddr string            // the peer's endpoint, such as "tcp://192.168.1.7:49152"
	Headers  map[string]string // the peer's headers; in ENTER only
	Group    string            // the group, where there is one
	Msg      []byte            // the first frame of a WHISPER or SHOUT
	Frames   [][]byte          // every frame of a WHISPER or SHOUT; Frames[0] is Msg
	Reason   string            // why the peer exited; in EXIT only: ReasonGoodbye, ReasonExpired, …

	single [1][]byte // backs Frames of the common message of one frame
}

// Header returns the value of one of the peer's headers, and whether the peer has
// that header. Only ENTER has headers. It is zyre_event_header of libzyre.
func (e *Event) Header(name string) (string, bool) {
	if e == nil {
		return "", false
	}
	value, ok := e.Headers[name]
	return value, ok
}

// String returns the event in one line for people to read, such as
//
//	SHOUT 4A6F…1C "alice" group "hall" 2 frames 512 bytes
//
// What comes from the peer is quoted. Of a message there is only the size, never the
// payload, and of headers only their number.
func (e *Event) String() string {
	if e == nil {
		return "<nil>"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %q", e.Type, e.PeerUUID, e.PeerName)
	for _, a := range e.attrs() {
		if a.Value.Kind() == slog.KindString {
			fmt.Fprintf(&b, " %s %q", a.Key, a.Value.String())
		} else {
			fmt.Fprintf(&b, " %v %s", a.Value, a.Key)
		}
	}
	return b.String()
}

// LogValue returns the event for package slog, as a group: its type, the peer and its
// name, and endpoint, group and reason where it has them. Of a message there is only the
// size, never the payload, and of headers only their number.
func (e *Event) LogValue() slog.Value {
	if e == nil {
		return slog.StringValue("<nil>")
	}
	return slog.GroupValue(append([]slog.Attr{
		slog.String("type", e.Type), slog.String("peer", e.PeerUUID), slog.String("name", e.PeerName),
	}, e.attrs()...)...)
}

// attrs are what an event has beside its type and its peer, without payloads.
func (e *Event) attrs() (attrs []slog.Attr) {
	endpoint := ""
	if e.Type == EventEnter || e.Type == EventExit {
		endpoint = e.PeerAddr
	}
	for _, a := range []slog.Attr{
		slog.String("endpoint", endpoint), slog.String("group", e.Group), slog.String("reason", e.Reason),
	} {
		if a.Value.String() != "" {
			attrs = append(attrs, a)
		}
	}
	if e.Type == EventEnter {
		attrs = append(attrs, slog.Int("headers", len(e.Headers)))
	}
	if len(e.Frames) > 0 {
		attrs = append(attrs, slog.Int("frames", len(e.Frames)), slog.Int("bytes", frameBytes(e.Frames)))
	}
	return attrs
}

func frameBytes(frames [][]byte) (n int) {
	for _, f := range frames {
		n += len(f)
	}
	return n
}

// eventOverhead is what an undelivered event costs beside its payload: the
// Event itself, its places in the queue and the allocator's rounding.
const eventOverhead = 256

// headerOverhead is what a header costs beside its text, and frameOverhead what each of
// several frames costs: its place in Frames, and what the allocator gives for the smallest.
const (
	headerOverhead = 64
	frameOverhead  = 48
)

// size is what the event counts against the queue limit, in bytes.
func (e *Event) size() int {
	n := eventOverhead + frameBytes(e.Frames) + len(e.Group)
	if len(e.Frames) > 1 {
		n += frameOverhead * len(e.Frames)
	}
	for name, value := range e.Headers {
		n += len(name) + len(value) + headerOverhead
	}
	return n
}
