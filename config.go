package zyre

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Defaults of a node. SetEvasive and SetExpired change two of them for the
// nodes made afterwards.
const (
	defaultPort       = 5670 // UDP, assigned to ZRE by IANA
	defaultInterval   = time.Second
	defaultEvasive    = 5 * time.Second
	defaultSilent     = 10 * time.Second
	defaultExpired    = 30 * time.Second
	defaultQueueLimit = 64 << 20

	minTimeout    = 10 * time.Millisecond
	minQueueLimit = 64 << 10
	maxString     = 255 // bytes of a name, group or header name on the wire
)

var evasiveDefault, expiredDefault atomic.Int64

// SetEvasive sets after how long a silence a peer is pinged, and reported
// EVASIVE if it does not answer, for nodes made by NewZyre afterwards. The
// default is 5 s (RFC 36). Values below 10 ms are ignored. For one node use
// [Zyre.SetEvasiveTimeout].
func SetEvasive(evasive time.Duration) {
	if evasive >= minTimeout {
		evasiveDefault.Store(int64(evasive))
	}
}

// SetExpired sets after how long a silence a peer is removed with an EXIT, for
// nodes made by NewZyre afterwards. The default is 30 s (RFC 36). Values below
// 10 ms are ignored. For one node use [Zyre.SetExpiredTimeout].
func SetExpired(expired time.Duration) {
	if expired >= minTimeout {
		expiredDefault.Store(int64(expired))
	}
}

func orDefault(v *atomic.Int64, def time.Duration) time.Duration {
	if d := v.Load(); d != 0 {
		return time.Duration(d)
	}
	return def
}

// config is what the setters set. Each Start takes a copy, so that setters
// called later never touch a running node behind its back.
type config struct {
	name       string
	headers    map[string]string
	groups     []string // own groups, in the order of joining
	iface      string
	port       int // UDP port of the beacon
	interval   time.Duration
	evasive    time.Duration
	silent     time.Duration
	expired    time.Duration
	portSet    bool   // SetPort was called: beacon even with gossip or an endpoint
	peerPort   int    // TCP port of the mailbox; 0 takes any
	endpoint   string // of the mailbox, instead of one on each link
	advertised string // told to others instead of where the mailbox is
	gossip     gossipConfig
	required   []requiredPeer
	curve      curveConfig
	contests   []string // groups in which the node stands for election
	queueLimit int
	logger     *slog.Logger
	err        error // what the setters were given that can't be
}

func defaultConfig() config {
	return config{
		headers:    map[string]string{},
		port:       defaultPort,
		interval:   defaultInterval,
		evasive:    orDefault(&evasiveDefault, defaultEvasive),
		silent:     defaultSilent,
		expired:    orDefault(&expiredDefault, defaultExpired),
		queueLimit: defaultQueueLimit,
		curve:      curveConfig{zapDomain: "global"},
		logger:     slog.New(slog.DiscardHandler),
	}
}

func (c *config) clone() config {
	d := *c
	d.headers = maps.Clone(c.headers)
	d.groups = slices.Clone(c.groups)
	d.gossip.binds, d.gossip.hubs = slices.Clone(c.gossip.binds), slices.Clone(c.gossip.hubs)
	d.contests = slices.Clone(c.contests)
	d.required = slices.Clone(c.required)
	d.curve.authorized = slices.Clone(c.curve.authorized)
	return d
}

// reject notes an unusable value; Start reports all of them.
func (c *config) reject(op, target string, err error) {
	c.err = errors.Join(c.err, opError(op, target, err))
}

// set changes the configuration under the facade's lock.
func (z *Zyre) set(change func(c *config)) *Zyre {
	z.mu.Lock()
	defer z.mu.Unlock()
	change(&z.cfg)
	return z
}

// SetName sets the node's name, which peers see in ENTER; at most 255 bytes. By
// default it is the first six characters of the UUID. After Start it reaches
// the peers that enter later. It is zyre_set_name of libzyre. A name that
// cannot be sent makes Start return an error that wraps ErrTooLong; after Start
// it is ignored and logged.
func (z *Zyre) SetName(name string) *Zyre {
	if len(name) > maxString {
		return z.tooLong("set name", name)
	}
	z.set(func(c *config) { c.name = name })
	z.configure(func(n *node, _ time.Time) { n.cfg.name = z.Name() })
	return z
}

// SetHeader sets a header, which peers see in ENTER. The value is formatted as
// by fmt.Sprintf; without args it is taken as it is. The name holds at most 255
// bytes. Setting a header again replaces it. After Start it reaches the peers
// that enter later. It is zyre_set_header of libzyre. A name that cannot be
// sent makes Start return an error that wraps ErrTooLong; after Start it is
// ignored and logged.
func (z *Zyre) SetHeader(name, format string, args ...interface{}) *Zyre {
	value := sprintf(format, args)
	if len(name) > maxString {
		return z.tooLong("set header", name)
	}
	z.set(func(c *config) { c.headers[name] = value })
	z.configure(func(n *node, _ time.Time) {
		if name != publicKeyHeader || !n.security.enabled {
			n.cfg.headers[name] = z.header(name)
		}
	})
	return z
}

// tooLong refuses a name that cannot be sent.
func (z *Zyre) tooLong(op, name string) *Zyre {
	name = name[:20] + "…"
	if z.node.Load() == nil {
		return z.set(func(c *config) { c.reject(op, name, ErrTooLong) })
	}
	z.warn("zyre: name too long", "op", op, "name", name)
	return z
}

