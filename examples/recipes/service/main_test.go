package main

import (
	"testing"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre"
)

func TestEndpointOf(t *testing.T) {
	for _, c := range []struct {
		addr, port, want string
		ok               bool
	}{
		{"tcp://192.168.1.7:49152", "5555", "tcp://192.168.1.7:5555", true},
		{"tcp://[fe80::1%25eth0]:49152", "5555", "tcp://[fe80::1%eth0]:5555", true},
		{"ipc:///run/x", "5555", "", false},
		{"tcp://192.168.1.7:49152", "", "", false},
	} {
		e := &zyre.Event{PeerAddr: c.addr, Headers: map[string]string{}}
		if c.port != "" {
			e.Headers[header] = c.port
		}
		if got, ok := endpointOf(e); got != c.want || ok != c.ok {
			t.Errorf("endpointOf(%s, %s) = %q, %t, want %q, %t", c.addr, c.port, got, ok, c.want, c.ok)
		}
	}
}

// What one node publishes reaches another that has heard of it by ZRE alone. This is the
// one recipe that cannot be tested on zyretest: the service is at the address of its node,
// which the socket of another has to connect to. So the nodes are real, and meet on loopback.
func TestService(t *testing.T) {
	alice, bob := localNode(t, "alice"), localNode(t, "bob")
	pub, err := offer(alice, "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	defer pub.Close()
	sub, err := zmq.NewSocket(zmq.SUB)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	for _, err := range []error{sub.SetSubscribe(""), sub.SetRcvtimeo(20 * time.Millisecond), alice.Start(), bob.Start()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := bob.RequirePeer("", alice.Endpoint(), ""); err != nil {
		t.Fatal(err)
	}
	next := func(wanted string) {
		for e := range bob.Events() {
			if err := follow(sub, e); err != nil {
				t.Fatal(err)
			}
			if e.Type == wanted {
				return
			}
		}
		t.Fatalf("no %s", wanted)
	}
	next(zyre.EventEnter)
	tries := 0
	for text := ""; text != "hello"; tries++ { // a PUB socket drops what it has no subscriber for yet
		if _, err := pub.Send("hello", 0); err != nil {
			t.Fatal(err)
		}
		text, _ = sub.Recv(0)
		if tries > 500 {
			t.Fatal("nothing came in 10 s")
		}
	}
	alice.Stop()
	next(zyre.EventExit)
}

func localNode(t *testing.T, name string) *zyre.Zyre {
	t.Helper()
	node := zyre.NewZyre(t.Context()).SetName(name).SetInterface("lo")
	if err := node.SetEndpoint("tcp://127.0.0.1:*"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(node.Stop)
	return node
}
