package hosts

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

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
	Named  []string // endpoints, each in a HELLO
	Limit  time.Duration
	Beacon struct { // forged, with the address of another host
		From, To string // addresses with ports
		Port     uint16
	}
}

// run says them, and waits for as long as they may have an effect.
func (n *namings) run() (struct{}, error) {
	none := struct{}{}
	var last zmtp.Raw
	for i, named := range n.Named {
		identity := [17]byte{1, 0xfd, 16: byte(i)}
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
	if n.Beacon.Port != 0 {
		if err := n.sendBeacon(); err != nil {
			return none, err
		}
	}
	last.Ended(n.Limit)
	return none, nil
}

// sendBeacon sends a beacon with another address than the host's own.
func (n *namings) sendBeacon() error {
	from, err1 := netip.ParseAddrPort(n.Beacon.From)
	to, err2 := netip.ParseAddrPort(n.Beacon.To)
	fd, err3 := unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_RAW)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	defer unix.Close(fd)
	beacon := append([]byte("ZRE\x01"), make([]byte, 18)...)
	beacon[4] = 0xfe
	binary.BigEndian.PutUint16(beacon[20:], n.Beacon.Port)
	packet := make([]byte, 28, 64) // IPv4, which the kernel completes, and UDP without a checksum
	packet[0], packet[8], packet[9] = 0x45, 64, unix.IPPROTO_UDP
	copy(packet[12:], from.Addr().AsSlice())
	copy(packet[16:], to.Addr().AsSlice())
	binary.BigEndian.PutUint16(packet[20:], from.Port())
	binary.BigEndian.PutUint16(packet[22:], to.Port())
	binary.BigEndian.PutUint16(packet[24:], uint16(8+len(beacon)))
	err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BROADCAST, 1)
	return errors.Join(err, unix.Sendto(fd, append(packet, beacon...), 0, &unix.SockaddrInet4{Addr: to.Addr().As4()}))
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
	told.Beacon.From, told.Beacon.To, told.Beacon.Port = "10.78.0.11:5670", "10.78.0.255:5670", 7000
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
