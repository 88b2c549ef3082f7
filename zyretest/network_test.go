package zyretest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/internal/bubble"
	"github.com/go-zyre/zyre/internal/transport/transporttest"
	"github.com/go-zyre/zyre/zyretest"
)

// Ten nodes meet each other, and a shout right after WaitPeers reaches the nine others: in
// a bubble, and in real time, without a thread or a descriptor.
func TestNetwork_tenNodes(t *testing.T) {
	const count = 10
	test := func(t *testing.T) (took time.Duration) {
		network := zyretest.NewNetwork(t)
		nodes := crowd(network, count, "hall")
		began := time.Now()
		logs := start(t, nodes...)
		for i, node := range nodes {
			waitFor(t, node, "hall", count-1)
			must(t, "ShoutContext", node.ShoutContext(t.Context(), "hall", fmt.Append(nil, i)))
		}
		for _, l := range logs {
			l.wait("SHOUT", count-1)
		}
		took = time.Since(began)
		for _, node := range nodes {
			node.Stop()
		}
		for i, l := range logs {
			<-l.ended
			all := ", " + l.take() + ","
			for j := range nodes {
				heard := strings.Count(all, fmt.Sprintf(", SHOUT node%d hall %d,", j, j))
				if want := min(1, max(i-j, j-i)); heard != want {
					t.Errorf("node%d heard node%d %d times, want %d", i, j, heard, want)
				}
			}
		}
		return took
	}
	t.Run("bubble", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			if took := test(t); took > 20*time.Millisecond {
				t.Errorf("it took %v, want milliseconds", took)
			}
		})
	})
	t.Run("real time", func(t *testing.T) {
		threads, descriptors, _ := transporttest.Resources(t)
		t.Log("took", test(t))
		if th, d, _ := transporttest.Resources(t); th != threads || d != descriptors {
			t.Errorf("threads of libzmq %d, descriptors %d after, %d, %d before", th, d, threads, descriptors)
		}
	})
}

// However a peer falls silent, it is reported at the times of RFC 36, and the minute that
// this takes is over at once.
func TestNetwork_silence(t *testing.T) {
	for name, silence := range map[string]func(n *zyretest.Network, a, b *zyre.Zyre){
		"kill":      func(n *zyretest.Network, _, b *zyre.Zyre) { n.Kill(b) },
		"freeze":    func(n *zyretest.Network, _, b *zyre.Zyre) { n.Freeze(b) },
		"cut":       func(n *zyretest.Network, a, b *zyre.Zyre) { n.Cut(a, b) },
		"partition": func(n *zyretest.Network, _, b *zyre.Zyre) { n.Partition(b) },
	} {
		t.Run(name, func(t *testing.T) {
			pair(t, func(t *testing.T, network *zyretest.Network, a, b *zyre.Zyre, la, _ *log) {
				silence(network, a, b)
				bubble.Sleep(time.Minute)
				la.expect(t, "EVASIVE b, SILENT b, EXIT b expired")
				for line, due := range map[string]time.Duration{"EVASIVE b": 5, "SILENT b": 10, "EXIT b expired": 30} {
					due *= time.Second
					// The last word came in the first 1.5 s, and timers are exact to 1 s.
					if at := la.when(line); at < due || at > due+2500*time.Millisecond {
						t.Errorf("%s after %v, want %v", line, at, due)
					}
				}
			})
		})
	}
}

// What is sent during a partition that is shorter than the expired timeout arrives after it,
// and nobody exits.
func TestNetwork_Partition_short(t *testing.T) {
	for _, cut := range []time.Duration{12 * time.Second, 20 * time.Second, 28 * time.Second} {
		pair(t, func(t *testing.T, network *zyretest.Network, a, b *zyre.Zyre, la, lb *log) {
			network.Partition(a)
			a.Whispers(b.UUID(), "one")
			bubble.Sleep(cut)
			la.expect(t, "EVASIVE b, SILENT b")
			lb.expect(t, "EVASIVE a, SILENT a")
			a.Whispers(b.UUID(), "two")
			network.Heal()
			bubble.Sleep(time.Minute)
			la.expect(t, "")
			lb.expect(t, "WHISPER a one, WHISPER a two")
		})
	}
}

