//go:build unix

package child

import (
	"encoding/json"
	"time"

	"github.com/go-zyre/zyre"
)

// Config says what a node is like. What is zero is left as NewZyre has it.
type Config struct {
	Name      string   // also that of the node in its process
	UUID      string   // for SetUUID
	Interface string   // for SetInterface
	Groups    []string // to join before Start
	Contest   string   // group in which it stands for election

	Port, PeerPort                     int           // UDP and TCP
	Interval, Evasive, Silent, Expired time.Duration // of beacons, and the timeouts
	Stalled                            time.Duration // for SetStalledTimeout
	QueueLimit                         int           // in bytes

	Endpoint                  string // for SetEndpoint
	GossipBind, GossipConnect string // endpoint of its own hub, and of another

	PublicKey, SecretKey string     // for SetZCert
	HubKey               string     // of the hub at GossipConnect, for GossipConnectCurve
	Authorized           []string   // for SetAuthorizedKeys
	Required             []Required // for RequirePeer

	ShareView bool // for SetShareView
	NoLogger  bool // it is given none: its log is that of slog.Default

	Unread  bool          // its events are not read until the command read
	Tally   bool          // numbered messages are counted, and not reported
	Echo    bool          // it whispers back what is whispered to it
	Chatter time.Duration // if not 0, it whispers a running number to each peer at this interval
}

// Required is a peer that a node is told of.
type Required struct {
	UUID, Endpoint, Key string // as for RequirePeer
}

// Started is how a node runs.
type Started struct {
	Endpoint string // the first one, "" if there is no network yet
	Gossip   string // of its hub, if it has one
}

// Tally counts the numbered messages of a peer, of which none may be missing between its
// ENTER and its EXIT, nor come twice.
type Tally struct {
	Count, Missing, Twice int // that came, that did not, and that came again
	Last                  int // number of the last one
}

// Usage is what a process has used of its machine so far.
type Usage struct {
	Live, Heap, Resident int           // bytes: reachable, in use by Go's heap, and the peak of all
	C                    int           // bytes allocated in C; 0 if that is not known
	CPU                  time.Duration // of all processors
}

// Slowest is the method that took longest, by the best of several calls.
type Slowest struct {
	Took   time.Duration // the best time
	Method string        // its name
}

// BeaconConfig says what a Beacon is like.
type BeaconConfig struct {
	Port      int    // UDP
	Interface string // for the command INTERFACE
	Datagram  []byte // for the command PUBLISH
}

// arguments are those of all commands but node and beacon.
type arguments struct {
	Group, Peer string // whom to, the peer by name or UUID
	Text        string
	Count, Rate int // Rate is a second
	Size        int // of each message, in bytes; 0: the number alone
	To          string
	Files       int
	Datagram    []byte
}

// A Command is a line that a process reads.
type Command struct {
	Do   string          `json:"do"`             // what
	Node string          `json:"node,omitempty"` // by whom, all if empty
	With json.RawMessage `json:"with,omitempty"` // arguments
}

// report is a line that a process writes.
type report struct {
	Answer json.RawMessage `json:"answer,omitempty"`
	Error  string          `json:"error,omitempty"`

	At    *time.Time   `json:"at,omitempty"`
	Node  string       `json:"node,omitempty"`
	Event *zyre.Event  `json:"event,omitempty"`
	Heard *zyre.Signal `json:"heard,omitempty"`
	Sent  int          `json:"sent,omitempty"`
	Log   string       `json:"log,omitempty"`
	Fault string       `json:"fault,omitempty"`
}
