// Package kit is what the black-box tests share: nodes that stay on this host, a
// recorder of their events, free ports, CURVE keys, patience, and a check that nothing is
// left behind. It uses the public API of package zyre only.
//
// A test of a network waits for events, never for time. What should come is waited for
// with [Recorder.Wait], or with [Eventually] where there is no event. What should not come
// is shown by something that was sent after it and does come.
package kit

import (
	"net"
	"os"
	"runtime/debug"
	"testing"
	"time"
)

// Patience is how long a test waits for news before it fails: long enough for a busy
// machine. StormPatience is for all the news of one wait together.
const (
	Patience      = 20 * time.Second
	StormPatience = 10 * time.Minute
)

// lookAgain is the time between two looks at something that has no event.
const lookAgain = 2 * time.Millisecond

// Eventually waits until something holds.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	deadline := time.Now().Add(Patience)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, Patience)
		}
		<-again.C
	}
}

// EventuallyAll waits until a count has reached what is wanted, for as long as it grows.
func EventuallyAll(t testing.TB, what string, want int, count func() int) {
	t.Helper()
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	got, since := count(), time.Now()
	for got < want {
		<-again.C
		if now := count(); now != got {
			got, since = now, time.Now()
		} else if time.Since(since) > Patience {
			t.Fatalf("%s: %d of %d, and no more in %v", what, got, want, Patience)
		}
	}
}

// FreeUDPPort finds a UDP port that nobody uses, so that the nodes of one test see no
// others.
func FreeUDPPort(t testing.TB) int {
	t.Helper()
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).Port
}

// FreeTCPPort finds a TCP port that nobody uses.
func FreeTCPPort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// Long chooses between the full and the short form of a number: ZYRE_LONG=1 in the
// environment asks for the full one.
func Long[T any](full, short T) T {
	if os.Getenv("ZYRE_LONG") == "1" {
		return full
	}
	return short
}

// SoakTime returns how long a soak is to last, or skips the test.
func SoakTime(t testing.TB) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(os.Getenv("ZYRE_SOAK"))
	if err != nil {
		t.Skip("goes on for a while: make soak DURATION=…")
	}
	return d
}

// HasRaceDetector reports whether this binary was built with -race.
func HasRaceDetector() bool {
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