// header returns the value set for a header.
func (z *Zyre) header(name string) string {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.cfg.headers[name]
}

// SetInterface sets the network interface to beacon on and bind to: its name
// ("eth0"), one of its addresses, or "*" for every suitable one. By default the
// node chooses an interface that is up, can broadcast and is not virtual, the
// one with the default route if several are, and logs which and why. "lo" keeps
// the node on this host. An interface that does not exist makes Start return an
// error that wraps ErrNoInterface. No effect after Start. It is
// zyre_set_interface of libzyre, but of this node alone.
func (z *Zyre) SetInterface(iface string) *Zyre {
	return z.set(func(c *config) { c.iface = iface })
}

// SetInterval sets the time between two beacons; the default is 1 s, the least
// is 10 ms. No effect after Start. It is zyre_set_interval of libzyre.
func (z *Zyre) SetInterval(interval time.Duration) *Zyre {
	return z.setDuration("set interval", interval, func(c *config) { c.interval = interval })
}

// SetEvasiveTimeout sets after how long without traffic a peer is pinged; one
// that does not answer is reported EVASIVE. The default is 5 s, the least 10 ms.
// No effect after Start. It is zyre_set_evasive_timeout of libzyre.
func (z *Zyre) SetEvasiveTimeout(timeout time.Duration) *Zyre {
	return z.setDuration("set evasive timeout", timeout, func(c *config) { c.evasive = timeout })
}

// SetSilentTimeout sets after how long without traffic, and with a ping
// unanswered, a peer is reported SILENT. The default is 10 s, the least 10 ms.
// No effect after Start. It is zyre_set_silent_timeout of libzyre, which sets
// the evasive timeout instead.
func (z *Zyre) SetSilentTimeout(timeout time.Duration) *Zyre {
	return z.setDuration("set silent timeout", timeout, func(c *config) { c.silent = timeout })
}

// SetExpiredTimeout sets after how long without traffic a peer is removed with
// an EXIT. The default is 30 s, the least 10 ms. No effect after Start. It is
// zyre_set_expired_timeout of libzyre.
func (z *Zyre) SetExpiredTimeout(timeout time.Duration) *Zyre {
	return z.setDuration("set expired timeout", timeout, func(c *config) { c.expired = timeout })
}

func (z *Zyre) setDuration(op string, d time.Duration, change func(c *config)) *Zyre {
	return z.set(func(c *config) {
		if d < minTimeout {
			c.reject(op, d.String(), ErrInvalid)
			return
		}
		change(c)
	})
}

// SetPort sets the UDP port of the beacons, 1 to 65535; the default is 5670.
// Nodes with different ports never see each other. An endpoint or gossip turns
// beacons off; calling SetPort, with any port, keeps them on beside those. No effect
// after Start. It is zyre_set_port of libzyre.
func (z *Zyre) SetPort(port int) *Zyre {
	return z.set(func(c *config) {
		if port < 1 || port > 65535 {
			c.reject("set port", fmt.Sprint(port), ErrInvalid)
			return
		}
		c.port, c.portSet = port, true
	})
}

// SetBeaconPeerPort sets the TCP port on which peers connect to this node, for
// firewalls; 0, the default, takes any free one. A busy port makes Start return
// an error that names it. No effect after Start. It is
// zyre_set_beacon_peer_port of libzyre.
func (z *Zyre) SetBeaconPeerPort(port int) *Zyre {
	return z.set(func(c *config) {
		if port < 0 || port > 65535 {
			c.reject("set beacon peer port", fmt.Sprint(port), ErrInvalid)
			return
		}
		c.peerPort = port
	})
}

// SetQueueLimit sets how many bytes of undelivered events the node holds, 64 MiB
// by default and 64 KiB at the least. Beyond it the node stops reading what its
// peers send, so that their Whisper and Shout wait; nothing is dropped. Each
// event counts its payload and 256 bytes. No effect after Start.
func (z *Zyre) SetQueueLimit(bytes int) *Zyre {
	return z.set(func(c *config) {
		if bytes < minQueueLimit {
			c.reject("set queue limit", fmt.Sprint(bytes), ErrInvalid)
			return
		}
		c.queueLimit = bytes
	})
}

// SetVerbose logs everything the node does, at level Debug, to standard error.
// No effect after Start. It is zyre_set_verbose of libzyre; see [Zyre.SetLogger]
// for a logger of your own.
func (z *Zyre) SetVerbose() *Zyre {
	return z.SetLogger(verboseLogger())
}

// SetLogger sets where the node logs; by default it is silent. Level Info tells
// about the node, Warn about what it had to refuse or retry, Debug about every
// peer and message. Nil is silence again. No effect after Start.
func (z *Zyre) SetLogger(logger *slog.Logger) *Zyre {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return z.set(func(c *config) { c.logger = logger })
}

// sprintf formats only when there is something to format, so that a payload
// with a stray % is safe.
func sprintf(format string, args []interface{}) string {
	if len(args) == 0 {
		return format
	}
	return fmt.Sprintf(format, args...)
}

// validGroup says whether a group name fits the wire.
func validGroup(name string) bool { return len(name) <= maxString }

// canonicalUUID brings a peer's UUID as applications give it, in either case
// and with or without dashes, to the form of the map of peers.
func canonicalUUID(s string) ([16]byte, bool) {
	if len(s) == 36 {
		s = strings.ReplaceAll(s, "-", "")
	}
	return parseUUID(s)
}
