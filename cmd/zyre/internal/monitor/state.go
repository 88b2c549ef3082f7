package monitor

import "time"

// Limits of a State.
const (
	maxGroupsShown     = 500  // of the network
	maxNodeGroups      = 32   // of one node
	maxHeadersShown    = 100  // of one node
	maxHiddenNodes     = 200  // that only others see
	maxLinksShown      = 1000 // between others, if there are no more; else only what is wrong
	maxOneSidedShown   = 500
	maxHeaderValue     = 1024
	maxHistory         = 60 // samples of the traffic of a node
	maxLinksInOneView  = 512
	maxPairsRemembered = 4096
)

// State is the picture at one moment. Everything that came from peers is printable.
type State struct {
	Time     int64   `json:"time"` // Unix milliseconds
	Uptime   int64   `json:"uptime"`
	Totals   Totals  `json:"totals"`
	Nodes    []Node  `json:"nodes"` // the first is the monitor itself
	Groups   []Group `json:"groups"`
	Links    []Link  `json:"links"`
	LinksCut int     `json:"linksCut"` // links between others that are in order and not in Links
	Drops    []Drop  `json:"drops"`
}

// Totals are about the whole network, or about the monitor's own node.
type Totals struct {
	Peers      int     `json:"peers"`
	HalfOpen   int     `json:"halfOpen"`
	Sharing    int     `json:"sharing"`
	Hidden     int     `json:"hidden"`
	Evasive    int     `json:"evasive"`
	OneSided   int     `json:"oneSided"`
	Groups     int     `json:"groups"`
	In         float64 `json:"in"`  // messages a second
	Out        float64 `json:"out"` // likewise
	Dropped    uint64  `json:"dropped"`
	IsPaused   bool    `json:"paused"`
	HeldEvents int     `json:"held"`
}

// The values of Node.Presence.
const (
	PresenceSelf    = "self"
	PresenceAlive   = "alive"
	PresenceEvasive = "evasive"
	PresenceSilent  = "silent"
	PresenceHidden  = "hidden" // only others see it
)

// Node is a node of the network.
type Node struct {
	UUID      string  `json:"uuid"`
	Name      string  `json:"name"`
	Address   string  `json:"address"`
	Presence  string  `json:"presence"`
	Groups    []int   `json:"groups"`     // places in State.Groups; not more than 32
	AllGroups int     `json:"groupCount"` // how many it is in
	Headers   int     `json:"headerCount"`
	RTT       int64   `json:"rtt"` // µs; 0 if it is not known
	In        float64 `json:"in"`  // messages a second from it
	Out       float64 `json:"out"` // likewise to it
	Idle      int64   `json:"idle"`
	Since     int64   `json:"since"` // Unix milliseconds
	Waiting   int     `json:"waiting"`
	IsSharing bool    `json:"sharing"` // it tells its view
	Received  uint64  `json:"received"`
	Sent      uint64  `json:"sent"`
}

// Group is a group of the network.
type Group struct {
	Name    string `json:"name"`
	Slot    int    `json:"slot"` // stays the same while the group exists: its colour and shape
	Members int    `json:"members"`
	Leader  string `json:"leader,omitempty"` // a UUID
	IsOwn   bool   `json:"own"`              // the monitor's node has joined it
}

// The values of Link.Kind.
const (
	LinkBoth     = 0 // each sees the other
	LinkAssumed  = 1 // A sees B; B does not tell
	LinkOneSided = 2 // A sees B, and B does not see A
)

// Link is a pair of nodes of which at least one sees the other.
type Link struct {
	A    int     `json:"a"` // place in State.Nodes
	B    int     `json:"b"`
	Kind int     `json:"kind"`
	RTT  int64   `json:"rtt"`  // µs; 0 if it is not known
	Rate float64 `json:"rate"` // messages a second, in both directions
}

// Drop is a reason for which the monitor's node dropped something.
type Drop struct {
	What  string `json:"what"` // as in zyre.Dropped
	Why   string `json:"why"`
	Count uint64 `json:"count"`
	Last  int64  `json:"last"` // Unix milliseconds
}

// Detail is what is shown of one node beyond what is in State.
type Detail struct {
	UUID      string    `json:"uuid"`
	Headers   []Header  `json:"headers"`
	Groups    []string  `json:"groups"`
	PublicKey string    `json:"publicKey,omitempty"`
	History   []float64 `json:"history"` // messages a second, in both directions, one for each sample
	View      *ViewInfo `json:"view,omitempty"`
}

// ViewInfo is what a node says of itself.
type ViewInfo struct {
	Age      int64      `json:"age"`
	Peers    int        `json:"peers"`
	HalfOpen int        `json:"halfOpen"`
	Received uint64     `json:"received"`
	Sent     uint64     `json:"sent"`
	Gaps     uint64     `json:"gaps"`
	Pauses   uint64     `json:"pauses"`
	Waits    uint64     `json:"waits"`
	Unsent   uint64     `json:"unsent"`
	Links    []ViewLink `json:"links"`
}

// ViewLink is one peer of a node that tells its view.
type ViewLink struct {
	UUID      string  `json:"uuid"`
	Name      string  `json:"name"`
	Kind      int     `json:"kind"` // LinkBoth, LinkAssumed or LinkOneSided: it sees the peer
	RTT       int64   `json:"rtt"`
	Rate      float64 `json:"rate"`
	Idle      int64   `json:"idle"`
	Waiting   int     `json:"waiting"`
	IsEvasive bool    `json:"evasive"`
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
