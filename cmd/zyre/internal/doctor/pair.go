package doctor

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/net/ipv4"
)

// Two doctors with one word find each other by broadcasts and, where the other host is
// known, by UDP and TCP to a port of their own. Each tells the other, by all ways again
// and again, what has reached it; so both know which way works in which direction. What
// they say carries a MAC, whose key is the word, and nothing else is believed.

// DefaultPairPort is the port, of UDP and TCP, on which doctors talk beside the beacons.
const DefaultPairPort = 5669

const (
	pairMagic    = "ZDOC1"
	pairInterval = 200 * time.Millisecond
	pairTime     = 5 * time.Second // of talking, once the other was heard
	maxPairSize  = 1400            // bytes, with the MAC
)

// Direction says what reaches the other end: nil is not known.
type Direction struct {
	There *bool `json:"there"` // from this host to the other
	Back  *bool `json:"back"`  // from the other to this one
}

// Pair is what two doctors have found out.
type Pair struct {
	Found     bool      `json:"found"`
	Host      string    `json:"host,omitempty"` // what the other calls itself
	Address   string    `json:"address,omitempty"`
	Broadcast Direction `json:"broadcast"` // of beacons
	UDP       Direction `json:"udp"`       // to one host
	TCP       Direction `json:"tcp"`       // to the node's port
	Hello     Direction `json:"hello"`     // whether the node there has said HELLO to the one here
}

// pairMessage is what one doctor tells the other.
type pairMessage struct {
	ID       string `json:"id"` // of this run
	Seq      uint64 `json:"seq"`
	Host     string `json:"host"`
	UUID     string `json:"uuid"` // of its node
	Endpoint string `json:"endpoint"`
	UDPPort  int    `json:"udp_port"`
	Secure   bool   `json:"secure"`

	// What it knows of the one that it speaks to.
	About     string `json:"about,omitempty"` // the ID of that
	Broadcast bool   `json:"broadcast"`       // has come
	UDP       bool   `json:"udp"`             // has come
	TCP       string `json:"tcp,omitempty"`   // what became of a connection to its node
	Entered   bool   `json:"entered"`         // its node has said HELLO
	Done      bool   `json:"done"`            // it has seen enough
}

// pairing is one side.
type pairing struct {
	x    *examination
	key  []byte
	self pairMessage
	udp  *ipv4.PacketConn // on the pair port; nil if it is taken
	tcp  net.Listener     // likewise

	running sync.WaitGroup

	mu        sync.Mutex
	other     pairMessage // the latest; ID is "" as long as nothing came
	address   netip.Addr  // of the other
	since     time.Time   // when it was first heard
	broadcast bool        // its broadcasts come
	unicast   bool        // its datagrams to this host come
	entered   bool        // its node has said HELLO
	done      bool        // this side has seen enough
}

// openPair begins to look for the other. It returns nil if there is no word.
func (x *examination) openPair() *pairing {
	if x.Word == "" {
		return nil
	}
	host, err := os.Hostname()
	if err != nil {
		host = "another host"
	}
	key := sha256.Sum256([]byte("zyre doctor " + x.Word))
	p := &pairing{x: x, key: key[:], self: pairMessage{
		ID: rand.Text(), Host: host, UUID: x.ownUUID(), UDPPort: x.Port, Secure: x.PublicKey != "",
	}}
	if len(p.self.Host) > 64 {
		p.self.Host = p.self.Host[:64]
	}
	if p.udp, err = openUDP(x.PairPort); err == nil {
		p.running.Go(p.receive) // ends by close
	}
	if p.tcp, err = net.Listen("tcp", fmt.Sprintf(":%d", x.PairPort)); err == nil {
		p.running.Go(p.accept) // ends by close
	}
	x.onOther = func(datagram []byte, from netip.Addr) { p.take(datagram, from, true) }
	return p
}

func (p *pairing) close() {
	if p == nil {
		return
	}
	if p.udp != nil {
		_ = p.udp.Close()
	}
	if p.tcp != nil {
		_ = p.tcp.Close()
	}
	p.running.Wait()
}

// isDone reports whether both have talked long enough.
func (p *pairing) isDone() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.other.ID != "" && time.Since(p.since) > pairTime
}

// seal puts a MAC before a message.
func (p *pairing) seal(m pairMessage) []byte {
	text, _ := json.Marshal(m) // it has nothing that cannot be encoded
	mac := hmac.New(sha256.New, p.key)
	_, _ = mac.Write(text) // it never fails
	return append(mac.Sum([]byte(pairMagic)), text...)
}

// unseal returns the message in a datagram; false if it is not that of the other.
func (p *pairing) unseal(b []byte) (m pairMessage, ok bool) {
	rest, ok := bytes.CutPrefix(b, []byte(pairMagic))
	if !ok || len(rest) < sha256.Size {
		return m, false
	}
	mac := hmac.New(sha256.New, p.key)
	_, _ = mac.Write(rest[sha256.Size:])
	if !hmac.Equal(mac.Sum(nil), rest[:sha256.Size]) || json.Unmarshal(rest[sha256.Size:], &m) != nil {
		return m, false
	}
	return m, m.ID != "" && m.ID != p.self.ID
}

