package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/cmd/zyre/internal/doctor"
)

// doctorFlags say what zyre doctor looks at.
type doctorFlags struct {
	against  string
	pair     string
	pairPort int
	pairWait time.Duration
	listen   time.Duration
}

func newDoctor(a *app) *cobra.Command {
	f := doctorFlags{pairPort: doctor.DefaultPairPort, pairWait: time.Minute, listen: 5 * time.Second}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Find out why nodes do not see each other",
		Long: "Examine this host and the network, in less than 10 s, and say for each fault what to do.\n" +
			"Give it the same --interface, --port, --hub and --cert as the program that sees nobody.\n\n" +
			"It looks at the interfaces and says which one a node would use and why; starts a node and\n" +
			"listens for its own beacons and those of all others; connects to every port that is\n" +
			"advertised; and sees whether the nodes there answer. As root it also sees beacons to\n" +
			"other UDP ports, and those that a firewall of this host drops.\n\n" +
			"With --against it looks at one other host only. With the same --pair word on two hosts at\n" +
			"the same time, both say what passes in which direction; --against the other host lets them\n" +
			"find each other where broadcasts do not pass.\n\n" +
			"Exit status 0 means that nothing is wrong, 1 that there are faults.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.listen <= 0 || f.pairPort < 1 || f.pairPort > 65535 || f.pairPort == a.port {
				return usageError{errors.New("--listen must be more than 0, and --pair-port a port other than --port")}
			}
			return a.doctor(cmd.Context(), f)
		},
		Example: "  zyre doctor\n" +
			"  zyre doctor --interface eth0 --port 5671\n" +
			"  zyre doctor --against 192.168.1.8 --pair tea     # and the same on the other host",
	}
	cmd.Flags().StringVar(&f.against, "against", f.against, "look only at this `HOST`, a name or an address")
	cmd.Flags().StringVar(&f.pair, "pair", f.pair, "a `WORD` that zyre doctor on the other host is given too")
	cmd.Flags().IntVar(&f.pairPort, "pair-port", f.pairPort, "UDP and TCP `PORT` on which the two talk")
	cmd.Flags().DurationVar(&f.pairWait, "pair-wait", f.pairWait, "how long to wait for the other")
	cmd.Flags().DurationVar(&f.listen, "listen", f.listen, "how long to listen; some nodes send beacons only each second")
	return cmd
}

func (a *app) doctor(ctx context.Context, f doctorFlags) error {
	c, err := a.doctorConfig(ctx, f)
	if err != nil {
		return err
	}
	if f.pair != "" && !a.json {
		if err := a.errOut.line("run zyre doctor --pair with the same word on the other host now"); err != nil {
			return err
		}
	}
	report, err := doctor.Run(ctx, c)
	switch {
	case ctx.Err() != nil:
		return errInterrupted
	case err != nil:
		return err
	}
	if a.json {
		err = a.doctorJSON(report)
	} else {
		err = a.doctorText(report)
	}
	if err == nil && len(report.Faults) > 0 {
		return errSaid
	}
	return err
}

// doctorConfig takes over the common flags.
func (a *app) doctorConfig(ctx context.Context, f doctorFlags) (doctor.Config, error) {
	c := doctor.Config{
		Interface: a.iface, Port: a.port, Listen: f.listen, Target: f.against,
		Word: f.pair, PairPort: f.pairPort, PairWait: f.pairWait,
		Beaconing: a.flags.Changed("port") || a.endpoint == "" && len(a.hubs) == 0,
	}
	hubKey, err := publicKeyIn(a.hubCert)
	if err != nil {
		return c, err
	}
	for _, hub := range a.hubs {
		c.Hubs = append(c.Hubs, doctor.Hub{Endpoint: hub, Key: hubKey})
	}
	if a.cert != "" {
		cert, err := zyre.LoadCert(a.cert)
		if err != nil {
			return c, err
		}
		c.PublicKey, c.SecretKey = cert.PublicKey, cert.SecretKey
	}
	if a.authorized != "" {
		certs, err := zyre.LoadCertStore(a.authorized)
		if err != nil {
			return c, err
		}
		c.Restricted = true
		for _, cert := range certs {
			c.Authorized = append(c.Authorized, cert.PublicKey)
		}
	}
	if f.against != "" {
		addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", f.against)
		if err != nil {
			return c, fmt.Errorf("--against %s: %w", f.against, err)
		}
		for _, addr := range addrs {
			c.Against = append(c.Against, netip.Addr.Unmap(addr))
		}
	}
	node, err := a.newNode(ctx)
	if err != nil {
		return c, err
	}
	if !a.verbose {
		node.SetLogger(nil) // the report says it
	}
	c.Node = node
	return c, nil
}

