package doctor

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestPair_unseal(t *testing.T) {
	one := &pairing{key: []byte("tea"), self: pairMessage{ID: "one"}}
	two := &pairing{key: []byte("tea"), self: pairMessage{ID: "two"}}
	stranger := &pairing{key: []byte("coffee"), self: pairMessage{ID: "three"}}
	sealed := one.seal(one.self)
	if m, ok := two.unseal(sealed); !ok || m.ID != "one" {
		t.Errorf("unseal() = %+v, %t, want the message", m, ok)
	}
	if _, ok := one.unseal(sealed); ok {
		t.Error("unseal() takes a message of its own")
	}
	if _, ok := stranger.unseal(sealed); ok {
		t.Error("unseal() takes a message with another word")
	}
	for i := range sealed {
		changed := append([]byte(nil), sealed...)
		changed[i] ^= 1
		if _, ok := two.unseal(changed); ok {
			t.Errorf("unseal() takes a message with byte %d changed", i)
		}
		if _, ok := two.unseal(sealed[:i]); ok {
			t.Errorf("unseal() takes %d of %d bytes", i, len(sealed))
		}
	}
}

// The first that was heard is the other; nobody else takes its place.
func TestPair_accepts(t *testing.T) {
	p := &pairing{self: pairMessage{ID: "one"}}
	at := netip.MustParseAddr("10.0.0.9")
	for _, c := range []struct {
		id   string
		seq  uint64
		want bool
		seqs uint64 // of what is kept
	}{{"two", 5, true, 5}, {"two", 4, true, 5}, {"three", 9, false, 5}, {"two", 6, true, 6}} {
		if got := p.accepts(pairMessage{ID: c.id, Seq: c.seq}, at); got != c.want || p.other.Seq != c.seqs {
			t.Errorf("accepts(%s, %d) = %t and %d is kept, want %t and %d", c.id, c.seq, got, p.other.Seq, c.want, c.seqs)
		}
	}
}

// newPairing is a side of a pair that has heard of nobody.
func newPairing(t *testing.T, c Config, id string) *pairing {
	t.Helper()
	x := newExamination(t, c)
	return &pairing{x: x, key: []byte("tea"), self: pairMessage{ID: id, Host: id, UUID: x.ownUUID(), UDPPort: x.Port, Secure: x.PublicKey != ""}}
}

// On a connection each side hears of the other, and of the word.
func TestPair_talk(t *testing.T) {
	for word, want := range map[string]string{"tea": "two one", "coffee": " "} {
		one, two := newPairing(t, Config{}, "one"), newPairing(t, Config{}, "two")
		two.key = []byte(word)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		two.tcp = l
		two.running.Go(two.accept)
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		one.talk(conn, true)
		two.close()
		if got := one.other.ID + " " + two.other.ID; got != want {
			t.Errorf("with the words tea and %s they have heard of %q, want %q", word, got, want)
		}
		if want == " " {
			continue
		}
		if one.address.String() != "127.0.0.1" || two.address.String() != "127.0.0.1" {
			t.Errorf("they are at %v and %v, want 127.0.0.1", one.address, two.address)
		}
		if m := one.message(); m.About != "two" || m.Seq <= 1 || m.Broadcast || m.UDP || m.Entered {
			t.Errorf("message() = %+v, want one about two, of whom nothing has come yet but this", m)
		}
		one.take(two.seal(two.message()), one.address, true)
		if m := one.message(); !m.Broadcast || m.UDP {
			t.Errorf("message() = %+v, want that a broadcast has come", m)
		}
		one.take(two.seal(two.message()), one.address, false)
		if m := one.message(); !m.Broadcast || !m.UDP {
			t.Errorf("message() = %+v, want that a broadcast and another datagram have come", m)
		}
	}
}

