package zyre

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-zyre/zyre/internal/transport"
)

// Defaults of a node. SetEvasive and SetExpired change two of them for the
// nodes made afterwards.
const (
	defaultPort       = 5670 // UDP, assigned to ZRE by IANA
	defaultInterval   = time.Second
	defaultEvasive    = 5 * time.Second
	defaultSilent     = 10 * time.Second
	defaultExpired    = 30 * time.Second
	defaultStalled    = 30 * time.Second
	defaultQueueLimit = 64 << 20
	defaultWindow     = 8 << 20
	defaultMaxMessage = transport.DefaultMaxMessage

	minTimeout    = 10 * time.Millisecond
	minQueueLimit = 64 << 10
	minWindow     = 64 << 10
	minMaxMessage = maxPeerBytes // a HELLO has to fit
	maxString     = 255          // bytes of a name, group or header name on the wire

	// What peers take in a HELLO, less what the node adds to what is set.
	maxOwnHello   = maxPeerBytes - 4096
	maxOwnHeaders = maxPeerHeaders - 2
	helloOverhead = 5 // bytes of a header or group in a HELLO, beside its texts
)

var evasiveDefault, expiredDefault atomic.Int64

// SetEvasive sets the evasive timeout of nodes that NewZyre makes afterwards: a peer
// from which nothing comes for so long is pinged, and reported EVASIVE if it does not
// answer. The default is 5 s (RFC 36). Values below 10 ms are ignored and logged. For one node
// use [Zyre.SetEvasiveTimeout]. Libzyre has nothing like it.
func SetEvasive(evasive time.Duration) {
	setDefault(&evasiveDefault, "evasive timeout", evasive)
}

// SetExpired sets the expired timeout of nodes that NewZyre makes afterwards: a peer
// from which nothing comes for so long exits. The default is 30 s (RFC 36). Values
// below 10 ms are ignored and logged. For one node use [Zyre.SetExpiredTimeout]. Libzyre has
// nothing like it.
func SetExpired(expired time.Duration) {
	setDefault(&expiredDefault, "expired timeout", expired)
}

// setDefault sets the timeout of nodes made later. There is no node that could log.
func setDefault(v *atomic.Int64, name string, timeout time.Duration) {
	if err := checkLeast(timeout, minTimeout); err != nil {
		slog.Warn("not set", "setting", name, "err", opError("set "+name, timeout.String(), err))
		return
	}
	v.Store(int64(timeout))
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
	stalled    time.Duration
	evasiveSet bool   // else it follows the expired timeout where that is shorter
	silentSet  bool   // likewise
	portSet    bool   // SetPort was called: beacon even with gossip or an endpoint
	peerPort   int    // TCP port of the mailbox; 0 takes any
	endpoint   string // of the mailbox, instead of one on each link
	advertised string // told to others instead of where the mailbox is
	gossip     gossipConfig
	required   []requiredPeer
	curve      curveConfig
	contests   []string // groups in which the node stands for election
	queueLimit int
	shareView  bool
	window     int // bytes that may be under way to one peer
	maxMessage int // bytes of a message that the inbox takes
	logger     *slog.Logger
	logs       *logQueue        // behind logger
	bad        map[string]error // what setters were given that makes no sense, by operation
}

func defaultConfig() config {
	logger, logs := newDefaultLogger()
	return config{
		logger:     logger,
		logs:       logs,
		headers:    map[string]string{},
		port:       defaultPort,
		interval:   defaultInterval,
		evasive:    orDefault(&evasiveDefault, defaultEvasive),
		evasiveSet: evasiveDefault.Load() != 0,
		silent:     defaultSilent,
		expired:    orDefault(&expiredDefault, defaultExpired),
		stalled:    defaultStalled,
		queueLimit: defaultQueueLimit,
		window:     defaultWindow,
		maxMessage: defaultMaxMessage,
		curve:      curveConfig{zapDomain: "global"},
		bad:        map[string]error{},
	}
}

func (c *config) clone() config {
	d := *c
	d.headers, d.bad = maps.Clone(c.headers), maps.Clone(c.bad)
	d.groups = slices.Clone(c.groups)
	d.gossip.binds, d.gossip.hubs = slices.Clone(c.gossip.binds), slices.Clone(c.gossip.hubs)
	d.contests = slices.Clone(c.contests)
	d.required = slices.Clone(c.required)
	d.curve.authorized = slices.Clone(c.curve.authorized)
	return d
}

