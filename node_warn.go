package zyre

import (
	"fmt"
	"log/slog"
	"slices"

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
		log.Warn("zyre: the only address is public: anybody on the internet can connect; "+
			"choose another with SetInterface, or secure the node with SetZCert", "address", l.links[0].Addr)
	}
	w.public = public

	announced := l.announced("")
	ap, err := transport.ParseEndpoint(announced)
	loopback := err == nil && ap.Addr().IsLoopback() && elsewhere
	if loopback && !w.loopback {
		log.Warn("zyre: others are told an address of loopback, where only this host can reach the node; "+
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
		log.Warn("zyre: this libzmq has known weaknesses that a stranger on the network can use; install 4.3.3 or later",
			"version", fmt.Sprintf("%d.%d.%d", version[0], version[1], version[2]))
	}
}
