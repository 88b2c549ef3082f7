package zyre

// The types of an Event, as libzyre names them.
const (
	eventEnter   = "ENTER"
	eventExit    = "EXIT"
	eventJoin    = "JOIN"
	eventLeave   = "LEAVE"
	eventWhisper = "WHISPER"
	eventShout   = "SHOUT"
	eventEvasive = "EVASIVE"
	eventSilent  = "SILENT"
	eventLeader  = "LEADER"
	eventStop    = "STOP"
)

// Event is something that happened to a node. Events come from [Zyre.Events]. Event is
// the zyre_event class of libzyre.
//
// Which fields are set depends on Type:
//
//	ENTER    a peer appeared                PeerUUID PeerName PeerAddr Headers
//	EXIT     a peer is gone                 PeerUUID PeerName PeerAddr
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
	Type     string            // ENTER, EXIT, JOIN, LEAVE, WHISPER, SHOUT, EVASIVE, SILENT, LEADER or STOP
	PeerUUID string            // the peer, as 32 upper-case hexadecimal digits
	PeerName string            // the peer's name
	PeerAddr string            // the peer's endpoint, such as "tcp://192.168.1.7:49152"
	Headers  map[string]string // the peer's headers; in ENTER only
	Group    string            // the group, where there is one
	Msg      []byte            // the first frame of a WHISPER or SHOUT
	Frames   [][]byte          // every frame of a WHISPER or SHOUT; Frames[0] is Msg

	single [1][]byte // backs Frames of the common message of one frame
}

// Header returns the value of one of the peer's headers, and whether the peer has
// that header. Only ENTER has headers. It is zyre_event_header of libzyre.
func (e *Event) Header(name string) (string, bool) {
	value, ok := e.Headers[name]
	return value, ok
}

// eventOverhead is what an undelivered event costs beside its payload: the
// Event itself, its places in the queue and the allocator's rounding.
const eventOverhead = 256

// headerOverhead is what a header costs beside its text.
const headerOverhead = 64

// size is what the event counts against the queue limit, in bytes.
func (e *Event) size() int {
	n := eventOverhead
	for _, f := range e.Frames {
		n += len(f)
	}
	for name, value := range e.Headers {
		n += len(name) + len(value) + headerOverhead
	}
	return n
}