// take takes note of a datagram.
func (p *pairing) take(datagram []byte, from netip.Addr, isBroadcast bool) {
	m, ok := p.unseal(datagram)
	if !ok {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.accepts(m, from) {
		return
	}
	if isBroadcast {
		p.broadcast = true
	} else {
		p.unicast = true
	}
}

// accepts keeps a message, and reports whether it is that of the other: the first that was
// heard. The caller holds mu.
func (p *pairing) accepts(m pairMessage, from netip.Addr) bool {
	if p.other.ID != "" && p.other.ID != m.ID {
		return false
	}
	if p.other.ID == "" {
		p.since, p.address = time.Now(), from
	}
	if m.Seq >= p.other.Seq {
		p.other = m
	}
	return true
}

// receive takes what comes to the pair port. Datagrams to a broadcast address show only
// that there is another; beacons go to the other port.
func (p *pairing) receive() {
	_ = p.udp.SetControlMessage(ipv4.FlagDst, true) // without it all count as broadcasts
	buf := make([]byte, 2*maxPairSize)
	for {
		n, control, from, err := p.udp.ReadFrom(buf)
		if err != nil {
			return
		}
		at, ok := from.(*net.UDPAddr)
		if !ok {
			continue
		}
		source := at.AddrPort().Addr().Unmap()
		toThisHost := false
		if control != nil {
			dst, ok := netip.AddrFromSlice(control.Dst)
			toThisHost = ok && p.x.isLocalAddr(dst.Unmap())
		}
		if toThisHost {
			p.take(buf[:n], source, false)
			continue
		}
		if m, ok := p.unseal(buf[:n]); ok {
			p.mu.Lock()
			p.accepts(m, source)
			p.mu.Unlock()
		}
	}
}

// accept answers whoever connects with the right word.
func (p *pairing) accept() {
	for {
		conn, err := p.tcp.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { p.talk(conn, false) }) // ends within connectTime
	}
}

// talk exchanges a message on a connection. Who has connected speaks first.
func (p *pairing) talk(conn net.Conn, first bool) {
	defer conn.Close()
	if conn.SetDeadline(time.Now().Add(connectTime)) != nil {
		return
	}
	if first && p.write(conn) != nil {
		return
	}
	buf := make([]byte, maxPairSize)
	size := make([]byte, 2)
	if _, err := io.ReadFull(conn, size); err != nil {
		return
	}
	n := int(size[0])<<8 | int(size[1])
	if n > len(buf) {
		return
	}
	if _, err := io.ReadFull(conn, buf[:n]); err != nil {
		return
	}
	m, ok := p.unseal(buf[:n])
	at, isTCP := conn.RemoteAddr().(*net.TCPAddr)
	if !ok || !isTCP {
		return
	}
	p.mu.Lock()
	p.accepts(m, at.AddrPort().Addr().Unmap())
	p.mu.Unlock()
	if !first {
		_ = p.write(conn) // the other tries again
	}
}

func (p *pairing) write(conn net.Conn) error {
	sealed := p.seal(p.message())
	_, err := conn.Write(append([]byte{byte(len(sealed) >> 8), byte(len(sealed))}, sealed...))
	return err
}

// message says what this side knows at present.
func (p *pairing) message() pairMessage {
	endpoint := p.x.Node.Endpoint()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.self.Seq++
	m := p.self
	m.Endpoint = endpoint
	if p.other.ID == "" {
		return m
	}
	m.About, m.Broadcast, m.UDP = p.other.ID, p.broadcast, p.unicast
	if at, ok := tcpAddr(p.other.Endpoint); ok {
		if r, ok := p.x.probes.result(at); ok {
			m.TCP = r.state
		}
	}
	_, entered := p.x.Node.Peer(p.other.UUID)
	p.entered = p.entered || entered
	m.Entered, m.Done = p.entered, p.done
	return m
}

// speak sends a message by all ways, and connects to the other's node.
func (p *pairing) speak() {
	p.mu.Lock()
	address, endpoint := p.address, p.other.Endpoint
	p.mu.Unlock()
	if at, ok := tcpAddr(endpoint); ok {
		p.x.probes.start(at)
	}
	sealed := p.seal(p.message())
	hosts := p.x.Against
	if address.IsValid() {
		hosts = append([]netip.Addr{address}, hosts...)
	}
	for _, host := range hosts {
		if p.udp != nil {
			_, _ = p.udp.WriteTo(sealed, nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(host, uint16(p.x.PairPort)))) // what is lost is the finding
		}
		p.running.Go(func() { // ends within connectTime
			conn, err := net.DialTimeout("tcp", netip.AddrPortFrom(host, uint16(p.x.PairPort)).String(), connectTime)
			if err == nil {
				p.talk(conn, true)
			}
		})
	}
	if p.udp == nil {
		return
	}
	for _, l := range p.x.links {
		if !l.Broadcast.IsValid() {
			continue
		}
		from := &ipv4.ControlMessage{IfIndex: l.Index, Src: l.Addr.AsSlice()}
		for _, port := range []int{p.x.Port, p.x.PairPort} {
			to := net.UDPAddrFromAddrPort(netip.AddrPortFrom(l.Broadcast, uint16(port)))
			_, _ = p.udp.WriteTo(sealed, from, to) // what is lost is the finding
		}
	}
}

