package hosts

import (
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/netns"
	"github.com/go-zyre/zyre/internal/foreign"
	"github.com/go-zyre/zyre/internal/foreign/zmtp"
)

// service is what listens on a host, and is no node.
type service struct {
	At    []string      // addresses with ports
	Limit time.Duration // how long
}

// run returns how many connections came to each.
func (s *service) run() (came map[string]int, err error) {
	came = map[string]int{}
	for _, at := range s.At {
		count := make(chan int)
		l, err := net.Listen("tcp", at)
		if err != nil {
			return nil, err
		}
		_ = l.(*net.TCPListener).SetDeadline(time.Now().Add(s.Limit))
		go func() {
			defer l.Close()
			for n := 0; ; n++ {
				c, err := l.Accept()
				if err != nil {
					count <- n
					return
				}
				c.Close()
			}
		}()
		defer func() { came[at] = <-count }()
	}
	return came, nil
}

// namings are what a stranger tells a node: that there are peers where there are none.
type namings struct {
	Node   string   // its endpoint
	Hub    string   // that of its hub: what is named is in tuples, and not in HELLOs
	Named  []string // endpoints, each in a HELLO or a tuple
	Limit  time.Duration
	Beacon forgery
}

// run says them, and waits for as long as they may have an effect.
func (n *namings) run() (struct{}, error) {
	none := struct{}{}
	if n.Hub != "" {
		return none, n.publish()
	}
	var last zmtp.Raw
	for i, named := range n.Named {
		identity := [17]byte{1, 0xfd, 15: byte(i >> 8), 16: byte(i)}
		r, err := zmtp.Dial(n.Node, identity[:])
		if err != nil {
			return none, err
		}
		defer r.Close()
		last = r
		hello := foreign.Message{ID: foreign.HelloID, Sequence: 1, Endpoint: named, Status: 1, Name: "stranger"}
		header, err := hello.Append(nil)
		if err == nil {
			_, err = r.Write(zmtp.AppendFrame(nil, header, false))
		}
		if err != nil {
			return none, err
		}
	}
	if _, err := n.Beacon.run(); err != nil {
		return none, err
	}
	if len(n.Named) > 0 {
		last.Ended(n.Limit)
	}
	return none, nil
}

// publish says by gossip what is named.
func (n *namings) publish() error {
	r, err := zmtp.Dial(n.Hub, []byte("stranger"))
	if err != nil {
		return err
	}
	defer r.Close()
	said := zmtp.AppendFrame(nil, gossipHello, false)
	for i, named := range n.Named {
		said = zmtp.AppendFrame(said, gossipTuple(fmt.Sprintf("%032X", i), named), false)
	}
	_, err = r.Write(said)
	r.Ended(n.Limit)
	return err
}

// A stranger has a node connect to no service of its own host, whatever address it names, and
// to those of others. Nodes of one host find each other all the same, by beacon and by gossip.
func TestNet_strangersOwnHost(t *testing.T) {
	t.Parallel()
	const limit = 4 * time.Second
	n := netns.New(t)
	n.Switch("lan")
	n.Switch("other")
	v, x := n.Host("v"), n.Host("x")
	v.Connect("lan", "eth0", "10.78.0.1/24", "10.78.0.11/24")
	v.Connect("other", "eth1", "10.79.0.1/24")
	x.Connect("lan", "eth0", "10.78.0.3/24")
	cfg := child.Config{Interface: "eth0"}
	a := node(v, cfg)
	at := []string{"127.0.0.1:7000", "10.78.0.1:7000", "10.78.0.11:7000", "10.79.0.1:7000"}
	elsewhere := "10.78.0.3:7000"
	served, servedThere := make(chan error, 1), make(chan error, 1)
	var came, cameThere map[string]int
	services, thereServices, stranger := v.Start("services"), x.Start("services"), x.Start("stranger")
	go func() { served <- services.Try("service", "", service{At: at, Limit: limit}, &came) }()
	go func() {
		servedThere <- thereServices.Try("service", "", service{At: []string{elsewhere}, Limit: limit}, &cameThere)
	}()
	told := namings{Node: a.Started.Endpoint, Limit: limit - time.Second}
	for _, at := range append(at, elsewhere) {
		told.Named = append(told.Named, "tcp://"+at)
	}
	told.Named = append(told.Named, "tcp://[::ffff:10.78.0.1]:7000")
	told.Beacon = forgery{From: "10.78.0.11:5670", To: "10.78.0.255:5670", Beacon: child.ForgedBeacon(1, 7000), Count: 1}
	if err := errors.Join(stranger.Try("name", "", told, &struct{}{}), <-served, <-servedThere); err != nil {
		t.Fatal(err)
	}
	for _, at := range at {
		if came[at] != 0 {
			t.Errorf("the node connected %d times to %s of its own host, want never", came[at], at)
		}
	}
	if cameThere[elsewhere] == 0 {
		t.Errorf("the node did not connect to %s, which is another host's", elsewhere)
	}

	cfg.Name = "b"
	b := node(v, cfg)
	took := within(t, 5*time.Second, "nodes of one host met by beacon", meshed(a, b), a, b)
	t.Logf("nodes of one host met by beacon within %v", took.Round(time.Millisecond))
	a.Stop()
	b.Stop()

	hub := node(x, child.Config{Name: "hub", GossipBind: "tcp://10.78.0.3:9999"})
	byGossip := func(name string) *child.Node {
		return node(v, child.Config{Name: name, GossipConnect: hub.Started.Gossip})
	}
	c, d := byGossip("c"), byGossip("d")
	took = within(t, 5*time.Second, "nodes of one host met by gossip", meshed(c, d, hub), c, d, hub)
	t.Logf("nodes of one host met by gossip within %v", took.Round(time.Millisecond))
	checkTalk(t, c, d, hub)
}
