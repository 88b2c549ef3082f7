package zyre

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// target is what a mailbox is connected to.
func target(t *testing.T, m mailbox) string {
	t.Helper()
	endpoint, err := m.(*zmqMailbox).soc.GetLastEndpoint()
	if err != nil {
		t.Fatal(err)
	}
	return endpoint
}

func TestShortcut_taken(t *testing.T) {
	public, secret := newKeys(t)
	secure := listenOptions{publicKey: public, secretKey: secret}
	tests := map[string]struct {
		listen     listenOptions
		dial       dialOptions
		endpoint   string
		offer, ask bool
		want       bool
	}{
		"plain":          {endpoint: "tcp://127.0.0.1:*", offer: true, ask: true, want: true},
		"notOffered":     {endpoint: "tcp://127.0.0.1:*", ask: true},
		"notAsked":       {endpoint: "tcp://127.0.0.1:*", offer: true},
		"ipc":            {endpoint: "ipc://" + t.TempDir() + "/s", offer: true, ask: true},
		"secure":         {listen: secure, dial: dialOptions{serverKey: public, publicKey: public, secretKey: secret}, endpoint: "tcp://127.0.0.1:*", offer: true, ask: true},
		"secureToPlain":  {dial: dialOptions{serverKey: public, publicKey: public, secretKey: secret}, endpoint: "tcp://127.0.0.1:*", offer: true, ask: true},
		"plainToSecured": {listen: secure, endpoint: "tcp://127.0.0.1:*", offer: true, ask: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			here, there := newTestTransport(t), newTestTransport(t)
			here.noShortcuts, there.noShortcuts = !test.offer, !test.ask
			_, bound := mustListen(t, here, test.listen, test.endpoint)
			got := target(t, mustDial(t, there, bound, test.dial))
			if strings.HasPrefix(got, "inproc://") != test.want {
				t.Errorf("dial(%s) connected to %s, want inproc: %v", bound, got, test.want)
			}
		})
	}
}

// A shortcut lasts as long as the inbox is bound, and no other inbox's end ends it.
func TestShortcut_lasts(t *testing.T) {
	tr := newTestTransport(t)
	short := func(endpoint string) bool {
		s := &tr.ctx.shortcuts
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.to[endpoint] != nil
	}
	in, first := mustListen(t, tr, listenOptions{}, "tcp://127.0.0.1:*")
	second, err := in.bind("tcp://127.0.0.1:*")
	if err != nil {
		t.Fatal(err)
	}
	other, others := mustListen(t, tr, listenOptions{}, "tcp://127.0.0.1:*")
	if err := other.unbind(first); err == nil {
		t.Error("unbind() of another's endpoint = nil, want an error")
	}
	if !short(first) || !short(second) || !short(others) {
		t.Error("an endpoint in use has no shortcut")
	}
	if err := in.unbind(first); err != nil {
		t.Fatal(err)
	}
	if short(first) || !short(second) {
		t.Error("unbind() does not end the shortcut to its endpoint alone")
	}
	if err := in.close(); err != nil {
		t.Fatal(err)
	}
	if short(second) || !short(others) {
		t.Error("close() does not end the shortcuts to its inbox alone")
	}
	other.retire()
	if third, err := other.bind("tcp://127.0.0.1:*"); err != nil || short(others) || short(third) {
		t.Errorf("a retired inbox offers shortcuts, or bind() = %v", err)
	}
}

// A mailbox under CURVE takes no way on which libzmq would leave that out.
func TestZMQTransport_dial_secureInproc(t *testing.T) {
	public, secret := newKeys(t)
	tr := newTestTransport(t)
	_, endpoint := mustListen(t, tr, listenOptions{}, "inproc://zyre-secure")
	keys := dialOptions{identity: testIdentity, serverKey: public, publicKey: public, secretKey: secret}
	if _, err := tr.dial(endpoint, keys); !errors.Is(err, errBadEndpoint) {
		t.Errorf("dial(%s) with keys = %v, want %v", endpoint, err, errBadEndpoint)
	}
}

// Whether two nodes take the shortcut makes no difference to what they see.
func TestShortcut_nodes(t *testing.T) {
	ways := map[string]func() (transport, error){
		"shortcut": shortcutTransport,
		"tcp":      tcpTransport,
	}
	for nameA, a := range ways {
		for nameB, b := range ways {
			t.Run(nameA+"/"+nameB, func(t *testing.T) {
				checkLeaks(t)
				port := freeUDPPort(t)
				alice, bob := newLoopbackNode(t, "alice", port), newLoopbackNode(t, "bob", port)
				alice.transport, bob.transport = a, b
				alice.Join("g")
				bob.Join("g")
				for range 3 {
					mustStart(t, alice)
					mustStart(t, bob)
					ra, rb := record(alice), record(bob)
					ra.wait(t, "JOIN bob g", 1)
					rb.wait(t, "JOIN alice g", 1)
					if got := alice.PeerAddress(bob.UUID()); !strings.HasPrefix(got, "tcp://127.0.0.1:") {
						t.Errorf("PeerAddress() = %q, want an address of TCP", got)
					}
					alice.Whisper(bob.UUID(), []byte("to bob"))
					bob.Shout("g", []byte("to all"))
					rb.wait(t, "WHISPER alice to bob", 1)
					ra.wait(t, "SHOUT bob g to all", 1)
					bob.Stop()
					ra.wait(t, "EXIT bob", 1)
					alice.Stop()
				}
			})
		}
	}
}

// A peer that goes without a goodbye holds up nobody before it expires: a shortcut takes
// no messages for it, but TCP does, as long as there is room.
func TestShortcut_vanishedPeer(t *testing.T) {
	port := freeUDPPort(t)
	alice, bob := newLoopbackNode(t, "alice", port), newLoopbackNode(t, "bob", port)
	for _, z := range []*Zyre{alice, bob} {
		z.transport = shortcutTransport
		z.Join("g")
		mustStart(t, z)
	}
	ra, rb := record(alice), record(bob)
	rb.wait(t, "JOIN alice g", 1)
	ra.wait(t, "JOIN bob g", 1)
	raw := newRawPeer(t, "raw", bob.PeerAddress(alice.UUID()))
	raw.hello()
	raw.send(&ZreMsg{id: JoinID, Group: "g", Status: 1})
	ra.wait(t, "JOIN raw g", 1)
	if err := raw.inbox.close(); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		alice.Shout("g", []byte("hello"))
		rb.wait(t, "SHOUT alice g hello", i+1)
		pause(5 * time.Millisecond) // libzmq looks for the end of a pipe once a millisecond
	}
	if ra.count("EXIT raw") != 0 {
		t.Error("the shouts came only after EXIT")
	}
}
