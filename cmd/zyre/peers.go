package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/go-zyre/zyre"
)

// peerLine is what zyre peers --json says of a peer.
type peerLine struct {
	UUID      string            `json:"uuid"`
	Name      string            `json:"name"`
	Endpoint  string            `json:"endpoint"`
	Groups    []string          `json:"groups"`
	Headers   map[string]string `json:"headers"`
	PublicKey string            `json:"public_key,omitempty"`
	RTT       float64           `json:"rtt_ms,omitempty"` // milliseconds; missing if no ping was answered yet
}

func newPeers(a *app) *cobra.Command {
	wait, count := 3*time.Second, 0
	cmd := &cobra.Command{
		Use:   "peers",
		Short: "List the nodes that can be seen from here",
		Long: "Start a node, wait for the nodes of the network to enter, and list them. With --group it\n" +
			"lists those that have joined one of the groups. With --count it waits for so many and\n" +
			"no longer, and fails if there are fewer.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.listPeers(cmd.Context(), wait, count) },
		Example: "  zyre peers\n" +
			"  zyre peers --group hall --count 3     # wait for three in the group\n" +
			"  zyre peers --json | jq -r .endpoint",
	}
	cmd.Flags().DurationVarP(&wait, "wait", "w", wait, "how long to wait")
	cmd.Flags().IntVarP(&count, "count", "c", count, "list as soon as this `NUMBER` of nodes is there")
	return cmd
}

func (a *app) listPeers(ctx context.Context, wait time.Duration, count int) error {
	node, err := a.newNode(ctx)
	if err != nil {
		return err
	}
	if err := node.Start(); err != nil {
		return err
	}
	defer node.Stop()
	found, err := a.findPeers(ctx, node, wait, count)
	if err != nil {
		return err
	}
	if err := a.printPeers(found); err != nil {
		return err
	}
	if len(found) < count {
		return fmt.Errorf("%d of %d nodes are here after %v", len(found), count, wait)
	}
	return nil
}

// findPeers waits, and returns the peers that are there.
func (a *app) findPeers(ctx context.Context, node *zyre.Zyre, wait time.Duration, count int) ([]zyre.PeerInfo, error) {
	list := func() []zyre.PeerInfo {
		return slices.DeleteFunc(node.PeerList(), func(p zyre.PeerInfo) bool {
			inGroup := func(group string) bool { return slices.Contains(p.Groups, group) }
			return len(a.groups) > 0 && !slices.ContainsFunc(a.groups, inGroup)
		})
	}
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	for {
		if count > 0 {
			if found := list(); len(found) >= count {
				return found, nil
			}
		}
		select {
		case <-deadline.C:
			return list(), nil
		case <-ctx.Done():
			return nil, errInterrupted
		case _, running := <-node.Events():
			if !running {
				if ctx.Err() != nil {
					return nil, errInterrupted
				}
				return nil, errors.New("the node has stopped")
			}
		}
	}
}

func (a *app) printPeers(found []zyre.PeerInfo) error {
	rows := [][]string{{"NAME", "UUID", "ENDPOINT", "GROUPS"}}
	for _, p := range found {
		if a.json {
			line := peerLine{
				UUID: p.UUID, Name: p.Name, Endpoint: p.Endpoint, Groups: p.Groups, Headers: p.Headers,
				PublicKey: p.PublicKey, RTT: milliseconds(p.RTT),
			}
			if err := a.out.object(line); err != nil {
				return err
			}
			continue
		}
		rows = append(rows, []string{shownName(p.Name), p.UUID, p.Endpoint, strings.Join(p.Groups, ",")})
	}
	switch {
	case a.json:
		return nil
	case len(found) == 0:
		if len(a.groups) > 0 {
			return a.errOut.line("no node is in %s", safe(strings.Join(a.groups, " or ")))
		}
		return a.errOut.line("no nodes can be seen; zyre doctor finds out why")
	}
	return a.out.table(rows)
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
