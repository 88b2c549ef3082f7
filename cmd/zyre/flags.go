package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/go-zyre/zyre"
)

// common are the flags that every command has, for its node and its output.
type common struct {
	name       string
	uuid       string
	iface      string
	port       int
	peerPort   int
	endpoint   string
	groups     []string
	hubs       []string
	hubCert    string
	cert       string
	authorized string
	interval   time.Duration
	evasive    time.Duration
	silent     time.Duration
	expired    time.Duration
	json       bool
	verbose    bool

	flags *pflag.FlagSet
}

func (c *common) register(f *pflag.FlagSet) {
	c.flags = f
	f.SortFlags = false // who, where, how secure, how fast, and what is printed
	f.StringVar(&c.name, "name", "", "`NAME` of the node that the command starts; default: part of its UUID")
	f.StringVar(&c.uuid, "uuid", "", "`UUID` of that node, by which it is known again; default: a random one")
	f.StringVarP(&c.iface, "interface", "i", "", "network interface by `NAME` or address, several with commas; lo stays on this host, * is all")
	f.IntVarP(&c.port, "port", "p", 5670, "UDP `PORT` of the beacons")
	f.IntVar(&c.peerPort, "peer-port", 0, "TCP `PORT` on which peers connect to the node; 0 is any")
	f.StringVar(&c.endpoint, "endpoint", "", "`ENDPOINT` on which peers connect, as tcp://192.168.1.7:*; turns beacons off, unless --port is given")
	f.StringSliceVarP(&c.groups, "group", "g", nil, "`GROUP` to join or to look at; several with commas")
	f.StringSliceVar(&c.hubs, "hub", nil, "`ENDPOINT` of a gossip hub to connect to, as tcp://192.168.1.7:9999; turns beacons off, unless --port is given")
	f.StringVar(&c.hubCert, "hub-cert", "", "`FILE` with the public certificate of the gossip hubs")
	f.StringVar(&c.cert, "cert", "", "`FILE` with the node's certificate, which makes it secure: see zyre cert")
	f.StringVar(&c.authorized, "authorized", "", "`DIRECTORY` with the public certificates of the nodes that may connect; default: all with a key")
	f.DurationVar(&c.interval, "interval", time.Second, "time between two beacons")
	f.DurationVar(&c.evasive, "evasive", 5*time.Second, "silence after which a peer is pinged")
	f.DurationVar(&c.silent, "silent", 10*time.Second, "silence after which a peer counts as silent")
	f.DurationVar(&c.expired, "expired", 30*time.Second, "silence after which a peer counts as gone")
	f.BoolVar(&c.json, "json", false, "print one JSON object a line, for scripts")
	f.BoolVarP(&c.verbose, "verbose", "v", false, "log to standard error what the node does")
}

// envName is the variable in the environment that sets a common flag.
func envName(flag string) string {
	return "ZYRE_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// prepare takes from the environment the common flags that the command line does not have.
func (a *app) prepare(_ *cobra.Command) error {
	var errs []error
	a.flags.VisitAll(func(f *pflag.Flag) {
		value, ok := os.LookupEnv(envName(f.Name))
		if !ok || value == "" || f.Changed || f.Name == "help" {
			return
		}
		if err := a.flags.Set(f.Name, value); err != nil {
			errs = append(errs, fmt.Errorf("environment variable %s: %w", envName(f.Name), err))
		}
	})
	a.out.json = a.json
	if len(errs) > 0 {
		return usageError{errors.Join(errs...)}
	}
	return nil
}

// logger is where the node of a command logs: what an operator must act on, or everything
// with --verbose.
func (a *app) logger() *slog.Logger {
	level := slog.LevelWarn
	if a.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(a.errOut, &slog.HandlerOptions{Level: level}))
}

// newNode makes a node with the settings of the common flags. It has not joined a group.
// When ctx ends the node stops and says goodbye; Stop waits for that.
func (a *app) newNode(ctx context.Context) (*zyre.Zyre, error) {
	node := zyre.NewZyre(ctx).
		SetName(a.name).SetInterface(a.iface).SetBeaconPeerPort(a.peerPort).SetLogger(a.logger())
	for flag, set := range map[string]func(){
		"uuid":     func() { node.SetUUID(a.uuid) },
		"port":     func() { node.SetPort(a.port) },
		"interval": func() { node.SetInterval(a.interval) },
		"evasive":  func() { node.SetEvasiveTimeout(a.evasive) },
		"silent":   func() { node.SetSilentTimeout(a.silent) },
		"expired":  func() { node.SetExpiredTimeout(a.expired) },
	} {
		if a.flags.Changed(flag) {
			set()
		}
	}
	if a.endpoint != "" {
		if err := node.SetEndpoint("%s", a.endpoint); err != nil {
			return nil, err
		}
	}
	hubKey, err := publicKeyIn(a.hubCert)
	if err != nil {
		return nil, err
	}
	for _, hub := range a.hubs {
		node.GossipConnectCurve(hubKey, "%s", hub)
	}
	return node, a.secure(node)
}

// secure gives the node its certificate, and the keys of those who may connect.
func (a *app) secure(node *zyre.Zyre) error {
	if a.cert != "" {
		cert, err := zyre.LoadCert(a.cert)
		if err != nil {
			return err
		}
		if cert.SecretKey == "" {
			return fmt.Errorf("--cert %s: it has no secret key; that is in %s_secret", a.cert, a.cert)
		}
		node.SetZCert(cert.PublicKey, cert.SecretKey)
	}
	if a.authorized == "" {
		return nil
	}
	if a.cert == "" {
		return usageError{errors.New("--authorized needs --cert: a node without a certificate knows no keys")}
	}
	certs, err := zyre.LoadCertStore(a.authorized)
	if err != nil {
		return err
	}
	var keys []string
	for _, cert := range certs {
		keys = append(keys, cert.PublicKey)
	}
	node.SetAuthorizedKeys(keys...)
	return nil
}

// publicKeyIn returns the public key in a certificate's file, or "" if there is no path.
func publicKeyIn(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	cert, err := zyre.LoadCert(path)
	if err != nil {
		return "", err
	}
	return cert.PublicKey, nil
}
