//go:build unix

package process

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
)

// A leader that dies is replaced once it has expired.
func TestZyre_leaderDies(t *testing.T) {
	const evasive, expired = 500 * time.Millisecond, 1500 * time.Millisecond
	port := kit.FreeUDPPort(t)
	// The smallest UUID leads. Those who survive have the largest of some.
	var survivors []*zyre.Zyre
	for i := range 30 {
		z := kit.QuickTimeouts(kit.NewNode(t, fmt.Sprint("node", i), port), evasive, expired)
		z.SetContestInGroup("crew").Join("crew")
		survivors = append(survivors, z)
	}
	slices.SortFunc(survivors, func(a, b *zyre.Zyre) int { return strings.Compare(a.UUID(), b.UUID()) })
	survivors = survivors[len(survivors)-3:]
	p := child.Start(t, "doomed")
	cfg := quick(remote("doomed", port), evasive, expired)
	cfg.Contest, cfg.Groups = "crew", []string{"crew"}
	doomed := p.Node(cfg)
	for doomed.UUID > survivors[0].UUID() {
		cfg.Name += "'"
		doomed = p.Node(cfg)
	}
	doomed.Start()
	var logs []*watch.Log
	for _, z := range survivors {
		logs = append(logs, watch.Start(t, z))
	}
	watch.Agree(t, doomed.UUID, logs...)
	p.Kill()
	watch.Agree(t, survivors[0].UUID(), logs...)
}
