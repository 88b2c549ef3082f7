package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-zyre/zyre"
)

// withNode starts a node with the common flags, runs do, and stops the node, which says
// goodbye to its peers. Set may change the node before it starts, and may be nil.
func (a *app) withNode(ctx context.Context, set func(*zyre.Zyre), do func(*zyre.Zyre) error) error {
	node, err := a.newNode(ctx)
	if err != nil {
		return err
	}
	if set != nil {
		set(node)
	}
	if err := node.Start(); err != nil {
		return err
	}
	defer node.Stop()
	return do(node)
}

// stopped is the error of a command whose node has stopped before the command was done.
func stopped(ctx context.Context) error {
	if ctx.Err() != nil {
		return errInterrupted
	}
	return errors.New("the node has stopped")
}

// discardEvents reads events that a command has no use for, so that the node need not
// keep them. It ends when the node stops.
func discardEvents(node *zyre.Zyre) {
	for range node.Events() {
		continue
	}
}

// minPrefix is how many digits of a UUID name a peer.
const minPrefix = 4

// matchPeers returns the peers that a word on the command line means: those with that
// UUID or name or, if there are none, those whose UUID begins with it.
func matchPeers(peers []zyre.PeerInfo, word string) []zyre.PeerInfo {
	pick := func(matches func(p zyre.PeerInfo) bool) []zyre.PeerInfo {
		return slices.DeleteFunc(slices.Clone(peers), func(p zyre.PeerInfo) bool { return !matches(p) })
	}
	uuid := strings.ToUpper(strings.ReplaceAll(word, "-", ""))
	if found := pick(func(p zyre.PeerInfo) bool { return p.UUID == uuid }); len(found) > 0 {
		return found
	}
	if found := pick(func(p zyre.PeerInfo) bool { return p.Name == word }); len(found) > 0 || len(uuid) < minPrefix {
		return found
	}
	return pick(func(p zyre.PeerInfo) bool { return strings.HasPrefix(p.UUID, uuid) })
}

// waitPeer waits until there is one peer that a word means. It reads no events.
func waitPeer(ctx context.Context, node *zyre.Zyre, word string, wait time.Duration) (zyre.PeerInfo, error) {
	const pause = 50 * time.Millisecond
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	for {
		switch found := matchPeers(node.PeerList(), word); len(found) {
		case 0:
		case 1:
			return found[0], nil
		default:
			var uuids []string
			for _, p := range found {
				uuids = append(uuids, p.UUID)
			}
			return zyre.PeerInfo{}, fmt.Errorf("%d nodes are called %s: name one by its UUID: %s", len(found), word, strings.Join(uuids, ", "))
		}
		select {
		case <-ticker.C:
		case <-deadline.C:
			return zyre.PeerInfo{}, fmt.Errorf("no node called %s is here after %v; zyre peers lists those that are", word, wait)
		case <-ctx.Done():
			return zyre.PeerInfo{}, errInterrupted
		}
	}
}
