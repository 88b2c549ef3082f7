package doctor

import (
	"encoding/hex"
	"fmt"
	"strings"
	"sync"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/internal/transport"
	"github.com/go-zyre/zyre/internal/zgossip"
)

// hubWatch is a client of the gossip hubs, beside the node, that sees what they tell.
type hubWatch struct {
	zmq     *transport.ZMQ
	gossip  *zgossip.Gossip
	running sync.WaitGroup

	mu     sync.Mutex
	tuples map[string]string // endpoint by UUID
}

// openHubs connects to the hubs. Where that is not possible nothing is heard of them.
func (x *examination) openHubs() *hubWatch {
	w := &hubWatch{tuples: map[string]string{}}
	if len(x.Hubs) == 0 {
		return w
	}
	zmq, err := transport.NewZMQ()
	if err != nil {
		return w
	}
	w.zmq = zmq
	w.gossip, err = zgossip.New(zmq.Context(), zgossip.Options{PublicKey: x.PublicKey, SecretKey: x.SecretKey})
	if err != nil {
		return w
	}
	w.running.Go(func() { // ends by close
		for t := range w.gossip.Tuples() {
			w.take(t)
		}
	})
	for _, hub := range x.Hubs {
		_ = w.gossip.Connect(hub.Endpoint, hub.Key) // the node says what is wrong with it
	}
	return w
}

// take takes note of a tuple: the endpoint of a node and, if it is secure, its key. Other
// programs may publish at the hub what is no node.
func (w *hubWatch) take(t zgossip.Tuple) {
	if raw, err := hex.DecodeString(t.Key); err != nil || len(raw) != 16 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	uuid := strings.ToUpper(t.Key)
	endpoint, _, _ := strings.Cut(t.Value, "|")
	if t.Gone || endpoint == "" {
		delete(w.tuples, uuid)
		return
	}
	w.tuples[uuid] = endpoint
}

// endpoints are those that the hubs told of.
func (w *hubWatch) endpoints() (all map[string]string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all = map[string]string{}
	for uuid, endpoint := range w.tuples {
		all[uuid] = endpoint
	}
	return all
}

func (w *hubWatch) close() {
	if w.gossip != nil {
		_ = w.gossip.Close()
	}
	w.running.Wait()
	if w.zmq != nil {
		_ = w.zmq.Close()
	}
}

// addGossip adds the nodes that hubs told of.
func (x *examination) addGossip(w *hubWatch) {
	for uuid, endpoint := range w.endpoints() {
		at, isTCP := tcpAddr(endpoint)
		if uuid == x.ownUUID() || isTCP && !x.isWanted(at.Addr()) {
			continue
		}
		n := x.report.node(uuid)
		if n == nil {
			n = x.report.addNode(uuid)
			n.Source, n.Secure = "gossip", x.PublicKey != ""
		}
		n.Endpoint = endpoint
		if p, ok := x.probes.result(at); isTCP && ok {
			n.setProbe(p)
		}
	}
}

// judgeHubs says what is wrong with each hub.
func (x *examination) judgeHubs(w *hubWatch) {
	states := x.Node.Stats().Gossip.Hubs
	for i, hub := range x.Hubs {
		s := HubState{Endpoint: hub.Endpoint}
		var known zyre.GossipHub
		if i < len(states) {
			known = states[i]
		}
		s.Up, s.Error = !known.Since.IsZero(), known.LastError
		address := known.Address
		if address == "" {
			address = hub.Endpoint
		}
		at, isTCP := tcpAddr(address)
		if isTCP {
			p := probeTCP(at)
			s.TCP, s.Mechanism = p.state, p.mechanism
		}
		if s.Up {
			s.Nodes = len(w.endpoints())
		}
		x.report.Hubs = append(x.report.Hubs, s)
		x.judgeHub(hub, &s, isTCP)
	}
}

func (x *examination) judgeHub(hub Hub, s *HubState, isNumeric bool) {
	fault := func(id, what, do string) {
		x.report.fault(id, fmt.Sprintf("the gossip hub %s %s", hub.Endpoint, what), do)
	}
	const otherHub = "give the right address to GossipConnect or --hub"
	switch {
	case s.Up:
	case !isNumeric && strings.HasPrefix(hub.Endpoint, "tcp://"):
		fault("hub-name", "has a name that cannot be looked up: "+s.Error, otherHub+", or mend the name service")
	case s.TCP == tcpRefused:
		fault("hub-down", "is down: its host answers, but nothing listens at that port", "start it (zyre hub "+bindOf(hub.Endpoint)+"), or "+otherHub)
	case s.TCP == tcpSilent, s.TCP == tcpUnreachable:
		fault("hub-unreachable", "does not answer: there is no such host, or a firewall drops the connection", otherHub+", or let its TCP port pass in the firewalls between")
	case s.TCP == notZeroMQ:
		fault("hub-foreign", "is no hub: what listens at that port does not speak ZeroMQ", otherHub)
	case s.Mechanism == "CURVE" && hub.Key == "":
		fault("hub-secure", "is secure, and its public key is not known here", "give it to GossipConnectCurve, or its certificate to --hub-cert")
	case s.Mechanism == "NULL" && hub.Key != "":
		fault("hub-plain", "is plain, and a key for it was given", "start the hub with its certificate, or do without GossipConnectCurve and --hub-cert")
	case s.Mechanism == "CURVE":
		fault("hub-key", "does not let this node in: the public key of the hub is another one, or the hub does not know this node's", "compare the keys (zyre cert show), and import this node's certificate at the hub")
	default:
		fault("hub-silent", "speaks ZeroMQ, and does not answer to gossip", otherHub+": the port may be that of a node")
	}
}

// bindOf is the endpoint at which a hub would listen.
func bindOf(endpoint string) string {
	return "tcp://*" + endpoint[strings.LastIndex(endpoint, ":"):]
}
