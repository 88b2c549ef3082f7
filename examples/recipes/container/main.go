// Container is a node that is configured by its environment, as in a container. The
// Dockerfile beside it builds an image; docs/recipes.md says what to set when.
//
//	ZYRE_IFACE=lo go run ./examples/recipes/container
package main

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/go-zyre/zyre"
)

func main() {
	// docker stop sends SIGTERM, and SIGKILL after 10 s. The node stops within one.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	node := zyre.NewZyre(ctx).SetLogger(slog.New(slog.NewJSONHandler(os.Stderr, nil)))
	if err := configure(node, os.Getenv); err != nil {
		log.Fatal(err)
	}
	if err := node.Start(); err != nil {
		log.Fatal(err)
	}
	for event := range node.Events() {
		fmt.Println(event)
	}
}

// configure sets what is in the environment; what is not stays as it is by default.
//
//	ZYRE_NAME        name of the node
//	ZYRE_GROUPS      groups to join, with commas
//	ZYRE_IFACE       interface or address
//	ZYRE_PORT        TCP port for peers, which has to be published where there is NAT
//	ZYRE_ADVERTISE   endpoint at which peers on other hosts reach that port
//	ZYRE_HUB_BIND    endpoint of a hub on this node, such as tcp://*:9999
//	ZYRE_HUBS        endpoints of hubs to connect to, with commas
//	ZYRE_PEERS       endpoints of peers to connect to, with commas
func configure(node *zyre.Zyre, getenv func(string) string) error {
	each := func(name string, do func(value string) error) error {
		for _, value := range strings.FieldsFunc(getenv(name), func(r rune) bool { return r == ',' }) {
			if err := do(value); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return nil
	}
	if name := getenv("ZYRE_NAME"); name != "" {
		node.SetName(name)
	}
	node.SetInterface(getenv("ZYRE_IFACE"))
	if advertise := getenv("ZYRE_ADVERTISE"); advertise != "" {
		node.SetAdvertisedEndpoint(advertise)
	}
	if bind := getenv("ZYRE_HUB_BIND"); bind != "" {
		node.GossipBind("%s", bind)
	}
	for _, setting := range []struct {
		name string
		do   func(value string) error
	}{
		{"ZYRE_GROUPS", func(group string) error { node.Join(group); return nil }},
		{"ZYRE_HUBS", func(hub string) error { node.GossipConnect("%s", hub); return nil }},
		{"ZYRE_PEERS", func(peer string) error { return node.RequirePeer("", peer, "") }},
		{"ZYRE_PORT", func(text string) error {
			port, err := strconv.Atoi(text)
			node.SetBeaconPeerPort(port)
			return err
		}},
	} {
		if err := each(setting.name, setting.do); err != nil {
			return err
		}
	}
	return nil
}
