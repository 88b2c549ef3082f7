package local_test

import (
	"fmt"
	"net"
	"testing"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/internal/foreign"
)

// errnoAgain is libzmq's EAGAIN: there is no room, or no way to send on.
const errnoAgain = zmq.Errno(11)

// curveKeys are what a dealer shows and expects, in Z85; none at all for a plain one.
type curveKeys struct{ server, public, secret string }

// dealer speaks to a node as a stranger could: a bare socket in a context of its own.
type dealer struct {
	t    *testing.T
	soc  *zmq.Socket
	sent uint16
}

// newDealer connects to an endpoint under a routing id.
func newDealer(t *testing.T, endpoint string, identity []byte, keys curveKeys) *dealer {
	t.Helper()
	ctx, err := zmq.NewContext()
	if err != nil {
		t.Fatal(err)
	}
	soc, err := ctx.NewSocket(zmq.DEALER)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { soc.Close(); ctx.Term() })
	err = soc.SetLinger(0)
	if err == nil {
		err = soc.SetIdentity(string(identity))
	}
	if err == nil && keys.public != "" {
		err = soc.ClientAuthCurve(keys.server, keys.public, keys.secret)
	}
	if err == nil {
		err = soc.Connect(endpoint)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &dealer{t: t, soc: soc}
}

// send sends a message with the next sequence number. If the connection has been refused
// there is no way left to send on, which is no fault.
func (d *dealer) send(m *foreign.Message) {
	d.t.Helper()
	d.sent++
	m.Sequence = d.sent
	frames, err := m.Frames()
	if err == nil {
		_, err = d.soc.SendMessageDontwait(frames)
	}
	if err != nil && zmq.AsErrno(err) != errnoAgain {
		d.t.Fatal(err)
	}
}

// routingID returns the identity under which a node with a UUID connects.
func routingID(uuid [16]byte) []byte { return append([]byte{1}, uuid[:]...) }

// newMuteInbox binds a mailbox that nobody reads, and returns where.
func newMuteInbox(t *testing.T) string {
	t.Helper()
	ctx, err := zmq.NewContext()
	if err != nil {
		t.Fatal(err)
	}
	inbox, err := ctx.NewSocket(zmq.ROUTER)
	if err == nil {
		err = inbox.Bind("tcp://127.0.0.1:*")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { inbox.Close(); ctx.Term() })
	endpoint, err := inbox.GetLastEndpoint()
	if err != nil {
		t.Fatal(err)
	}
	return endpoint
}

// publicKeyHeader carries a secure node's public key in its HELLO.
const publicKeyHeader = "X-PUBLICKEY"

// strangerHello is the HELLO of a peer that no beacon tells of, with a public key or none.
func strangerHello(endpoint, key string, groups ...string) *foreign.Message {
	m := &foreign.Message{
		ID: foreign.HelloID, Endpoint: endpoint, Name: "stranger", Groups: groups, Status: uint8(len(groups)),
	}
	if key != "" {
		m.Headers = []foreign.Header{{Key: publicKeyHeader, Value: key}}
	}
	return m
}

// sendDatagrams sends datagrams to all nodes of this host on a UDP port.
func sendDatagrams(t testing.TB, udp int, datagrams ...[]byte) {
	t.Helper()
	c, err := net.Dial("udp4", fmt.Sprintf("127.255.255.255:%d", udp))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, d := range datagrams {
		if _, err := c.Write(d); err != nil {
			t.Fatalf("send a datagram of %d bytes: %v", len(d), err)
		}
	}
}

// secureBeacon is the beacon of a node with a public key; port 0 is goodbye.
func secureBeacon(uuid [16]byte, port uint16, key string) []byte {
	b := foreign.AppendBeacon(nil, uuid, port)
	b[3] = 3
	raw := kit.RawKey(key)
	return append(b, raw[:]...)
}
