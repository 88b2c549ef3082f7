package foreign

import (
	"fmt"
	"time"
)

// A Kind is an implementation of ZRE.
type Kind string

// The implementations. Generic is one without quirks, for implementations that we
// know little of, such as haskell-zre: it is libzyre without elections.
const (
	Libzyre  Kind = "libzyre"
	Pyre     Kind = "pyre"
	GoZeroMQ Kind = "go-zeromq"
	ZyreJS   Kind = "zyre.js"
	Gyre     Kind = "gyre"
	Generic  Kind = "generic"
)

// Kinds are all implementations.
func Kinds() []Kind { return []Kind{Libzyre, Pyre, GoZeroMQ, ZyreJS, Gyre, Generic} }

// A Reaction is what an implementation does about something it does not expect.
type Reaction int

const (
	// Ignore drops the message, which then does not count in the sequence either.
	Ignore Reaction = iota
	// Remove forgets the peer: EXIT. The next beacon makes it again.
	Remove
	// Accept goes on as if all were well.
	Accept
	// Crash ends the process, or the thread that does all the work, or hangs it.
	Crash
)

// Traits are the differences between implementations.
type Traits struct {
	SequenceModulo int // 65536, or 65535: then 65534 is followed by 0
	StatusModulo   int // of its own joins and leaves, see StatusOverflow
	// StatusOverflow says that the change after the last status number crashes it.
	StatusOverflow bool
	LastID         uint8 // the greatest command that it knows

	Evasive       time.Duration // when it begins to PING
	Expired       time.Duration // when it removes the peer
	WholeSeconds  bool          // compares times in whole seconds
	PingOnce      bool          // one PING in a silence, at once; the others PING each second
	EvasiveEvents bool          // reports EVASIVE with each PING, from the second on SILENT too

	BeaconRefreshes bool     // a beacon of a known peer counts as a sign of life
	HelloFirst      bool     // drops a HELLO whose sequence number is not 1
	RepeatedHello   Reaction // HELLO of a peer that is ready: Accept makes the peer again, Ignore treats it as any command
	Gap             Reaction // a sequence number that was not expected: Remove, or Ignore for ever
	BeforeHello     Reaction // a command of a peer that has not said HELLO
	UnknownID       Reaction // Accept counts it and does nothing else
	ParsesHalf      bool     // goes on with a command or version it does not know as with sequence number 0
	Malformed       Reaction // a message cut short: Accept takes the fields before the cut
	BadStatus       Reaction // JOIN or LEAVE with a status that is not the next
	BadEndpoint     Reaction // HELLO with an endpoint that cannot be connected to
	NoContent       Reaction // WHISPER or SHOUT without a frame of content
	BadText         Reaction // text that is not UTF-8
	ReplacesText    bool     // puts U+FFFD where text is not UTF-8

	SameEndpoint   Reaction // a new UUID at the endpoint of an old one: Accept closes the old connection, Remove removes the old peer
	RoutingIDSize  int      // of routing ids that it takes; 0: any
	Handover       bool     // its ROUTER gives a routing id that connects again to the new connection
	Reconnects     bool     // its DEALER connects again by itself
	AllFrames      bool     // sends and delivers all frames of content; the others the first
	JoinFirst      bool     // reports the groups in a HELLO before ENTER
	OwnGroupsOnly  bool     // delivers SHOUT only to groups that it is in
	RepeatsJoin    bool     // tells of a JOIN to a group that it is in already
	CString        bool     // text ends at the first zero byte, and is cut to fit; the first of two equal headers counts
	CountsRunes    bool     // writes the number of characters for that of bytes: what is not ASCII is cut
	Elects         bool     // takes part in elections
	UnknownGoodbye bool     // reports EXIT at the goodbye of a peer that it does not know
	BeaconsAtOnce  bool     // sends its first beacon at start, not after an interval
	SaysGoodbye    bool     // sends a beacon with port 0 at the end

	BeaconSizes []int    // of datagrams that it takes for beacons; an empty list: 22 and more
	BadBeacon   Reaction // a datagram that begins with ZRE and is of another size
}