// SetUUID sets the node's UUID: 32 hexadecimal digits of either case, with or without
// dashes. By default it is a random one. An application that keeps it is known by it again
// after a restart: its peers see EXIT and ENTER of the same UUID. No two nodes may have
// the same at a time. Anything else makes Start return an error that wraps ErrInvalid. No
// effect after Start. Libzyre has nothing like it.
func (z *Zyre) SetUUID(uuid string) *Zyre {
	id, ok := canonicalUUID(uuid)
	var err error
	if !ok {
		err = wrong("must be 32 hexadecimal digits")
	}
	return z.set(change{"set UUID", shownEndpoint(uuid), err, func(*config) {
		z.uuid, z.id = id, uuidString(id)
	}})
}

// SetName sets the node's name, which peers see in ENTER. The default is the first six
// characters of the UUID. A name set after Start is seen by peers that enter later. A
// name longer than 255 bytes makes Start return an error that wraps ErrTooLong; after
// Start it is ignored and logged. It is zyre_set_name of libzyre.
func (z *Zyre) SetName(name string) *Zyre {
	if z.setLive(change{"set name", name, tooLong(name), func(c *config) { c.name = name }}) {
		z.configure(func(n *node, _ time.Time) { n.zre.name = z.Name() })
	}
	return z
}

// SetHeader sets a header, which peers see in ENTER. The value is formatted as by
// fmt.Sprintf; without args it is used as it is. Setting a header again replaces its
// value. A header set after Start is seen by peers that enter later. A header name
// longer than 255 bytes makes Start return an error that wraps ErrTooLong, and what would be
// more than peers take (1,000 headers; 1 MiB with the groups) one that wraps ErrInvalid;
// after Start it is ignored and logged. It is zyre_set_header of libzyre.
func (z *Zyre) SetHeader(name, format string, args ...interface{}) *Zyre {
	value := sprintf(format, args...)
	if !z.setLive(change{"set header", name, z.checkHeader(name, value), func(c *config) { c.headers[name] = value }}) {
		return z
	}
	z.configure(func(n *node, _ time.Time) {
		if name != publicKeyHeader || !n.zre.secure {
			n.zre.headers[name] = z.header(name)
		}
	})
	return z
}

// checkHeader returns an error for a name that a header cannot have.
func (z *Zyre) checkHeader(name, value string) error {
	z.lock()
	defer z.mu.Unlock()
	old, isSet := z.cfg.headers[name]
	switch {
	case name == publicKeyHeader && z.node.Load() != nil && z.cfg.curve.enabled():
		return wrong("is the certificate's")
	case name == viewHeader:
		return wrong("is set by SetShareView")
	case !isSet && len(z.cfg.headers) >= maxOwnHeaders:
		return wrong(fmt.Sprintf("there are %d headers, and peers take no more", len(z.cfg.headers)))
	case z.cfg.helloBytes()-len(old)+len(value) > maxOwnHello:
		return errHelloTooLarge
	}
	return tooLong(name)
}

// helloBytes is how large the HELLO is that tells what is set, about.
func (c *config) helloBytes() (bytes int) {
	for name, value := range c.headers {
		bytes += len(name) + len(value) + helloOverhead
	}
	for _, group := range c.groups {
		bytes += len(group) + helloOverhead
	}
	return bytes
}

// checkJoin returns an error for a group that peers would not take this node into.
func (c *config) checkJoin(group string) error {
	switch {
	case slices.Contains(c.groups, group):
		return nil
	case len(c.groups) >= maxPeerGroups:
		return wrong(fmt.Sprintf("this node is in %d groups, and peers take no more", len(c.groups)))
	case c.helloBytes()+len(group)+helloOverhead > maxOwnHello:
		return errHelloTooLarge
	}
	return tooLong(group)
}

// header returns the value set for a header.
func (z *Zyre) header(name string) string {
	z.lock()
	defer z.mu.Unlock()
	return z.cfg.headers[name]
}

// SetInterface sets the network interface on which the node sends beacons and listens:
// its name ("eth0"), one of its addresses ("192.168.1.7"), several names and addresses
// ("eth0,wlan0"), or "*" for every suitable interface. "lo" keeps the node on this host.
// An address stands for its subnet alone, a name for every subnet that the interface is
// in. By default the node chooses an interface that is up, can broadcast and is not
// virtual, preferably the one with the default route, and logs which one and why. An
// interface that does not exist makes Start return an error that wraps ErrNoInterface and
// names those that do; a list in which a place is empty, or a "*", one that wraps ErrInvalid.
// No effect after Start. It is zyre_set_interface of libzyre, but applies to this node only.
func (z *Zyre) SetInterface(iface string) *Zyre {
	return z.set(change{"set interface", iface, checkInterface(iface), func(c *config) { c.iface = iface }})
}

