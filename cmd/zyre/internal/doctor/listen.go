package doctor

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/ipv4"

	"github.com/go-zyre/zyre/internal/transport"
)

// The versions of beacons, and how long they are.
const (
	versionPlain  = 1
	versionSecure = 3

	sizePlain  = 22
	sizeSecure = sizePlain + 32
)

// maxSightings bounds what is kept: anybody can send beacons.
const maxSightings = 10_000

// sighting is what was heard of one node at one place.
type sighting struct {
	uuid    string
	version byte
	tcpPort uint16
	key     string
	addr    netip.Addr
	ifIndex int
	ifName  string
	udpPort int
	// received says that a socket got it, as that of a node does. Otherwise it was seen
	// on the wire only.
	received bool
	count    int
	last     time.Time
	goodbye  time.Time // when it last said goodbye
}

// isGoodbye reports whether the node has said goodbye, and nothing since.
func (s *sighting) isGoodbye() bool { return s.goodbye.After(s.last) }

// sightings collects what was heard. Any number of goroutines may use it.
type sightings struct {
	mu      sync.Mutex
	all     []*sighting
	strange map[string]int // datagrams of no known version, by where they come from
}

func (l *sightings) list() []sighting {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]sighting, 0, len(l.all))
	for _, s := range l.all {
		list = append(list, *s)
	}
	return list
}

// strangers tells where beacons of no known version came from.
func (l *sightings) strangers() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var from []string
	for s := range l.strange {
		from = append(from, s)
	}
	slices.Sort(from)
	return from
}

// parseBeacon reads a datagram; false if it is no beacon of a known version.
func parseBeacon(b []byte) (s sighting, ok bool) {
	if len(b) < sizePlain || string(b[:3]) != "ZRE" {
		return s, false
	}
	s.uuid = strings.ToUpper(hex.EncodeToString(b[4:20]))
	s.version, s.tcpPort = b[3], binary.BigEndian.Uint16(b[20:])
	switch {
	case s.version == versionPlain && len(b) == sizePlain:
	case s.version == versionSecure && len(b) == sizeSecure:
		s.key = transport.Z85FromRaw([32]byte(b[sizePlain:]))
	default:
		return s, false
	}
	return s, true
}

// add takes note of a datagram.
func (l *sightings) add(datagram []byte, from netip.Addr, ifIndex, udpPort int, received bool) {
	now := time.Now()
	s, ok := parseBeacon(datagram)
	l.mu.Lock()
	defer l.mu.Unlock()
	if !ok {
		if received && len(datagram) >= 4 && string(datagram[:3]) == "ZRE" && len(l.strange) < 100 {
			if l.strange == nil {
				l.strange = map[string]int{}
			}
			l.strange[fmt.Sprintf("%s (version %d, %d bytes)", from, datagram[3], len(datagram))]++
		}
		return
	}
	same := func(o *sighting) bool {
		return o.uuid == s.uuid && o.addr == from && o.ifIndex == ifIndex && o.udpPort == udpPort &&
			o.version == s.version && (o.tcpPort == s.tcpPort || s.tcpPort == 0)
	}
	i := slices.IndexFunc(l.all, same)
	switch {
	case s.tcpPort == 0 && i < 0:
		return // the goodbye of a node that nothing was heard of
	case s.tcpPort == 0:
		for _, o := range l.all { // whatever it was heard as
			if o.uuid == s.uuid {
				o.goodbye = now
			}
		}
		return
	case i < 0 && len(l.all) >= maxSightings:
		return
	case i < 0:
		s.addr, s.ifIndex, s.udpPort = from, ifIndex, udpPort
		if ifi, err := net.InterfaceByIndex(ifIndex); err == nil {
			s.ifName = ifi.Name
		}
		l.all = append(l.all, &s)
		i = len(l.all) - 1
	}
	o := l.all[i]
	// What a socket gets is seen on the wire as well.
	if received || !o.received {
		o.count++
	}
	o.last, o.received = now, o.received || received
}

// listen hears beacons on all interfaces until stop is called.
func (x *examination) listen() (stop func()) {
	var running sync.WaitGroup
	var closers []func()
	conn, err := openUDP(x.Port)
	if err != nil {
		x.judgeUDP(err)
	} else {
		closers = append(closers, func() { _ = conn.Close() })
		running.Go(func() { x.receive(conn) }) // ends by Close
	}
	sniffing, stopSniffing, err := sniff(x.heard.add)
	switch {
	case err == nil:
		closers = append(closers, stopSniffing)
		running.Go(sniffing)
		x.report.fact("wire", "beacons on every UDP port are seen, and those that a firewall of this host drops")
	default:
		x.report.fact("wire", "only what a node would hear is heard (%v); as root also beacons to other UDP ports, and those that a firewall of this host drops", err)
	}
	return func() {
		for _, c := range closers {
			c()
		}
		running.Wait()
	}
}

// openUDP opens the port as a node does, shared with others.
func openUDP(port int) (*ipv4.PacketConn, error) {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error { return shareAddress(c) }}
	pc, err := config.ListenPacket(context.Background(), "udp4", fmt.Sprintf("0.0.0.0:%d", port))
	if err != nil {
		return nil, err
	}
	conn := ipv4.NewPacketConn(pc)
	_ = conn.SetControlMessage(ipv4.FlagInterface, true) // without it the interface stays unknown
	return conn, nil
}

func (x *examination) receive(conn *ipv4.PacketConn) {
	buf := make([]byte, 2048)
	for {
		n, control, from, err := conn.ReadFrom(buf)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			continue
		}
		at, ok := from.(*net.UDPAddr)
		if !ok {
			continue
		}
		index := 0
		if control != nil {
			index = control.IfIndex
		}
		source := at.AddrPort().Addr().Unmap()
		x.heard.add(buf[:n], source, index, x.Port, true)
		if x.onOther != nil {
			x.onOther(buf[:n], source)
		}
	}
}