// Secure nodes on a slow link, cut off at whatever moment while they meet: what is lost shows
// as EXIT on both sides, if both had seen ENTER.
func TestNetwork_Partition_secure(t *testing.T) {
	for cut := time.Second; cut < 9*time.Second; cut += 250 * time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			network := zyretest.NewNetwork(t)
			network.SetLatency(time.Second)
			a, b := network.NewNode("a"), network.NewNode("b")
			for _, node := range network.Nodes() {
				cert, err := zyre.NewCert()
				must(t, "NewCert", err)
				node.SetZCert(cert.PublicKey, cert.SecretKey)
			}
			logs := start(t, a, b)
			bubble.Sleep(cut)
			network.Partition(a)
			sent := 0
			for range 2 {
				if len(a.Peers()) > 0 {
					a.Whispers(b.UUID(), "text")
					sent++
				}
				bubble.Sleep(10 * time.Second)
			}
			aThen, bThen := logs[0].take(), logs[1].take()
			network.Heal()
			bubble.Sleep(time.Minute)
			la, lb := aThen+logs[0].take(), bThen+logs[1].take()
			bExits := strings.Contains(lb, "EXIT a") || !strings.Contains(bThen, "ENTER a") // a had not entered
			if strings.Count(lb, "WHISPER a text") < sent && !(strings.Contains(la, "EXIT b") && bExits) {
				t.Errorf("cut after %v: %d whispers sent, and the nodes see %q and %q", cut, sent, la, lb)
			}
			if len(a.Peers()) != 1 || len(b.Peers()) != 1 {
				t.Errorf("cut after %v: the nodes have not met in the end: %q and %q", cut, la, lb)
			}
		})
	}
}

// After a long partition peers have exited, and enter again after it.
func TestNetwork_Partition_long(t *testing.T) {
	pair(t, func(t *testing.T, network *zyretest.Network, a, b *zyre.Zyre, la, lb *log) {
		network.Partition(b)
		a.Whispers(b.UUID(), "lost")
		bubble.Sleep(time.Minute)
		la.expect(t, "EVASIVE b, SILENT b, EXIT b expired")
		lb.expect(t, "EVASIVE a, SILENT a, EXIT a expired")
		network.Heal()
		bubble.Sleep(2 * time.Second)
		la.expect(t, "ENTER b")
		lb.expect(t, "ENTER a")
	})
}

// Several calls of Partition make several sides; a node made later is on that of the others.
func TestNetwork_Partition_sides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := zyretest.NewNetwork(t)
		nodes := crowd(network, 5, "hall")
		network.Partition(nodes[0], nodes[1])
		network.Partition(nodes[2])
		nodes = append(nodes, network.NewNode("node5"))
		start(t, nodes...)
		bubble.Sleep(time.Minute)
		for i, want := range []int{1, 1, 0, 2, 2, 2} {
			if got := len(nodes[i].Peers()); got != want {
				t.Errorf("node%d has %d peers, want %d", i, got, want)
			}
		}
		network.Heal()
		bubble.Sleep(5 * time.Second)
		for i, node := range nodes {
			if got := len(node.Peers()); got != 5 {
				t.Errorf("after Heal node%d has %d peers, want 5", i, got)
			}
		}
	})
}

// Cut separates two nodes only from each other.
func TestNetwork_Cut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := zyretest.NewNetwork(t)
		nodes := crowd(network, 3, "hall")
		start(t, nodes...)
		bubble.Sleep(time.Second)
		network.Cut(nodes[0], nodes[1])
		bubble.Sleep(time.Minute)
		for i, want := range []int{1, 1, 2} {
			if got := len(nodes[i].Peers()); got != want {
				t.Errorf("node%d has %d peers, want %d", i, got, want)
			}
		}
	})
}

// A connection that breaks loses what was on its way: the receiver learns of it.
func TestNetwork_Break(t *testing.T) {
	pair(t, func(t *testing.T, network *zyretest.Network, a, b *zyre.Zyre, la, lb *log) {
		a.Whispers(b.UUID(), "lost")
		synctest.Wait() // it is under way
		network.Break(a, b)
		a.Whispers(b.UUID(), "found to be missing")
		bubble.Sleep(10 * time.Second)
		lb.expect(t, "EXIT a messages lost, ENTER a")
		if got := la.take(); !strings.HasPrefix(got, "EXIT b ") || !strings.HasSuffix(got, ", ENTER b") {
			t.Errorf("the sender sees %q, want EXIT and ENTER", got)
		}
		a.Whispers(b.UUID(), "again")
		bubble.Sleep(time.Second)
		lb.expect(t, "WHISPER a again")
	})
}

// Nothing that was on its way: nobody notices.
func TestNetwork_Break_idle(t *testing.T) {
	pair(t, func(t *testing.T, network *zyretest.Network, a, b *zyre.Zyre, la, lb *log) {
		network.Break(b, a)
		bubble.Sleep(time.Minute)
		la.expect(t, "")
		lb.expect(t, "")
	})
}

