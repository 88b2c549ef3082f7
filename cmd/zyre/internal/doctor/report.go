package doctor

import (
	"fmt"
	"strings"
	"time"
)

// Report is what was found.
type Report struct {
	Facts      []Fact      // about this host
	Interfaces []Interface // of this host
	Nodes      []*Node     // that were heard of
	Hubs       []HubState
	Pair       *Pair // with --pair
	Faults     []Fault
}

// Fact is something that holds for this host.
type Fact struct {
	About string `json:"about"`
	Text  string `json:"text"`
}

// Fault is something that keeps nodes from seeing each other, or soon may.
type Fault struct {
	ID   string `json:"id"`   // for scripts, such as "other-port"
	What string `json:"what"` // what is wrong
	Do   string `json:"do"`   // what to do about it
}

// Interface is a network interface of this host.
type Interface struct {
	Name   string   `json:"name"`
	Addrs  []string `json:"addresses"`
	Kind   string   `json:"kind"`             // such as "loopback"
	Chosen string   `json:"chosen,omitempty"` // why a node would use it; "" if it would not
}

// Node is another node.
type Node struct {
	UUID      string        `json:"uuid"`
	Name      string        `json:"name,omitempty"`
	Source    string        `json:"source"` // how it is known: beacon, gossip, or message
	Endpoint  string        `json:"endpoint"`
	Address   string        `json:"address,omitempty"`   // that its beacons come from
	Interface string        `json:"interface,omitempty"` // of this host, that they came in on
	UDPPort   int           `json:"udp_port,omitempty"`
	Version   int           `json:"version,omitempty"` // of its beacons
	Secure    bool          `json:"secure"`
	Key       string        `json:"public_key,omitempty"`
	Beacons   int           `json:"beacons"`
	Age       time.Duration `json:"-"`                   // since its last beacon
	AgeMS     int64         `json:"age_ms,omitempty"`    // the same in milliseconds
	TCP       string        `json:"tcp,omitempty"`       // whether its port can be reached
	Mechanism string        `json:"mechanism,omitempty"` // what ZeroMQ at its port wants: NULL is plain
	Entered   bool          `json:"entered"`             // whether it said HELLO
	Answered  bool          `json:"answered"`            // whether it answered PING
	RTT       time.Duration `json:"-"`                   // of the PING
	RTTMS     float64       `json:"rtt_ms,omitempty"`    // the same in milliseconds
	Peer      string        `json:"-"`                   // the endpoint that this host's node is connected to

	sightings []sighting
}

// HubState is the state of a gossip hub.
type HubState struct {
	Endpoint  string `json:"endpoint"`
	TCP       string `json:"tcp,omitempty"`
	Mechanism string `json:"mechanism,omitempty"`
	Up        bool   `json:"up"`
	Nodes     int    `json:"nodes"` // that it told of
	Error     string `json:"error,omitempty"`
}

func (r *Report) fact(about, format string, args ...any) {
	r.Facts = append(r.Facts, Fact{about, fmt.Sprintf(format, args...)})
}

// fault adds a fault, unless the same is there already.
func (r *Report) fault(id, what, do string) {
	f := Fault{id, what, do}
	for _, other := range r.Faults {
		if other == f {
			return
		}
	}
	r.Faults = append(r.Faults, f)
}

// node returns the node with a UUID, or nil.
func (r *Report) node(uuid string) *Node {
	for _, n := range r.Nodes {
		if n.UUID == uuid {
			return n
		}
	}
	return nil
}

func (r *Report) addNode(uuid string) *Node {
	n := &Node{UUID: uuid}
	r.Nodes = append(r.Nodes, n)
	return n
}

// called is how a fault names a node.
func (n *Node) called() string {
	where := strings.TrimPrefix(n.Endpoint, "tcp://")
	if n.Name == "" {
		return fmt.Sprintf("the node %s at %s", n.UUID[:6], where)
	}
	return fmt.Sprintf("the node %s (%s) at %s", n.Name, n.UUID[:6], where)
}
