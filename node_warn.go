package zyre

import (
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/go-zyre/zyre/internal/netif"
	"github.com/go-zyre/zyre/internal/transport"
)

// addressWarnings are what was said of the node's addresses, so that it is said once and
// not again before it has been otherwise.
type addressWarnings struct {
	public   bool
	loopback bool
}

// look says what an operator has to know of where the node can be reached. secure is
// whether keys are checked, elsewhere whether hubs or required peers are on other hosts.
func (w *addressWarnings) look(log *slog.Logger, l *location, secure, elsewhere bool) {
	public := l.fixed == "" && !secure && len(l.links) > 0 &&
		!slices.ContainsFunc(l.links, func(o netif.Link) bool { return !o.IsPublic() })
	if public && !w.public {
		log.Warn("the only address is public: anybody on the internet can connect; "+
			"choose another with SetInterface, or secure the node with SetZCert", "address", l.links[0].Addr)
	}
	w.public = public

	announced := l.announced("")
	ap, err := transport.ParseEndpoint(announced)
	loopback := err == nil && ap.Addr().IsLoopback() && elsewhere
	if loopback && !w.loopback {
		log.Warn("this node announces a loopback address, which only this host can reach; "+
			"set another with SetInterface, SetEndpoint or SetAdvertisedEndpoint", "endpoint", announced)
	}
	w.loopback = loopback
}

// safeLibzmq is the first release of libzmq in which nothing is known that a stranger could
// end the process with, or run code.
var safeLibzmq = [3]int{4, 3, 3}

// warnOfOldLibzmq warns of a libzmq with known weaknesses: it parses what strangers send
// before this package does. A distribution may have mended an older one.
func warnOfOldLibzmq(log *slog.Logger, version [3]int) {
	if slices.Compare(version[:], safeLibzmq[:]) < 0 {
		log.Warn("this libzmq has known weaknesses that a stranger on the network can use; install 4.3.3 or later",
			"version", fmt.Sprintf("%d.%d.%d", version[0], version[1], version[2]))
	}
}

const (
	solitudeTime  = 10 * time.Second // without a peer, until it is looked for a reason
	elsewhereTime = 4 * time.Second  // that beacons are listened for on the default port
)

// solitude is the time in which a node may not have met any other yet.
type solitude struct {
	since  time.Time
	isOver bool // reasons were looked for, or there is no need
}

// look looks once for reasons why a node with beacons has not met any other.
func (s *solitude) look(now time.Time, n *node) {
	switch {
	case n.beacon == nil, s.isOver:
		return
	case s.since.IsZero():
		s.since = now
		return
	case now.Sub(s.since) < solitudeTime:
		return
	}
	s.isOver = true
	if n.zre.enteredChanges > 0 {
		return
	}
	if c := n.beacon.chosen.Load(); c != nil && c.Unsure && len(c.Links) > 0 {
		n.log.Warn("no peer met yet: another interface may be the right one, see SetInterface",
			"interface", c.Links[0].Name, "address", c.Links[0].Addr, "reason", c.Reason, "others", c.Others)
	}
	if n.cfg.port != defaultPort && n.edges.quit != nil {
		n.edges.running.Go(func() { n.edges.lookElsewhere(n.seams.newBeacon, n.cfg.iface, n.cfg.port, n.log) })
	}
}

// interfacesInUse tells where beacons go or, without beacons, where the inbox is bound.
func interfacesInUse(b *Beacon, at *binder, chosen netif.Choice) (in []InterfaceStats) {
	if b != nil {
		if c := b.chosen.Load(); c != nil {
			chosen = *c
		}
	} else if at.isAtAddress() {
		return nil
	}
	for _, l := range chosen.Links {
		in = append(in, InterfaceStats{l.Name, l.Addr.String(), chosen.Reason})
	}
	if len(in) == 0 {
		in = append(in, InterfaceStats{Reason: chosen.Reason})
	}
	return in
}

// lookElsewhere listens for a while whether there are nodes on the default port.
func (e *edges) lookElsewhere(newBeacon func(beaconConfig) *Beacon, iface string, port int, log *slog.Logger) {
	b := newBeacon(beaconConfig{logger: slog.New(slog.DiscardHandler), sightings: true})
	defer b.Close()
	for _, c := range []*Cmd{
		{ID: "INTERFACE", Payload: iface}, {ID: "SUBSCRIBE", Payload: "ZRE"}, {ID: "CONFIGURE", Payload: defaultPort},
	} {
		if b.SetBeaconCmd(c).Err != nil {
			return
		}
	}
	timer := time.NewTimer(elsewhereTime)
	defer timer.Stop()
	select {
	case s, ok := <-b.Signals:
		if ok {
			log.Warn("no peer met yet, but there are nodes on another UDP port, see SetPort",
				"address", s.Addr, "port", port, "other_port", defaultPort)
		}
	case <-timer.C:
	case <-e.quit:
	}
}
