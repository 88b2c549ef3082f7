package zyre

import (
	"time"

	"github.com/go-zyre/zyre/internal/transport"
)

// maxSameNames is how many names are remembered that a warning was given about.
const maxSameNames = 100

// warnOfSameName logs that a peer that enters has the name of this node, or of another
// peer that lives: once for each name.
func (z *zre) warnOfSameName(now time.Time, p *peer) {
	if p.name == "" {
		return
	}
	other := z.named[p.name]
	z.named[p.name] = p
	if z.sameNames[p.name] || len(z.sameNames) >= maxSameNames {
		return
	}
	var id, endpoint string
	switch {
	case p.name == z.name:
		id, endpoint = z.id, z.location.announced(p.endpoint)
	case other == nil, other.presence.idle(now) >= z.timeouts.evasive:
		return // one that is silent may be the same node before its restart
	default:
		id, endpoint = other.id, other.endpoint
	}
	z.sameNames[p.name] = true
	z.log.Warn("two nodes have the same name", "name", p.name,
		"peer", p.id, "endpoint", p.endpoint, "other", id, "other_endpoint", endpoint)
}

// forgetName is for a peer that exits, or gives up its name.
func (z *zre) forgetName(p *peer) {
	if z.named[p.name] == p {
		delete(z.named, p.name)
	}
}

// isAnothers reports whether an endpoint that comes with this node's UUID is of another
// node. The node's own beacon can come from an address that it does not know of, but with
// its port.
func (z *zre) isAnothers(endpoint string) bool {
	at, err := transport.ParseEndpoint(endpoint)
	return err == nil && at.Port() != z.location.port && z.location.port != 0 && !z.location.isOurs(endpoint)
}

// warnOfOwnBeacon logs that a beacon like this node's own came from another host.
func (z *zre) warnOfOwnBeacon(endpoint string) {
	z.log.Warn("another node has this node's UUID, or something sends this node's beacons back",
		"uuid", z.id, "endpoint", z.location.announced(endpoint), "other_endpoint", endpoint)
}

// warnOfSameUUID logs that another node announces this node's UUID: neither can be served
// well.
func (z *zre) warnOfSameUUID(endpoint string) {
	z.log.Warn("another node has this node's UUID",
		"uuid", z.id, "endpoint", z.location.announced(endpoint), "other_endpoint", endpoint)
}
