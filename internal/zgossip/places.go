package zgossip

import "time"

// A table has a number of places. Who has taken most of them gives way to who has less.

// hasShare reports whether the host of a client has brought as many tuples as it may. A hub may
// bring all that it has: what gives way to others there has to be known here to be replaced.
func (tb *table) hasShare(l *link) bool { return !l.hub && l.ownedByHost() >= tb.max/2 }

// hasTooMany reports whether the host of a client has brought as many tuples as it may, and t
// is not one of them.
func (tb *table) hasTooMany(t *tuple, l *link) bool {
	return tb.hasShare(l) && (t.owner == nil || !t.owner.isAtHostOf(l))
}

// hasRoom reports whether one more tuple of l would be taken in: there is a free place, or
// somebody who has more than l gives way.
func (tb *table) hasRoom(l *link) bool {
	return !tb.hasShare(l) && (tb.live < tb.max || tb.greedier(l) != nil)
}

// greedier returns the host, or the hub, that owns most tuples. It is nil if that is the one of l,
// or has hardly more.
func (tb *table) greedier(l *link) *host {
	greediest := tb.owners.greediest()
	if greediest == nil || greediest.owned <= l.ownedByHost()+1 {
		return nil
	}
	return greediest
}

// makeRoom has a tuple of the host, or the hub, that owns most give way to one of l, and reports
// whether it did.
//
// The latest tuple of a host is taken back everywhere; if its client lives it publishes it again,
// and is refused. A tuple of a hub is not kept here: our clients are told, who would have no place
// for what comes instead, but no hub. See refillIfDue. It is the one in the middle: who filled the
// hub is there, after those who came before and before those who come later. For the later ones
// the hub takes back the latest, which has to be known here to make room here as well.
func (tb *table) makeRoom(l *link, now time.Time) bool {
	greediest := tb.greedier(l)
	if greediest == nil {
		return false
	}
	if o := greediest.latest.owner; !o.hub {
		tb.end(greediest.latest, nil, now)
	} else {
		o.gaveWay = true
		o.miss(now)
		tb.end(greediest.middle, o, now)
	}
	return true
}
