package zyre

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zyre/zyre/internal/bubble"
	"github.com/go-zyre/zyre/internal/transport/mem"
)

func TestWaitPeers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := mem.New(1)
		var nodes []*Zyre
		for i := range 4 {
			z := newMemNode(network, fmt.Sprint("node", i))
			if i > 0 {
				z.Join("hall")
			}
			nodes = append(nodes, z)
		}
		a := nodes[0]
		wait := func(group string, n int) <-chan error {
			result := make(chan error, 1)
			go func() {
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				result <- a.WaitPeers(ctx, group, n)
			}()
			return result
		}
		if err := <-wait("hall", 0); !errors.Is(err, ErrNotRunning) {
			t.Errorf("WaitPeers before Start = %v, want ErrNotRunning", err)
		}
		mustStart(t, a)
		all, members, tooMany, nowhere := wait("", 3), wait("hall", 3), wait("hall", 4), wait("nowhere", 1)
		for what, done := range map[string]<-chan error{"none": wait("", 0), "fewer than none": wait("hall", -1)} {
			if err := <-done; err != nil {
				t.Errorf("WaitPeers for %s = %v, want nil", what, err)
			}
		}
		if err := <-wait(strings.Repeat("x", 256), 1); !errors.Is(err, ErrTooLong) {
			t.Errorf("WaitPeers(long name) = %v, want ErrTooLong", err)
		}
		bubble.Sleep(time.Second)
		for _, z := range nodes[1:] {
			if len(all)+len(members) > 0 {
				t.Error("WaitPeers has returned before all peers came")
			}
			mustStart(t, z)
			record(z)
		}
		for what, done := range map[string]<-chan error{"all": all, "members": members} {
			if err := <-done; err != nil {
				t.Errorf("WaitPeers for %s = %v, want nil", what, err)
			}
		}
		err := <-tooMany
		if want := "zyre: wait for peers hall: 3 of 4: context deadline exceeded"; !errors.Is(err, context.DeadlineExceeded) || err.Error() != want {
			t.Errorf("WaitPeers for more than there are = %v, want %s", err, want)
		}
		if err := <-nowhere; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("WaitPeers(nowhere) = %v, want context.DeadlineExceeded", err)
		}
		stopped := wait("hall", 4)
		synctest.Wait()
		for _, z := range nodes {
			z.Stop()
		}
		if err := <-stopped; !errors.Is(err, ErrNotRunning) {
			t.Errorf("WaitPeers when the node stops = %v, want ErrNotRunning", err)
		}
	})
}