// SetInterval sets the time between two beacons. The default is 1 s; less than 10 ms
// makes Start return an error that wraps ErrInvalid. No effect after Start. It is
// zyre_set_interval of libzyre.
func (z *Zyre) SetInterval(interval time.Duration) *Zyre {
	return z.setDuration("set interval", interval, func(c *config) { c.interval = interval })
}

// SetEvasiveTimeout sets after how long a peer from which nothing comes is pinged, and
// reported EVASIVE if it does not answer. The default is 5 s; less than 10 ms makes
// Start return an error that wraps ErrInvalid. No effect after Start. It is
// zyre_set_evasive_timeout of libzyre.
func (z *Zyre) SetEvasiveTimeout(timeout time.Duration) *Zyre {
	return z.setDuration("set evasive timeout", timeout, func(c *config) { c.evasive, c.evasiveSet = timeout, true })
}

// SetSilentTimeout sets after how long a peer from which nothing comes, and which did
// not answer a ping, is reported SILENT. The default is 10 s; less than 10 ms makes
// Start return an error that wraps ErrInvalid. No effect after Start. It is
// zyre_set_silent_timeout of libzyre, which sets the evasive timeout instead.
func (z *Zyre) SetSilentTimeout(timeout time.Duration) *Zyre {
	return z.setDuration("set silent timeout", timeout, func(c *config) { c.silent, c.silentSet = timeout, true })
}

// SetExpiredTimeout sets after how long a peer from which nothing comes exits. The
// default is 30 s; less than 10 ms makes Start return an error that wraps ErrInvalid.
// No effect after Start. It is zyre_set_expired_timeout of libzyre.
func (z *Zyre) SetExpiredTimeout(timeout time.Duration) *Zyre {
	return z.setDuration("set expired timeout", timeout, func(c *config) { c.expired = timeout })
}

// SetStalledTimeout sets after how long a member of a group exits that takes nothing of what
// this node shouts to the group: nothing is read from its connection, whatever it sends
// itself. The default is 30 s; less than 10 ms makes Start return an error that wraps
// ErrInvalid. It exits with [ReasonStalled], and [Stats].Stalled counts it. Shouts wait for a
// peer that reads: at least 500 messages or 2 MiB within the time, for less cannot be seen. For
// one that does not read they wait a second. Then further shouts go on to the other members,
// and wait for this one in memory, up to the queue limit ([Zyre.SetQueueLimit]) for all such
// peers together. Whispers wait for a peer for as long as it lives. An application that takes
// so little, with its queue full, looks the same to its peers: set more if that can happen.
// No effect after Start. Libzyre has nothing like it.
func (z *Zyre) SetStalledTimeout(timeout time.Duration) *Zyre {
	return z.setDuration("set stalled timeout", timeout, func(c *config) { c.stalled = timeout })
}

func (z *Zyre) setDuration(op string, d time.Duration, apply func(c *config)) *Zyre {
	return z.set(change{op, d.String(), checkLeast(d, minTimeout), apply})
}

// SetPort sets the UDP port of the beacons. The default is 5670; a port outside 1 to
// 65535 makes Start return an error that wraps ErrInvalid. Nodes with different ports
// do not hear each other's beacons. SetEndpoint and gossip turn beacons off; calling
// SetPort, with any port, keeps them on. No effect after Start. It is zyre_set_port of
// libzyre.
func (z *Zyre) SetPort(port int) *Zyre {
	return z.set(change{"set port", strconv.Itoa(port), checkRange(port, 1, 65535), func(c *config) {
		c.port, c.portSet = port, true
	}})
}

// SetBeaconPeerPort sets the TCP port on which peers connect to this node, so that a
// firewall can let it pass. 0, the default, takes any free port. A busy port makes
// Start return an error that names it, and an impossible one an error that wraps
// ErrInvalid. If it is busy on an interface that comes up later, the node goes on without
// that interface, logs a warning, and tries again every second. Choose a port that the system does not give to outgoing connections: on
// Linux one below 32768. No effect after Start. It is zyre_set_beacon_peer_port of libzyre.
func (z *Zyre) SetBeaconPeerPort(port int) *Zyre {
	return z.set(change{"set beacon peer port", strconv.Itoa(port), checkRange(port, 0, 65535), func(c *config) {
		c.peerPort = port
	}})
}