// doctorJSON prints each fact, interface, node, hub, pair and fault in a line of its own.
func (a *app) doctorJSON(r *doctor.Report) error {
	var all []any
	add := func(kind string, v any) { all = append(all, map[string]any{"kind": kind, kind: v}) }
	for _, f := range r.Facts {
		add("fact", f)
	}
	for _, i := range r.Interfaces {
		add("interface", i)
	}
	for _, n := range r.Nodes {
		add("node", n)
	}
	for _, h := range r.Hubs {
		add("hub", h)
	}
	if r.Pair != nil {
		add("pair", r.Pair)
	}
	for _, f := range r.Faults {
		add("fault", f)
	}
	for _, v := range all {
		if err := a.out.object(v); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) doctorText(r *doctor.Report) error {
	p := a.out
	v := readVersions()
	_ = p.line("%s zyre %s, libzmq %s, %s", p.paint(bold, fmt.Sprintf("%-12s", "versions")), v.Zyre, v.Libzmq, v.Go) // the printer keeps the error
	for _, f := range r.Facts {
		_ = p.line("%s %s", p.paint(bold, fmt.Sprintf("%-12s", f.About)), safe(f.Text))
	}
	_ = p.line("")
	rows := [][]string{{"INTERFACE", "ADDRESSES", "KIND", "A NODE WOULD USE IT"}}
	for _, i := range r.Interfaces {
		chosen := "no"
		if i.Chosen != "" {
			chosen = "yes: " + i.Chosen
		}
		rows = append(rows, []string{i.Name, strings.Join(i.Addrs, " "), i.Kind, chosen})
	}
	_ = p.table(rows)
	a.doctorNodes(r)
	a.doctorHubs(r)
	a.doctorPair(r.Pair)
	_ = p.line("")
	if len(r.Faults) == 0 {
		return p.line("%s", p.paint(green, "Nothing is wrong."))
	}
	for i, f := range r.Faults {
		_ = p.line("%s %s", p.paint(red, fmt.Sprintf("Fault %d of %d:", i+1, len(r.Faults))), safe(f.What)+".")
		_ = p.line("  To do: %s.", safe(f.Do))
	}
	return p.err
}

func (a *app) doctorNodes(r *doctor.Report) {
	if len(r.Nodes) == 0 {
		_ = a.out.line("\nNo other nodes were heard of.")
		return
	}
	_ = a.out.line("")
	rows := [][]string{{"NODE", "UUID", "ENDPOINT", "FROM", "BEACONS", "LAST", "SECURITY", "TCP", "HELLO", "PING"}}
	for _, n := range r.Nodes {
		last, from := "-", n.Source
		if n.Beacons > 0 {
			last = n.Age.Round(100 * time.Millisecond).String()
			from = fmt.Sprintf("%s UDP %d", n.Interface, n.UDPPort)
		}
		ping := "no answer"
		switch {
		case n.Answered:
			ping = fmt.Sprintf("%.1f ms", milliseconds(n.RTT))
		case !n.Entered:
			ping = "-"
		}
		security := "plain"
		if n.Secure {
			security = "CURVE"
		}
		hello := "no"
		if n.Entered {
			hello = "yes"
		}
		tcp := n.TCP
		if n.Mechanism != "" {
			tcp += ", " + n.Mechanism
		}
		rows = append(rows, []string{shownName(n.Name), n.UUID[:6], n.Endpoint, from, fmt.Sprint(n.Beacons), last, security, tcp, hello, ping})
	}
	_ = a.out.table(rows)
}

func (a *app) doctorHubs(r *doctor.Report) {
	if len(r.Hubs) == 0 {
		return
	}
	_ = a.out.line("")
	rows := [][]string{{"HUB", "TCP", "SECURITY", "ANSWERS", "NODES"}}
	for _, h := range r.Hubs {
		answers := "yes"
		if !h.Up {
			answers = "no: " + h.Error
		}
		rows = append(rows, []string{h.Endpoint, h.TCP, h.Mechanism, answers, fmt.Sprint(h.Nodes)})
	}
	_ = a.out.table(rows)
}

func (a *app) doctorPair(r *doctor.Pair) {
	if r == nil || !r.Found {
		return
	}
	word := func(b *bool) string {
		switch {
		case b == nil:
			return "not known"
		case *b:
			return "yes"
		}
		return "NO"
	}
	_ = a.out.line("")
	_ = a.out.table([][]string{
		{"PASSES", "FROM HERE TO " + r.Host, "FROM " + r.Host + " TO HERE"},
		{"broadcasts of beacons", word(r.Broadcast.There), word(r.Broadcast.Back)},
		{"UDP to one host", word(r.UDP.There), word(r.UDP.Back)},
		{"TCP to the node", word(r.TCP.There), word(r.TCP.Back)},
		{"HELLO", word(r.Hello.There), word(r.Hello.Back)},
	})
}
