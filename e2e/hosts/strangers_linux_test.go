package hosts

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/netns"
	"github.com/go-zyre/zyre/e2e/watch"
	"github.com/go-zyre/zyre/internal/foreign/zmtp"
)

// nameServer tells the addresses of host names, by what they begin with: "own" and "here" are
// on the host of a node, "none" does not exist, to "slow" there is no answer, and "app" does not
// exist until a few of the others have been asked for.
type nameServer struct {
	At    string
	Limit time.Duration // how long it answers; up to a minute longer if it has not told of "app" by then
}

// run returns how many names of each kind were asked for.
func (n *nameServer) run() (asked map[string]int, err error) {
	c, err := net.ListenPacket("udp4", n.At)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	asked = map[string]int{}
	addrs := map[string]string{"own": "127.0.0.1", "here": "10.78.0.1", "app": "10.78.0.2"}
	buffer := make([]byte, 512)
	end, told := time.Now().Add(n.Limit), false
	for late := false; !told || !late; {
		if err := c.SetReadDeadline(end); err != nil {
			return nil, err
		}
		size, from, err := c.ReadFrom(buffer)
		if errors.Is(err, os.ErrDeadlineExceeded) && !told && !late {
			late, end = true, end.Add(time.Minute)
			continue
		} else if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		} else if err != nil {
			return nil, err
		}
		var m dnsmessage.Message
		if m.Unpack(buffer[:size]) != nil || len(m.Questions) != 1 {
			continue
		}
		q := m.Questions[0]
		kind := strings.TrimRight(q.Name.String()[:strings.IndexByte(q.Name.String(), '.')], "0123456789")
		if q.Type == dnsmessage.TypeA {
			asked[kind]++
		}
		answer := dnsmessage.Message{Header: dnsmessage.Header{ID: m.ID, Response: true}, Questions: m.Questions}
		switch {
		case kind == "slow":
			continue
		case addrs[kind] == "" || kind == "app" && asked["none"]+asked["slow"] < 4:
			answer.RCode = dnsmessage.RCodeNameError
		case q.Type == dnsmessage.TypeA:
			told = told || kind == "app"
			answer.Answers = []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1},
				Body:   &dnsmessage.AResource{A: netip.MustParseAddr(addrs[kind]).As4()},
			}}
		}
		if packed, err := answer.Pack(); err == nil {
			_, _ = c.WriteTo(packed, from)
		}
	}
	return asked, nil
}

// However many host names a stranger has a node look up, by HELLO or by gossip, and however slow
// they are: the node asks for few of them, finds those of its application, and connects to no
// service of its own host.
func TestNet_strangersNames(t *testing.T) {
	const (
		listen = 8 * time.Second // the application's name is looked up after 0, 1, 3 and 7 s
		limit  = 5 * time.Second
		names  = 200
		burst  = 4 + 32 // look-ups at once
		rate   = 1 + 10 // and a second
	)
	for name, c := range map[string]struct {
		kind   string
		gossip bool
	}{
		"that do not exist, in HELLOs": {"none", false},
		"slow ones, in HELLOs":         {"slow", false},
		"that do not exist, by gossip": {"none", true},
		"slow ones, by gossip":         {"slow", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := netns.NewLAN(t, "a", "b", "c", "x")
			asksNames(t, h[0], "10.78.0.4")
			var asked, came map[string]int
			server, services, x := h[3].Start("names"), h[0].Start("services"), h[3].Start("stranger")
			done := make(chan error, 2)
			begun := time.Now()
			go func() { done <- server.Try("names", "", nameServer{"10.78.0.4:53", listen}, &asked) }()
			at := service{At: []string{"127.0.0.1:6379"}, Limit: listen}
			if !c.gossip { // a tuple may name what is at the node's own address
				at.At = append(at.At, "10.78.0.1:6379")
			}
			go func() { done <- services.Try("service", "", at, &came) }()
			cfg, others := lifelike(child.Config{Required: []child.Required{{Endpoint: "tcp://app.test:7000"}}}), lifelike(child.Config{})
			if c.gossip {
				cfg.GossipBind, others.GossipConnect = "tcp://10.78.0.1:9999", "tcp://10.78.0.1:9999"
			}
			a, peer := node(h[0], cfg), node(h[2], others)
			within(t, 5*time.Second, "meshed", meshed(a, peer), a, peer)
			app := node(h[1], child.Config{Port: 5671, Endpoint: "tcp://10.78.0.2:7000"})
			start := time.Now()
			told := namings{Node: a.Started.Endpoint, Hub: a.Started.Gossip, Limit: limit}
			told.Named = []string{"tcp://localhost:6379", "tcp://own1.test:6379", "tcp://own2.test:6379"}
			if !c.gossip {
				told.Named = append(told.Named, "tcp://here1.test:6379")
			}
			for i := range names {
				told.Named = append(told.Named, fmt.Sprintf("tcp://%s%d.test:7000", c.kind, i))
			}
			cost := costOf(t, a, mostMemory, func() error {
				err := x.Try("name", "", told, &struct{}{})
				return errors.Join(err, <-done, <-done)
			})
			within(t, reasonTime, "the application's name found", meshed(a, app), a, app)
			most := burst + rate*int(time.Since(begun)/time.Second+1)
			t.Logf("asked for %v; refused %d; connections to its host %v; %v", asked, a.Stats().Dropped.LookupsRefused, came, cost)
			if got := asked[c.kind]; got == 0 || got > most {
				t.Errorf("%d names of strangers asked for, want 1 to %d", got, most)
			}
			if asked["own"] == 0 {
				t.Error("no name of this host asked for, want some")
			}
			for at, n := range came {
				if n > 0 {
					t.Errorf("%d connections to %s of the node's host, want none", n, at)
				}
			}
			checkTalk(t, a, peer)
			checkPairs(t, start, 0, a, peer)
		})
	}
}

