//go:build unix

package process

import (
	"context"
	"os"
	"runtime/debug"
	"testing"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/watch"
)

func TestMain(m *testing.M) { os.Exit(child.Main(m, nil)) }

const (
	answerTime = 100 * time.Millisecond  // for a method that does not wait for a peer
	stopTime   = 1500 * time.Millisecond // for Stop, at the worst
	minQueue   = 64 << 10                // the smallest queue limit
)

// long chooses between the full and the short form of a number: ZYRE_LONG=1 in the
// environment asks for the full one.
func long[T any](full, short T) T {
	if os.Getenv("ZYRE_LONG") == "1" {
		return full
	}
	return short
}

// raceDetector reports whether this binary was built with -race.
func raceDetector() bool {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return false
	}
	for _, s := range info.Settings {
		if s.Key == "-race" {
			return s.Value == "true"
		}
	}
	return false
}

// remote is the Config of a node in a child that stays on this host.
func remote(name string, port int) child.Config {
	return child.Config{Name: name, Interface: "lo", Port: port, Interval: 100 * time.Millisecond}
}

// quick has a node in a child notice silence within seconds.
func quick(cfg child.Config, evasive, expired time.Duration) child.Config {
	cfg.Evasive, cfg.Silent, cfg.Expired = evasive, 2*evasive, expired
	return cfg
}

// local makes a node of this process that stays on this host, and is stopped when the
// test ends.
func local(t testing.TB, name string, port int) *zyre.Zyre {
	t.Helper()
	z := zyre.NewZyre(context.Background()).SetName(name).SetInterface("lo").SetPort(port).
		SetInterval(100 * time.Millisecond)
	t.Cleanup(z.Stop)
	return z
}

// localQuick makes a node of this process that notices silence within seconds.
func localQuick(t testing.TB, name string, port int, evasive, expired time.Duration) *zyre.Zyre {
	t.Helper()
	return local(t, name, port).SetEvasiveTimeout(evasive).SetSilentTimeout(2 * evasive).SetExpiredTimeout(expired)
}

// localStatic makes a node of this process that does not beacon.
func localStatic(t testing.TB, name string) *zyre.Zyre {
	t.Helper()
	z := zyre.NewZyre(context.Background()).SetName(name).SetInterface("lo")
	if err := z.SetEndpoint("tcp://127.0.0.1:*"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(z.Stop)
	return z
}

// mustStart starts a node and keeps its events.
func mustStart(t testing.TB, z *zyre.Zyre) *watch.Log {
	t.Helper()
	if err := z.Start(); err != nil {
		t.Fatalf("Start(%s) = %v, want nil", z.Name(), err)
	}
	return watch.Record(z)
}

// mustStopSoon stops a node, returns how long that took, and fails the test if it was
// long.
func mustStopSoon(t *testing.T, z *zyre.Zyre) time.Duration {
	t.Helper()
	start := time.Now()
	z.Stop()
	took := time.Since(start)
	if took > stopTime {
		t.Errorf("Stop(%s) took %v, want at most %v", z.Name(), took, stopTime)
	}
	return took
}

// checkAnswers fails the test if a method of a node takes long.
func checkAnswers(t *testing.T, name string, slowest child.Slowest) time.Duration {
	t.Helper()
	if slowest.Took > answerTime {
		t.Errorf("%s: %s took %v, want at most %v", name, slowest.Method, slowest.Took, answerTime)
	}
	return slowest.Took
}

// waitingFor says how many messages wait in z for its peers.
func waitingFor(z *zyre.Zyre) (n int) {
	for _, p := range z.Stats().PeerList {
		n += p.Waiting
	}
	return n
}

// fill whispers numbered messages to a peer until it is removed or enough is closed, and
// then sends the number of the last that was accepted.
func fill(z *zyre.Zyre, peer string, size int, enough <-chan struct{}) <-chan int {
	last := make(chan int, 1)
	go func() {
		i := 0
		defer func() { last <- i }()
		for {
			select {
			case <-enough:
				return
			default:
			}
			if err := z.WhisperContext(context.Background(), peer, child.Numbered(i+1, size)); err != nil {
				return
			}
			i++
		}
	}()
	return last
}

// dying starts a witness and kills it when all nodes have seen it enter, and returns a
// question: whether they have all given it up.
func dying(t *testing.T, port int, nodes ...*watch.Log) (gone func() bool) {
	t.Helper()
	return child.Dying(t, child.Run(t, remote(child.WitnessName(), port)), nodes...)
}

// expire lasts as long as it takes nodes to give up a silent peer.
func expire(t *testing.T, port int, nodes ...*watch.Log) {
	t.Helper()
	watch.Until(t, "the witness has expired", dying(t, port, nodes...))
}
