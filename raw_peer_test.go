package zyre

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/go-zyre/zyre/internal/transport"
)

// rawPeer speaks ZRE without a node: it can do what a node never does.
type rawPeer struct {
	t        *testing.T
	name     string
	uuid     [16]byte
	inbox    transport.Inbox
	mailbox  transport.Mailbox
	endpoint string
	sequence uint16
}

var rawPeers atomic.Uint32

// newRawPeer makes a peer that is connected to a node but has not said HELLO.
func newRawPeer(t *testing.T, name, target string) *rawPeer {
	t.Helper()
	r := &rawPeer{t: t, name: name}
	number := rawPeers.Add(1)
	r.uuid = [16]byte{0xfe, 15: byte(number), 14: byte(number >> 8)}
	tr, err := transport.NewZMQ()
	if err != nil {
		t.Fatal(err)
	}
	if r.inbox, err = tr.Listen(transport.ListenOptions{}); err != nil {
		t.Fatal(err)
	}
	if r.endpoint, err = r.inbox.Bind("tcp://127.0.0.1:*"); err != nil {
		t.Fatal(err)
	}
	if r.mailbox, err = tr.Dial(target, transport.DialOptions{Identity: appendIdentity(nil, r.uuid)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(r.mailbox.Close(0), r.inbox.Close(), tr.Close()); err != nil {
			t.Error(err)
		}
	})
	return r
}

// hello says HELLO and restarts the sequence.
func (r *rawPeer) hello() {
	r.sequence = 0
	r.send(&ZreMsg{id: HelloID, Endpoint: r.endpoint, Name: r.name})
}

// send sends a message with the next sequence number.
func (r *rawPeer) send(msg *ZreMsg) {
	r.t.Helper()
	r.sequence++
	header, err := msg.append(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	putSequence(header, r.sequence)
	eventually(r.t, "room in a mailbox", func() bool {
		err = r.mailbox.Send(header, msg.content())
		return !errors.Is(err, transport.ErrAgain)
	})
	if err != nil {
		r.t.Fatal(err)
	}
}