// libzyre is what all others descend from.
var libzyre = Traits{
	SequenceModulo: 1 << 16, StatusModulo: 1 << 8, LastID: GoodbyeID,
	Evasive: 5 * time.Second, Expired: 30 * time.Second, EvasiveEvents: true,
	RepeatedHello: Accept, Gap: Remove, BeforeHello: Ignore, UnknownID: Ignore,
	Malformed: Accept, BadStatus: Crash, BadEndpoint: Ignore, NoContent: Accept, BadText: Accept,
	SameEndpoint: Accept, RoutingIDSize: 17, Handover: true, Reconnects: true, AllFrames: true, CString: true, Elects: true,
	BeaconsAtOnce: true, SaysGoodbye: true, BeaconSizes: []int{22, 54},
}

// TraitsOf returns the traits of an implementation.
func TraitsOf(kind Kind) (Traits, error) {
	t := libzyre
	switch kind {
	case Libzyre:
	case Pyre:
		t = pyre()
	case GoZeroMQ:
		t = gyre()
		t.UnknownID, t.Malformed, t.BadEndpoint = Accept, Crash, Crash
		t.Handover, t.Reconnects, t.SaysGoodbye = true, false, true
		t.BeaconSizes = []int{22, 23}
	case ZyreJS:
		t = zyreJS()
	case Gyre:
		t = gyre()
	case Generic:
		t.EvasiveEvents, t.Elects, t.CString, t.LastID = false, false, false, PingOkID
		t.Malformed, t.BadStatus, t.UnknownID = Ignore, Accept, Ignore
	default:
		return Traits{}, fmt.Errorf("foreign: no implementation is called %q", kind)
	}
	return t, nil
}

func pyre() Traits {
	t := libzyre
	t.SequenceModulo, t.StatusOverflow, t.LastID = 1<<16-1, true, PingOkID
	t.Evasive, t.EvasiveEvents = 10*time.Second, false
	t.BeaconRefreshes, t.ParsesHalf, t.SameEndpoint = true, true, Remove
	t.Malformed, t.BadEndpoint, t.NoContent, t.BadText = Crash, Crash, Crash, Crash
	t.CString, t.CountsRunes, t.Elects = false, true, false
	t.BeaconSizes, t.BadBeacon = []int{22}, Crash
	return t
}

func gyre() Traits {
	t := libzyre
	t.LastID = PingOkID
	t.Evasive, t.Expired, t.WholeSeconds, t.EvasiveEvents = 3*time.Second, 5*time.Second, true, false
	t.BeaconRefreshes, t.Gap, t.BeforeHello, t.UnknownID = true, Ignore, Remove, Crash
	t.RoutingIDSize, t.Handover, t.AllFrames, t.CString, t.Elects = 0, false, false, false, false
	t.BeaconsAtOnce, t.SaysGoodbye, t.BeaconSizes = false, false, nil
	return t
}

func zyreJS() Traits {
	t := libzyre
	t.SequenceModulo, t.StatusModulo, t.LastID = 1<<16-1, 1<<8-1, PingOkID
	t.PingOnce, t.EvasiveEvents, t.BeaconRefreshes = true, false, true
	t.HelloFirst, t.RepeatedHello, t.BeforeHello, t.SameEndpoint = true, Ignore, Accept, Ignore
	t.Malformed, t.BadStatus, t.BadEndpoint, t.ReplacesText = Ignore, Accept, Crash, true
	t.RoutingIDSize, t.AllFrames, t.CString, t.Elects = 0, false, false, false
	t.JoinFirst, t.OwnGroupsOnly, t.RepeatsJoin, t.UnknownGoodbye = true, true, true, true
	t.BeaconSizes = []int{22}
	return t
}