// What two doctors have told each other shows what does not pass, and in which direction.
func TestExamination_judgePair(t *testing.T) {
	well := pairMessage{
		ID: "two", Host: "bob", About: "one", UDPPort: 5670, Endpoint: "tcp://10.0.0.9:5",
		Broadcast: true, UDP: true, TCP: tcpOpen, Entered: true,
	}
	for _, c := range []struct {
		name   string
		config Config
		change func(o *pairMessage, p *pairing) // of two sides between which all passes
		tcp    string                           // what became of the connection to the other's node
		want   string
		says   []string
		ways   string // broadcasts, UDP, TCP and HELLO, there and back
	}{
		{"all passes", Config{Beaconing: true}, func(*pairMessage, *pairing) {}, tcpOpen, "", nil, "yes yes, yes yes, yes yes, yes yes"},
		{"nobody", Config{PairWait: 7 * time.Second}, func(o *pairMessage, _ *pairing) { *o = pairMessage{} }, tcpOpen,
			"pair-absent", []string{"was heard within 7s", "port 5669"}, "? ?, ? ?, ? ?, ? ?"},
		{"it has not heard of this one", Config{Beaconing: true}, func(o *pairMessage, _ *pairing) { o.About = "" }, tcpOpen, "", nil, "? yes, ? yes, yes ?, ? yes"},
		{"broadcasts do not pass", Config{Beaconing: true}, func(o *pairMessage, _ *pairing) { o.Broadcast = false }, tcpOpen,
			"pair-broadcast", []string{"do not pass from this host to bob (10.0.0.9)"}, "no yes, yes yes, yes yes, yes yes"},
		{"nor back", Config{Beaconing: true}, func(_ *pairMessage, p *pairing) { p.broadcast = false }, tcpOpen,
			"pair-broadcast", []string{"do not pass from bob (10.0.0.9) to this host"}, "yes no, yes yes, yes yes, yes yes"},
		{"no UDP passes", Config{Beaconing: true}, func(o *pairMessage, p *pairing) {
			o.Broadcast, o.UDP, p.broadcast, p.unicast = false, false, false, false
		}, tcpOpen, "pair-udp pair-udp", []string{"UDP does not pass from this host to bob", "UDP does not pass from bob (10.0.0.9) to this host"}, "no no, no no, yes yes, yes yes"},
		{"the same, without beacons", Config{}, func(o *pairMessage, p *pairing) {
			o.Broadcast, o.UDP, p.broadcast, p.unicast = false, false, false, false
		}, tcpOpen, "", nil, "no no, no no, yes yes, yes yes"},
		{"another port", Config{Beaconing: true}, func(o *pairMessage, _ *pairing) { o.UDPPort, o.Broadcast = 5671, false }, tcpOpen,
			"other-port", []string{"bob (10.0.0.9) uses UDP port 5671 for its beacons, and this host 5670"}, "no yes, yes yes, yes yes, yes yes"},
		{"TCP does not pass", Config{Beaconing: true}, func(*pairMessage, *pairing) {}, tcpSilent,
			"pair-tcp", []string{"TCP does not pass from this host to bob"}, "yes yes, yes yes, no yes, yes yes"},
		{"nor back", Config{Beaconing: true}, func(o *pairMessage, _ *pairing) { o.TCP = tcpRefused }, tcpOpen,
			"pair-tcp", []string{"TCP does not pass from bob (10.0.0.9) to this host"}, "yes yes, yes yes, yes no, yes yes"},
		{"TCP was not tried", Config{Beaconing: true}, func(o *pairMessage, _ *pairing) { o.TCP = "" }, "", "", nil, "yes yes, yes yes, ? ?, yes yes"},
		{"one is secure", Config{Beaconing: true, PublicKey: "key"}, func(o *pairMessage, p *pairing) { o.Entered, p.entered = false, false }, tcpOpen,
			"plain-secure", []string{"is secure (CURVE), and the other is plain"}, "yes yes, yes yes, yes yes, no no"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.config.PairPort = DefaultPairPort
			p := newPairing(t, c.config, "one")
			p.other, p.address = well, netip.MustParseAddr("10.0.0.9")
			p.broadcast, p.unicast, p.entered = true, true, true
			c.change(&p.other, p)
			if c.tcp != "" {
				p.x.probes.results[netip.MustParseAddrPort("10.0.0.9:5")] = &probe{state: c.tcp}
			}
			p.x.judgePair(p)
			p.x.checkFaults(t, c.want, c.says...)
			r := p.x.report.Pair
			word := func(b *bool) string {
				if b == nil {
					return "?"
				}
				return map[bool]string{true: "yes", false: "no"}[*b]
			}
			var ways []string
			for _, d := range []Direction{r.Broadcast, r.UDP, r.TCP, r.Hello} {
				ways = append(ways, word(d.There)+" "+word(d.Back))
			}
			if got := strings.Join(ways, ", "); got != c.ways {
				t.Errorf("broadcasts, UDP, TCP, HELLO there and back = %s, want %s", got, c.ways)
			}
			if want := p.other.ID != ""; r.Found != want || want && (r.Host != "bob" || r.Address != "10.0.0.9") {
				t.Errorf("report %+v, want bob at 10.0.0.9 found %t", r, want)
			}
		})
	}
	x := newExamination(t, Config{})
	if x.judgePair(nil); x.report.Pair != nil {
		t.Errorf("report without a word: %+v, want none", x.report.Pair)
	}
}