func TestNetwork_Kill(t *testing.T) {
	pair(t, func(t *testing.T, network *zyretest.Network, a, b *zyre.Zyre, la, lb *log) {
		a.Whispers(b.UUID(), "and Stop would wait for the answer to this")
		synctest.Wait()
		began := time.Now()
		network.Kill(a)
		if took := time.Since(began); took > time.Microsecond {
			t.Errorf("Kill took %v, want nothing", took)
		}
		<-la.ended
		la.expect(t, "STOP a")
		if err := a.WhisperContext(t.Context(), b.UUID(), nil); !errors.Is(err, zyre.ErrNotRunning) {
			t.Errorf("WhisperContext = %v, want ErrNotRunning", err)
		}
		bubble.Sleep(20 * time.Second)
		lb.take()
		uuid := a.UUID()
		la = start(t, a)[0] // the process was restarted
		bubble.Sleep(2 * time.Second)
		la.expect(t, "ENTER b")
		if got := lb.take(); !strings.HasPrefix(got, "EXIT a ") || !strings.HasSuffix(got, ", ENTER a") || a.UUID() != uuid {
			t.Errorf("the peer sees %q of %s, want EXIT and ENTER of %s", got, a.UUID(), uuid)
		}
	})
}

// A node that is frozen for less than the expired timeout loses nothing, and takes nobody
// else for silent.
func TestNetwork_Freeze(t *testing.T) {
	pair(t, func(t *testing.T, network *zyretest.Network, a, b *zyre.Zyre, la, lb *log) {
		network.Freeze(b)
		network.Freeze(b)
		for i := range 100 {
			a.Whispers(b.UUID(), "%d", i)
		}
		asked := make(chan []string)
		go func() { asked <- b.Peers() }()
		bubble.Sleep(25 * time.Second)
		la.expect(t, "EVASIVE b, SILENT b")
		lb.expect(t, "")
		if len(asked) > 0 {
			t.Error("a frozen node has answered")
		}
		network.Thaw(b)
		network.Thaw(b)
		if got := <-asked; len(got) != 1 {
			t.Errorf("Peers() = %q, want a", got)
		}
		bubble.Sleep(time.Minute)
		la.expect(t, "")
		if got := lb.take(); strings.Count(got, "WHISPER") != 100 || strings.Contains(got, "EXIT") || strings.Contains(got, "EVASIVE") {
			t.Errorf("after Thaw the node sees %q, want 100 WHISPERs", got)
		}
	})
}

// A killed node need not thaw first, and Close ends frozen ones.
func TestNetwork_Close(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := zyretest.NewNetwork(nil)
		nodes := crowd(network, 3, "hall")
		logs := start(t, nodes...)
		bubble.Sleep(time.Second)
		network.Freeze(nodes[0])
		network.Freeze(nodes[1])
		network.Kill(nodes[1])
		<-logs[1].ended
		network.Close()
		network.Close()
		for _, l := range logs {
			<-l.ended
		}
		if got := network.Nodes(); len(got) != 3 || got[2] != nodes[2] {
			t.Errorf("Nodes() = %v, want the three", got)
		}
	})
}

func TestNetwork_SetLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := zyretest.NewNetwork(t)
		network.SetLoss(1)
		a, b := network.NewNode("a"), network.NewNode("b")
		start(t, a, b)
		bubble.Sleep(time.Minute)
		if len(a.Peers())+len(b.Peers()) > 0 {
			t.Error("nodes have met although all beacons are lost")
		}
		network.SetLoss(0.25)
		before := b.Stats().Beacon.Received
		const count = 1000
		bubble.Sleep(count * time.Second)
		if got := b.Stats().Beacon.Received - before - count; got < count*70/100 || got > count*80/100 {
			t.Errorf("%d of %d beacons have arrived, want 3 of 4", got, count)
		}
		if len(a.Peers()) != 1 || len(b.Peers()) != 1 {
			t.Error("nodes have not met, with one of four beacons lost")
		}
	})
}

func TestNetwork_SetLatency(t *testing.T) {
	pair(t, func(t *testing.T, network *zyretest.Network, a, b *zyre.Zyre, _, lb *log) {
		for _, latency := range []time.Duration{0, time.Millisecond, 800 * time.Millisecond} {
			network.SetLatency(latency)
			sent := time.Since(lb.start)
			a.Whispers(b.UUID(), "%v", latency)
			bubble.Sleep(time.Second)
			took := lb.when("WHISPER a "+latency.String()) - sent
			if took < latency || took > latency+latency/8 {
				t.Errorf("a message takes %v, want %v and up to an eighth more", took, latency)
			}
		}
	})
}

