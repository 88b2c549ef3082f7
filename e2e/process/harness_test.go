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
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
)

func TestMain(m *testing.M) { os.Exit(child.Main(m, nil)) }

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

// checkAnswers fails the test if a method of a node takes long.
func checkAnswers(t *testing.T, name string, slowest child.Slowest) time.Duration {
	t.Helper()
	if slowest.Took > kit.AnswerTime {
		t.Errorf("%s: %s took %v, want at most %v", name, slowest.Method, slowest.Took, kit.AnswerTime)
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