// gossipHello begins the protocol of gossip.
var gossipHello = []byte{0xaa, 0xa0, 1, 1}

// gossipTuple publishes a value under a key.
func gossipTuple(key, value string) []byte {
	b := append([]byte{0xaa, 0xa0, 2, 1, byte(len(key))}, key...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(value)))
	return append(append(b, value...), 0, 0, 0, 0)
}

// stay is what strangers keep open until their process ends. Go would close it when nothing
// refers to it any more.
var stay kept

type kept struct {
	mu   sync.Mutex
	open []any
}

func (k *kept) add(what any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.open = append(k.open, what)
}

// crowd is clients of a hub, all on one host.
type crowd struct {
	Hub           string
	Clients, Each int    // tuples that each brings
	Host          string // where these say that nodes are
}

// run returns how many clients there are. They stay.
func (c *crowd) run() (clients int, err error) {
	came, next := make(chan zmtp.Raw, c.Clients), make(chan int, c.Clients)
	for i := range c.Clients {
		next <- i
	}
	close(next)
	const atOnce = 16
	for range atOnce {
		go func() {
			for i := range next {
				said := zmtp.AppendFrame(nil, gossipHello, false)
				for j := range c.Each {
					tuple := gossipTuple(fmt.Sprintf("%016X%016X", i, j), fmt.Sprint("tcp://", c.Host, ":", 1+j))
					said = zmtp.AppendFrame(said, tuple, false)
				}
				r, err := zmtp.Dial(c.Hub, fmt.Appendf(nil, "stranger %d", i))
				if err == nil {
					_ = r.SetDeadline(time.Now().Add(watch.Patience))
					_, _ = r.Write(said) // the hub may have ended it
				}
				came <- r
			}
		}()
	}
	var all []zmtp.Raw
	for range c.Clients {
		if r := <-came; r.Conn != nil {
			all = append(all, r)
		}
	}
	stay.add(all)
	return len(all), nil
}

// A host that fills a hub, with tuples or with clients, keeps no others from meeting there.
func TestNet_strangersHub(t *testing.T) {
	const files = 10_000
	const mostTime = 5 * time.Second
	for name, c := range map[string]crowd{
		"tuples":  {Clients: 2, Each: 10_000, Host: "0.0.0.0"}, // nobody connects there
		"nodes":   {Clients: 2, Each: 600, Host: "10.78.0.4"},
		"clients": {Clients: 4_200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := netns.NewLAN(t, "hub", "a", "b", "x")
			p := h[0].Start("node hub")
			p.LimitFiles(files)
			// With short timeouts nodes would be busy with trying the same strangers again.
			hub := p.Node(configure(lifelike(child.Config{GossipBind: "tcp://10.78.0.1:9999"}), "hub"))
			hub.Start()
			cfg := lifelike(child.Config{GossipConnect: hub.Started.Gossip})
			before := node(h[1], lifelike(child.Config{Name: "before", GossipConnect: hub.Started.Gossip}))
			within(t, 5*time.Second, "meshed", meshed(hub, before), hub, before)
			x := h[3].Start("stranger")
			x.LimitFiles(files)
			start, clients := time.Now(), 0
			c.Hub = hub.Started.Gossip
			cost := costOf(t, hub, mostMemory, func() error {
				done := make(chan error, 1)
				go func() { done <- x.Try("crowd", "", c, &clients) }()
				all := c.Clients * max(c.Each, 1)
				watch.Reaches(t, "the hub is full", all, func() int {
					switch s := hub.Stats().Gossip; {
					case s.Refused > 0:
						return all
					case c.Each > 0:
						return s.Tuples
					default:
						return s.Clients
					}
				})
				a, b := node(h[1], cfg), node(h[2], cfg)
				waited := waited(hub, a, b)
				took := within(t, 30*time.Second, "met", meshed(a, b, hub, before), a, b, hub, before) - waited()
				if took > mostTime {
					t.Errorf("met after %v, want at most %v", took, mostTime)
				}
				t.Logf("clients, tuples: %+v", hub.Stats().Gossip)
				checkTalk(t, a, b, hub, before)
				return <-done
			})
			t.Logf("%d clients; %v", clients, cost)
			checkPairs(t, start, 0, hub, before)
		})
	}
}
