package zyre

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/go-zyre/zyre/internal/netif"
)

// beaconSocket is an open connection of one address family. Its reader is the
// goroutine that runs Beacon.read, and ends when the connection is closed.
type beaconSocket struct {
	beaconConn
	network string
	gone    chan struct{} // closed with the connection
}

func (s *beaconSocket) close() {
	close(s.gone)
	_ = s.Close() // nothing is left to be done about it
}

// tick does what has become due.
func (a *beaconActor) tick(now time.Time) {
	if a.port == 0 {
		return
	}
	if !now.Before(a.nextScan) {
		a.scan(now)
	}
	for _, l := range a.used {
		if a.announces(l) && !now.Before(l.next) {
			a.announce(l, now)
		}
	}
}

// untilNext tells how long nothing will become due.
func (a *beaconActor) untilNext(now time.Time) time.Duration {
	if a.port == 0 {
		return time.Hour
	}
	next := a.nextScan
	for _, l := range a.used {
		if a.announces(l) && l.next.Before(next) {
			next = l.next
		}
	}
	return max(0, next.Sub(now))
}

// scan looks at the interfaces again and follows what has changed.
func (a *beaconActor) scan(now time.Time) {
	chosen, err := a.choose()
	switch {
	case errors.Is(err, ErrNoInterface):
		chosen.Reason = err.Error() // it was there, and may come back
	case err != nil:
		if !a.scanFailed {
			a.logger().Warn("cannot look at the interfaces", "err", err)
		}
		a.scanFailed = true
		a.nextScan = now.Add(beaconScan)
		return
	}
	a.scanFailed = false
	_ = a.use(chosen, now) // logged, and tried again at the next scan
}

func (a *beaconActor) choose() (netif.Choice, error) {
	host, err := a.interfaces()
	if err != nil {
		return netif.Choice{}, err
	}
	looks := [2][]netif.Interface{host}
	if before := a.looks.Load(); before != nil {
		looks[1] = before[0]
	}
	a.looks.Store(&looks)
	chosen, err := netif.Choose(a.want, host, a.currentLinks())
	onLink := netif.IPv6Subnets(host, chosen.Links)
	a.onLink.Store(&onLink)
	return chosen, err
}

// use makes the chosen links those in use: opens and closes sockets, joins and
// leaves groups, and tells those who want to know. The error is that of
// opening a socket.
func (a *beaconActor) use(chosen netif.Choice, now time.Time) error {
	a.nextScan = now.Add(beaconScan)
	before := a.currentLinks()
	changed := !slices.Equal(before, chosen.Links)
	if changed {
		var used []*usedLink
		for _, l := range chosen.Links {
			i := slices.IndexFunc(a.used, func(u *usedLink) bool { return u.Link == l })
			if i >= 0 {
				used = append(used, a.used[i])
			} else {
				used = append(used, &usedLink{Link: l})
			}
		}
		for _, u := range a.used {
			if s := a.socket(u.Link); s != nil && !slices.Contains(chosen.Links, u.Link) {
				s.leave(u.Link)
			}
		}
		a.used = used
		a.links.Store(&chosen.Links)
		a.linksDirty = a.tellLinks
		if a.awaitPublish {
			a.setDatagram(nil)
		}
	}
	if changed || chosen.Reason != a.reason && len(chosen.Links) == 0 {
		a.logChoice(chosen)
	}
	a.reason = chosen.Reason
	a.chosen.Store(&chosen)
	err := a.openSockets()
	a.joinLinks()
	return err
}

// logChoice says which links are used now and why.
func (a *beaconActor) logChoice(chosen netif.Choice) {
	if len(chosen.Links) == 0 {
		a.logger().Warn("no interface for beacons, waiting for one", "reason", chosen.Reason)
		return
	}
	for _, l := range chosen.Links {
		a.logger().Info("beacons use an interface",
			"interface", l.Name, "address", l.Addr, "reason", chosen.Reason)
	}
}

// openSockets opens one socket for each address family that a link needs, and
// closes those that none needs.
func (a *beaconActor) openSockets() error {
	var errs []error
	for _, network := range []string{udp4, udp6} {
		needed := slices.ContainsFunc(a.used, func(u *usedLink) bool { return family(u.Link) == network })
		i := slices.IndexFunc(a.sockets, func(s *beaconSocket) bool { return s.network == network })
		switch {
		case needed && i < 0:
			if err := a.openSocket(network); err != nil {
				a.logger().Warn("cannot open a socket for beacons", "err", err)
				errs = append(errs, err)
			}
		case !needed && i >= 0:
			a.closeSocket(a.sockets[i])
		}
	}
	return errors.Join(errs...)
}

