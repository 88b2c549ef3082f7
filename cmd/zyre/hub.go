package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/internal/transport"
	"github.com/go-zyre/zyre/internal/zgossip"
)

// hubFlags say how zyre hub tells of its health.
type hubFlags struct {
	health string
	report time.Duration
	limit  int
}

func newHub(a *app) *cobra.Command {
	f := hubFlags{report: time.Hour, limit: 10_000}
	cmd := &cobra.Command{
		Use:   "hub [ENDPOINT...]",
		Short: "Be a gossip hub, through which nodes find each other without UDP",
		Long: "Run a hub of gossip discovery at endpoints, tcp://*:9999 by default. Nodes of libzyre and of\n" +
			"this package connect to it by zyre_gossip_connect and GossipConnect. The hub is no node of\n" +
			"its own: it tells nodes of each other, and no message goes through it. With --hub it is\n" +
			"joined to other hubs. With --cert only nodes that know its key can use it, and with\n" +
			"--authorized only those whose certificates are in a directory, which is read every 5 s.\n\n" +
			"It logs to standard error when it starts, when the number of its clients changes, and its\n" +
			"counters each --report. --health serves them by HTTP: status 200, and JSON.\n" +
			"It tells systemd when it is ready (Type=notify, WatchdogSec=).",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{"tcp://*:9999"}
			}
			h := &hub{app: a, hubFlags: f, started: time.Now()}
			return h.run(cmd.Context(), args)
		},
		Example: "  zyre hub tcp://192.168.1.7:9999 --health 127.0.0.1:9998\n" +
			"  zyre peers --hub tcp://192.168.1.7:9999     # on another host",
	}
	cmd.Flags().StringVar(&f.health, "health", f.health, "serve the hub's health by HTTP at this `ADDRESS`, as 127.0.0.1:9998")
	cmd.Flags().DurationVar(&f.report, "report", f.report, "time between two reports in the log; 0 is never")
	cmd.Flags().IntVar(&f.limit, "limit", f.limit, "greatest `NUMBER` of nodes that the hub keeps")
	return cmd
}

// hub is a gossip hub without a node.
type hub struct {
	*app
	hubFlags
	started   time.Time
	log       *slog.Logger
	gossip    *zgossip.Gossip
	policy    *transport.Policy
	endpoints []string
}

// hubHealth is what a hub tells of itself.
type hubHealth struct {
	Up        string        `json:"up"`
	Endpoints []string      `json:"endpoints"`
	Clients   int           `json:"clients"`
	Nodes     int           `json:"nodes"`
	Hubs      int           `json:"hubs"`
	Learnt    uint64        `json:"learnt"`
	Gone      uint64        `json:"gone"`
	Expired   uint64        `json:"expired"`
	Refused   uint64        `json:"refused"`
	Malformed uint64        `json:"malformed"`
	Others    []otherHealth `json:"other_hubs,omitempty"`
}

// otherHealth is the state of another hub that a hub is joined to.
type otherHealth struct {
	Endpoint string `json:"endpoint"`
	Up       bool   `json:"up"`
	Error    string `json:"error,omitempty"`
}

func (h *hub) run(ctx context.Context, endpoints []string) (err error) {
	h.log = h.hubLogger()
	for _, endpoint := range endpoints {
		if err := zgossip.CheckBind(endpoint); err != nil {
			return usageError{fmt.Errorf("hub %s: the endpoint must be as tcp://192.168.1.7:9999, with * for any address or port", endpoint)}
		}
	}
	zmq, err := transport.NewZMQ()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, zmq.Close()) }()
	if err := h.open(zmq); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.gossip.Close()) }()
	if err := h.bind(endpoints); err != nil {
		return err
	}
	stopHealth, err := h.serveHealth()
	if err != nil {
		return err
	}
	defer stopHealth()
	h.log.Info("hub is up", "endpoints", h.endpoints)
	notifySystemd("READY=1")
	defer notifySystemd("STOPPING=1")
	h.watch(ctx)
	h.log.Info("hub ends", "clients", h.gossip.Stats().Clients)
	return nil
}

func (h *hub) hubLogger() *slog.Logger {
	options := &slog.HandlerOptions{Level: slog.LevelInfo}
	if h.verbose {
		options.Level = slog.LevelDebug
	}
	if h.json {
		return slog.New(slog.NewJSONHandler(h.errOut, options))
	}
	return slog.New(slog.NewTextHandler(h.errOut, options))
}