// SetQueueLimit sets how many bytes of events the node keeps that the application has
// not read. Beyond that the node stops reading what its peers send, so that they wait
// in Whisper and Shout, and reads on as the application does. Nothing is dropped,
// all other methods work as before, and no peer is reported as gone because of the
// pause. Each event counts its payload and 256 bytes. The default is 64 MiB; less than
// 64 KiB makes Start return an error that wraps ErrInvalid. No effect after Start.
// Libzyre has nothing like it.
func (z *Zyre) SetQueueLimit(bytes int) *Zyre {
	return z.set(change{"set queue limit", strconv.Itoa(bytes), checkMemory(bytes, minQueueLimit), func(c *config) {
		c.queueLimit = bytes
	}})
}

// SetWindow sets how many bytes may be under way to one peer: sent, and not yet read by
// the peer's node. The default is 8 MiB, the least 64 KiB. While so many are under way
// Whisper and Shout wait. A message passes as long as fewer bytes are under way, so one that
// is larger than the window passes alone. A lower value makes Start return an error that
// wraps [ErrInvalid]. No effect after Start. Libzyre has nothing like it.
func (z *Zyre) SetWindow(bytes int) *Zyre {
	return z.set(change{"set window", strconv.Itoa(bytes), checkMemory(bytes, minWindow), func(c *config) {
		c.window = bytes
	}})
}

// SetMaxMessage sets how large a message may be that the node takes, in bytes, all its
// frames together. The default is 64 MiB, the least 1 MiB. Beyond it a frame ends the
// connection that it comes on as soon as its size is announced, and a message of several
// frames is dropped; the peer exits with [ReasonTooLarge] and enters again. Peers know
// nothing of the limit: set the same on all nodes. Each connection that is made to the node
// may use so much memory, whoever makes it. A lower value makes Start return an error that
// wraps [ErrInvalid]. No effect after Start. Libzyre takes messages of any size.
func (z *Zyre) SetMaxMessage(bytes int) *Zyre {
	return z.set(change{"set max message", strconv.Itoa(bytes), checkMemory(bytes, minMaxMessage), func(c *config) {
		c.maxMessage = bytes
	}})
}

// SetVerbose makes the node log everything that it does, at level Debug, to standard
// error. To log elsewhere use [Zyre.SetLogger]. No effect after Start. It is
// zyre_set_verbose of libzyre.
func (z *Zyre) SetVerbose() *Zyre {
	return z.SetLogger(verboseLogger())
}

// SetLogger sets where the node logs; nil means nowhere. By default warnings go to
// [slog.Default], as it is when they come, and the rest is not logged. At level Warn is
// what an operator should act on, such as a peer whose TCP port does not answer; at level
// Info what happens to the node, its peers and its connections; at level Debug what is
// refused, and every beacon. Of a warning that comes again, the log has how often it came,
// after a minute and then ever more rarely, up to once an hour; [Stats] lists all warnings,
// whatever is logged. No effect after Start. Libzyre has nothing like it.
//
// The handler runs on a goroutine of its own, one record at a time, so it may call any
// method of the node. The node does not wait for it: of a handler that does not keep up,
// 1,000 records wait, and those beyond are lost, counted in [Dropped], and told in a
// record. Stop gives the handler 200 ms for the last ones, before the Events channel is
// closed.
func (z *Zyre) SetLogger(logger *slog.Logger) *Zyre {
	var handler slog.Handler
	if logger != nil {
		handler = logger.Handler()
	}
	queued, logs := newLogger(handler)
	return z.set(change{"set logger", "", nil, func(c *config) { c.logger, c.logs = queued, logs }})
}

// sprintf formats only when there is something to format, so that a payload
// with a stray % is safe.
func sprintf(format string, args ...interface{}) string {
	if len(args) == 0 {
		return format
	}
	return fmt.Sprintf(format, args...)
}

// canonicalUUID brings a peer's UUID as applications give it, in either case
// and with or without dashes, to the form of the map of peers.
func canonicalUUID(s string) ([16]byte, bool) {
	if len(s) == 36 {
		s = strings.ReplaceAll(s, "-", "")
	}
	return parseUUID(s)
}
