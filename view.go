package zyre

import "time"

// View is what a node tells of the network as it sees it. It comes from [Zyre.PeerView]
// and belongs to the application. Like all that comes from a peer it may be wrong, and
// names may be any bytes.
type View struct {
	UUID     string     // the node whose view it is
	Peers    int        // peers that have entered at it
	HalfOpen int        // nodes that it has heard of and that have not entered
	Groups   int        // groups that at least one of its peers has joined
	Received uint64     // messages that it has received in sequence
	Sent     uint64     // messages that its application has sent, each shout once
	Gaps     uint64     // how often messages from one of its peers were missing
	Pauses   uint64     // how often it stopped reading because its application was slow
	Waits    uint64     // how often one of its peers took no more messages, so that senders had to wait
	Unsent   uint64     // messages that it gave up because their peer exited
	PeerList []ViewPeer // its peers, in the order of their UUIDs; fewer than Peers if they do not fit into 128 KiB
}

// ViewPeer is one peer in the [View] of a node.
type ViewPeer struct {
	UUID     string        // 32 upper-case hexadecimal digits
	Name     string        // as it told that node
	Endpoint string        // where that node is connected to it
	RTT      time.Duration // of the last ping that it answered; 0 if it was not pinged yet
	Idle     time.Duration // since its last message
	Received uint64        // messages from it
	Sent     uint64        // messages to it
	Waiting  int           // messages that wait because it takes no more at present
	Evasive  bool          // whether EVASIVE was reported in this silence
	Silent   bool          // whether SILENT was reported in this silence
}

// question is one call of PeerView. The node alone touches view and err until answered is
// closed, or the question was withdrawn.
type question struct {
	peer  [16]byte
	nonce [8]byte // which the answer repeats

	view     View
	err      error
	answered chan struct{}
}

// finish gives the question its answer, once.
func (q *question) finish(v View, err error) {
	q.view, q.err = v, err
	close(q.answered)
}