// open makes the hub, bound to nothing yet.
func (h *hub) open(zmq *transport.ZMQ) error {
	options := zgossip.Options{Logger: h.log, MaxTuples: h.limit, MaxClients: h.limit}
	keys, restricted, err := h.authorizedKeys()
	if err != nil {
		return err
	}
	h.policy = transport.NewPolicy(h.log, restricted, keys)
	if h.cert != "" {
		cert, err := zyre.LoadCert(h.cert)
		if err != nil {
			return err
		}
		if cert.SecretKey == "" {
			return fmt.Errorf("--cert %s: it has no secret key; that is in %s_secret", h.cert, h.cert)
		}
		options.PublicKey, options.SecretKey, options.Allows = cert.PublicKey, cert.SecretKey, h.policy.Allows
		if options.ZapDomain, err = zmq.RegisterPolicy("global", h.policy); err != nil {
			return err
		}
	} else if restricted {
		return usageError{errors.New("--authorized needs --cert: a hub without a certificate knows no keys")}
	}
	h.gossip, err = zgossip.New(zmq.Context(), options)
	return err
}

func (h *hub) authorizedKeys() (keys []string, restricted bool, err error) {
	if h.authorized == "" {
		return nil, false, nil
	}
	certs, err := zyre.LoadCertStore(h.authorized)
	for _, cert := range certs {
		keys = append(keys, cert.PublicKey)
	}
	return keys, true, err
}

func (h *hub) bind(endpoints []string) error {
	for _, endpoint := range endpoints {
		bound, err := h.gossip.Bind(endpoint)
		if err != nil {
			return fmt.Errorf("hub %s: %w", endpoint, err)
		}
		h.endpoints = append(h.endpoints, bound)
	}
	key, err := publicKeyIn(h.hubCert)
	if err != nil {
		return err
	}
	for _, other := range h.hubs {
		if err := h.gossip.Connect(other, key); err != nil {
			return fmt.Errorf("--hub %s: %w", other, err)
		}
	}
	return nil
}

// watch logs what changes until ctx ends.
func (h *hub) watch(ctx context.Context) {
	const look = 5 * time.Second
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	clients, reported := 0, time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case _, open := <-h.gossip.Tuples(): // so that no news wait
			if !open {
				return
			}
			continue
		case now := <-ticker.C:
			notifySystemd("WATCHDOG=1")
			s := h.gossip.Stats()
			if s.Clients != clients {
				clients = s.Clients
				h.log.Info("clients", "clients", s.Clients, "nodes", s.Tuples)
			}
			if h.report > 0 && now.Sub(reported) >= h.report {
				reported = now
				h.log.Info("report", "health", h.state())
			}
			if h.authorized != "" {
				h.rereadKeys()
			}
		}
	}
}

// rereadKeys follows the directory of certificates. While it cannot be read, or a file in
// it is none, the keys stay.
func (h *hub) rereadKeys() {
	keys, _, err := h.authorizedKeys()
	if err != nil {
		h.log.Warn("certificates: the authorized keys stay as they are", "err", err)
		return
	}
	h.policy.SetKeys(keys)
	_ = h.gossip.Recheck() // it fails only after Close
}

func (h *hub) state() hubHealth {
	s := h.gossip.Stats()
	health := hubHealth{
		Up: time.Since(h.started).Round(time.Second).String(), Endpoints: h.endpoints,
		Clients: s.Clients, Nodes: s.Tuples, Hubs: s.Hubs, Learnt: s.Learnt, Gone: s.Gone,
		Expired: s.Expired, Refused: s.Refused + h.policy.Refused(), Malformed: s.Malformed,
	}
	for _, other := range h.gossip.Hubs() {
		health.Others = append(health.Others, otherHealth{other.Endpoint, !other.Since.IsZero(), other.LastError})
	}
	return health
}

// serveHealth serves the state by HTTP, if asked for.
func (h *hub) serveHealth() (stop func(), err error) {
	if h.health == "" {
		return func() {}, nil
	}
	listener, err := net.Listen("tcp", h.health)
	if err != nil {
		return nil, fmt.Errorf("--health %s: %w", h.health, err)
	}
	server := &http.Server{
		ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second, MaxHeaderBytes: 4 << 10,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet && r.Method != http.MethodHead {
				http.Error(w, "only GET", http.StatusMethodNotAllowed)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_ = newPrinter(w).object(h.state()) // who asked has gone
		}),
	}
	h.log.Info("health", "address", listener.Addr().String())
	done := make(chan struct{})
	go func() { // ends by Close
		defer close(done)
		_ = server.Serve(listener)
	}()
	return func() { _ = server.Close(); <-done }, nil
}

// notifySystemd tells the service manager of a change of state, as sd_notify does. It does
// nothing where there is none.
func notifySystemd(state string) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = conn.Write([]byte(state)) // without it systemd waits, and restarts the hub
}
