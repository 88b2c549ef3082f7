package zyre

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"testing"
)

// troop is some nodes in a process of their own, which can die all at once.
type troop struct {
	*testProc
	uuids []string
}

// startTroop starts nodes that find the others through a hub, or that contest in a group
// on a UDP port, and waits until they run.
func startTroop(t *testing.T, kind, where string, count int) *troop {
	t.Helper()
	c := &troop{testProc: startHelper(t, nil, "troop", kind, where, strconv.Itoa(count))}
	for range count {
		c.uuids = append(c.uuids, c.expect("^[0-9A-F]{32}$"))
	}
	return c
}

var _ = registerHelper("troop", func(args []string, in io.Reader, out io.Writer) error {
	count, err := strconv.Atoi(args[2])
	for i := 0; i < count && err == nil; i++ {
		z := NewZyre(context.Background()).SetName(fmt.Sprint("troop", i)).SetInterface("lo")
		defer z.Stop()
		switch args[0] {
		case "hub":
			z.GossipConnect("%s", args[1])
			err = z.SetEndpoint("tcp://127.0.0.1:*")
		case "port":
			var port int
			port, err = strconv.Atoi(args[1])
			contestant(z, port)
		}
		if err == nil {
			err = z.Start()
		}
		go func() { // ends with the node
			for range z.Events() {
			}
		}()
		fmt.Fprintln(out, z.UUID())
	}
	_, _ = io.Copy(io.Discard, in)
	return err
})