// Messages stay in order whatever the latency does.
func TestNetwork_SetLatency_order(t *testing.T) {
	pair(t, func(t *testing.T, network *zyretest.Network, a, b *zyre.Zyre, _, lb *log) {
		var want []string
		for i := range 50 {
			network.SetLatency(time.Duration(50-i) * time.Millisecond)
			a.Whispers(b.UUID(), "%d", i)
			synctest.Wait()
			want = append(want, fmt.Sprint("WHISPER a ", i))
		}
		bubble.Sleep(time.Second)
		lb.expect(t, strings.Join(want, ", "))
	})
}

// An application that makes its nodes by itself is put on the network by the context, or by
// the function that makes them; the end of the context ends the node.
func TestNetwork_Context(t *testing.T) {
	for name, newZyre := range map[string]func(n *zyretest.Network, ctx context.Context) *zyre.Zyre{
		"Context": func(n *zyretest.Network, ctx context.Context) *zyre.Zyre { return zyre.NewZyre(n.Context(ctx)) },
		"NewZyre": (*zyretest.Network).NewZyre,
	} {
		t.Run(name, func(t *testing.T) { testContext(t, newZyre) })
	}
}

func testContext(t *testing.T, newZyre func(n *zyretest.Network, ctx context.Context) *zyre.Zyre) {
	synctest.Test(t, func(t *testing.T) {
		network := zyretest.NewNetwork(t)
		ctx, cancel := context.WithCancel(t.Context())
		app, node := newZyre(network, ctx).SetName("app"), network.NewNode("node")
		logs := start(t, app, node)
		bubble.Sleep(time.Second)
		network.Freeze(app)
		network.Thaw(app)
		var stops sync.WaitGroup
		cancel() // is Stop
		for range 3 {
			stops.Go(app.Stop)
		}
		stops.Wait()
		<-logs[0].ended
		bubble.Sleep(time.Second)
		logs[0].expect(t, "ENTER node, STOP app")
		logs[1].expect(t, "ENTER app, EXIT app goodbye")
	})
}

// A nil context is one that never ends, as for zyre.NewZyre.
func TestNetwork_NewZyre_nil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := zyretest.NewNetwork(t)
		var never context.Context
		a, b := network.NewZyre(never), network.NewNode("b")
		start(t, a, b)
		waitFor(t, a, "", 1)
	})
}

// recorder is a testing.TB that keeps its errors.
type recorder struct {
	testing.TB
	errors []string
}

func (r *recorder) Helper()        {}
func (r *recorder) Cleanup(func()) {}
func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

// A node of another network is an error of the test.
func TestNetwork_foreignNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{TB: t}
		network := zyretest.NewNetwork(r)
		node, other := network.NewNode("node"), zyretest.NewNetwork(t).NewNode("other")
		for _, misuse := range []func(){
			func() { network.Partition(node, other) },
			func() { network.Cut(other, node) },
			func() { network.Break(node, other) },
			func() { network.Kill(other) },
			func() { network.Freeze(nil) },
			func() { network.Thaw(other) },
			func() { network.Kill(zyre.NewZyre(t.Context())) },
		} {
			r.errors = nil
			misuse()
			if len(r.errors) != 1 || !strings.HasSuffix(r.errors[0], "a node that is not of this network") {
				t.Errorf("errors = %q, want one that names the mistake", r.errors)
			}
		}
		zyretest.NewNetwork(nil).Kill(other) // there is nobody to tell
	})
}

// A test may change the network while another goroutine of the bubble is in synctest.Wait.
func TestNetwork_whileWaiting(t *testing.T) {
	pair(t, func(t *testing.T, network *zyretest.Network, a, b *zyre.Zyre, _, _ *log) {
		for range 20 {
			time.AfterFunc(time.Second, func() { network.Break(a, b) })
			bubble.Sleep(time.Second)
		}
		bubble.Sleep(time.Second)
	})
}

// Time passes for a node whose application takes nothing, whenever it is woken.
func TestNetwork_applicationStopped(t *testing.T) {
	for _, step := range []time.Duration{777 * time.Microsecond, 7777 * time.Microsecond, 100300 * time.Microsecond} {
		synctest.Test(t, func(t *testing.T) {
			network := zyretest.NewNetwork(t)
			a, b := network.NewNode("a"), network.NewNode("b").SetQueueLimit(64<<10)
			start(t, a)
			must(t, "Start", b.Start()) // nobody reads its events
			bubble.Sleep(time.Second)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			for a.WhisperContext(ctx, b.UUID(), make([]byte, 10<<10)) == nil {
			}
			for begin := time.Now(); time.Since(begin) < 3*time.Second; bubble.Sleep(step) {
				if s := b.Stats(); !s.Paused {
					t.Fatalf("after %v: not paused, %d bytes wait", time.Since(begin), s.HeldBytes)
				}
			}
		})
	}
}