// run talks until ctx ends. It closes enough once both have talked long enough, or nobody
// was there for the time to wait.
func (p *pairing) run(ctx context.Context, enough chan<- struct{}) {
	ticker := time.NewTicker(pairInterval)
	defer ticker.Stop()
	for begin := time.Now(); ; {
		p.speak()
		p.mu.Lock()
		found := p.other.ID != ""
		p.mu.Unlock()
		if enough != nil && (p.isDone() || !found && time.Since(begin) > p.x.PairWait) {
			close(enough)
			enough = nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			if enough != nil {
				close(enough)
			}
			return
		}
	}
}

// finish says that this side has seen enough, and keeps its node for as long as the other
// looks at it.
func (p *pairing) finish(ctx context.Context) {
	const patience = 4 * time.Second
	if p == nil {
		return
	}
	p.mu.Lock()
	p.done = true
	p.mu.Unlock()
	ticker := time.NewTicker(pairInterval)
	defer ticker.Stop()
	for begin := time.Now(); time.Since(begin) < patience; {
		p.mu.Lock()
		over := p.other.ID == "" || p.other.Done
		p.mu.Unlock()
		if over {
			p.speak() // so that the other knows as well
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func yes(b bool) *bool { return &b }

// judgePair says what was found out together.
func (x *examination) judgePair(p *pairing) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r := &Pair{}
	x.report.Pair = r
	if p.other.ID == "" {
		x.report.fault("pair-absent", fmt.Sprintf("no other doctor with that word was heard within %v", x.PairWait),
			fmt.Sprintf("run zyre doctor with the same --pair word on the other host at the same time, on both with --against and the other host; if that was so, neither UDP nor TCP passes between them at port %d", x.PairPort))
		return
	}
	o := p.other
	knows := o.About == p.self.ID
	r.Found, r.Host, r.Address = true, o.Host, p.address.String()
	r.Broadcast.Back, r.UDP.Back = yes(p.broadcast), yes(p.unicast)
	if at, ok := tcpAddr(o.Endpoint); ok {
		if probe, ok := x.probes.result(at); ok {
			r.TCP.There = yes(probe.state == tcpOpen)
		}
	}
	r.Hello.Back = yes(p.entered)
	if knows {
		r.Broadcast.There, r.UDP.There, r.Hello.There = yes(o.Broadcast), yes(o.UDP), yes(o.Entered)
		if o.TCP != "" {
			r.TCP.Back = yes(o.TCP == tcpOpen)
		}
	}
	x.judgeDirections(r, o)
}

func isNo(b *bool) bool { return b != nil && !*b }

// judgeDirections says what does not pass, in which direction.
func (x *examination) judgeDirections(r *Pair, o pairMessage) {
	there, here := r.Host+" ("+r.Address+")", "this host"
	if o.UDPPort != x.Port {
		x.report.fault("other-port", fmt.Sprintf("%s uses UDP port %d for its beacons, and this host %d: they do not hear each other", there, o.UDPPort, x.Port),
			"use the same port on both: SetPort, zyre_set_port or --port")
	} else {
		x.judgeWay(r.Broadcast.There, r.UDP.There, here, there)
		x.judgeWay(r.Broadcast.Back, r.UDP.Back, there, here)
	}
	if o.Secure != (x.PublicKey != "") {
		x.report.fault("plain-secure", fmt.Sprintf("one of %s and %s is secure (CURVE), and the other is plain: they never talk", there, here),
			"give both a certificate (zyre cert new, SetZCert, zyre_set_zcert, --cert), or none")
	}
	const do = "let the node's TCP port in there: SetBeaconPeerPort, zyre_set_beacon_peer_port or --peer-port fixes it, and the firewall must let it pass (ufw allow PORT/tcp)"
	if isNo(r.TCP.There) {
		x.report.fault("pair-tcp", fmt.Sprintf("TCP does not pass from %s to %s", here, there), do)
	}
	if isNo(r.TCP.Back) {
		x.report.fault("pair-tcp", fmt.Sprintf("TCP does not pass from %s to %s", there, here), do)
	}
}

// judgeWay says why beacons do not pass in one direction.
func (x *examination) judgeWay(broadcast, unicast *bool, from, to string) {
	switch {
	case !isNo(broadcast) || !x.Beaconing:
	case isNo(unicast):
		x.report.fault("pair-udp", fmt.Sprintf("UDP does not pass from %s to %s", from, to),
			fmt.Sprintf("let UDP port %d pass in the firewalls of both (ufw allow %d/udp)", x.Port, x.Port))
	default:
		x.report.fault("pair-broadcast", fmt.Sprintf("broadcasts do not pass from %s to %s, though other UDP does", from, to),
			fmt.Sprintf("let UDP port %d in at the firewall there. If it is open, the network between eats broadcasts (guest and mesh wifi, hotspots, virtual machines behind NAT, routers): use a gossip hub (zyre hub)", x.Port))
	}
}