func (a *beaconActor) openSocket(network string) error {
	conn, err := a.listen(network, a.port)
	if err != nil {
		return err
	}
	s := &beaconSocket{beaconConn: conn, network: network, gone: make(chan struct{})}
	a.sockets = append(a.sockets, s)
	a.readers.Go(func() { a.read(s, a.broken) }) // ends by s.close
	return nil
}

// closeSocket closes a socket, unless it was closed already.
func (a *beaconActor) closeSocket(s *beaconSocket) {
	i := slices.Index(a.sockets, s)
	if i < 0 {
		return
	}
	a.sockets = slices.Delete(a.sockets, i, i+1)
	for _, u := range a.used {
		if family(u.Link) == s.network {
			u.joined = false
		}
	}
	s.close()
}

// joinLinks joins the groups of the links. One that fails is tried again at
// the next scan.
func (a *beaconActor) joinLinks() {
	for _, u := range a.used {
		s := a.socket(u.Link)
		if u.joined || s == nil {
			continue
		}
		err := s.join(u.Link)
		u.joined = err == nil
		if err != nil {
			a.logger().Debug("cannot join the group of an interface", "interface", u.Name, "err", err)
		}
	}
}

// family is the address family of the link.
func family(l netif.Link) string {
	if l.Addr.Is4() {
		return udp4
	}
	return udp6
}

// socket is the open socket for a link, or nil.
func (a *beaconActor) socket(l netif.Link) *beaconSocket {
	for _, s := range a.sockets {
		if s.network == family(l) {
			return s
		}
	}
	return nil
}

var errNoSocket = errors.New("zyre: send a beacon: no socket is open")

func (a *beaconActor) send(l netif.Link, datagram []byte) error {
	s := a.socket(l)
	if s == nil {
		return errNoSocket
	}
	return s.send(l, datagram)
}

// announce sends the datagram on a link and says when to do so again: at the
// interval or, after failures, less and less often.
func (a *beaconActor) announce(u *usedLink, now time.Time) {
	u.last, u.sent = now, a.datagram
	err := a.send(u.Link, a.datagram)
	if err == nil {
		a.stats.sent.Add(1)
		a.warnOfSilence(u, now)
		if u.retry.Current() > 0 {
			a.logger().Info("beacons are sent again", "interface", u.Name)
		}
		u.retry.Reset()
		u.next = now.Add(a.interval)
		a.debug("beacon sent", u.Name, len(a.datagram))
		return
	}
	a.stats.sendErrors.Add(1)
	if u.retry.Current() == 0 {
		a.logger().Warn("cannot send beacons, trying again", "interface", u.Name, "err", err)
	}
	u.retry.Min, u.retry.Max = a.interval, beaconMaxBackoff
	u.next = now.Add(u.retry.Next())
}

// warnOfSilence logs once that none of the node's own beacons comes back: what they go to
// comes to this host as well, so others cannot be heard either.
func (a *beaconActor) warnOfSilence(u *usedLink, now time.Time) {
	u.sends++
	switch heard := a.stats.droppedOwn.Load(); {
	case u.sends == 1:
		u.firstAt, u.heardBefore = now, heard
	case u.silenceLogged, heard != u.heardBefore, u.sends < ownBeaconsMissed, now.Sub(u.firstAt) < ownBeaconsTime:
	default:
		u.silenceLogged = true
		a.logger().Warn("own beacons are not heard back, so no others can be heard: something on this host blocks UDP",
			"interface", u.Name, "address", u.Addr, "port", a.port)
	}
}

// sendGoodbye sends a last datagram a few times on each link, then is silent.
func (a *beaconActor) sendGoodbye(datagram []byte) {
	select {
	case <-a.broadcasts: // older than the goodbye
	default:
	}
	if len(datagram) > 0 && len(datagram) <= beaconMaxSize {
		datagram = slices.Clone(datagram)
		a.setDatagram(datagram) // ours, too, when it comes back
		for range beaconGoodbyes {
			for _, u := range a.used {
				if a.send(u.Link, datagram) == nil {
					a.stats.sent.Add(1)
				} else {
					a.stats.sendErrors.Add(1)
				}
			}
		}
	}
	a.setDatagram(nil)
}

func (b *Beacon) logger() *slog.Logger { return b.log.Load() }

// debug logs a datagram that was sent or heard, at no cost if nobody wants it.
func (b *Beacon) debug(what, ifname string, size int) {
	if log := b.logger(); log.Enabled(context.Background(), slog.LevelDebug) {
		log.Debug(what, "interface", ifname, "bytes", size)
	}
}
