package transport

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zyre/zyre/internal/bubble"
)

func TestResolver_Start(t *testing.T) {
	r := NewResolver(nil)
	r.lookup = func(ctx context.Context, _ string) ([]string, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	tests := []struct {
		endpoint string
		want     bool
	}{
		{"tcp://ann.example:1", true},
		{"tcp://ann.example:1", false}, // under way
		{"tcp://ann.example:2", true},
		{"tcp://127.0.0.1:1", false},
		{"tcp://[::1]:1", false},
		{"ipc://ann.example", false},
		{"tcp://ann.example", false},
		{"tcp://ann.invalid:1", false},
		{"tcp://ann.invalid.:1", false},
		{"", false},
	}
	for _, test := range tests {
		if got := r.Start(test.endpoint); got != test.want {
			t.Errorf("Start(%q) = %t, want %t", test.endpoint, got, test.want)
		}
	}
	begun := 2
	for r.Start(fmt.Sprintf("tcp://host%d.example:1", begun)) {
		begun++
	}
	if begun != maxLookups {
		t.Errorf("%d look-ups at once, want %d", begun, maxLookups)
	}
	r.Close()
	r.Close()
	if r.Start("tcp://bob.example:1") {
		t.Error("Start() after Close = true, want false")
	}
}

func TestResolver_Results(t *testing.T) { synctest.Test(t, testResults) }

func testResults(t *testing.T) {
	noSuchHost := errors.New("no such host")
	r := NewResolver(nil)
	defer r.Close()
	r.connect = func(context.Context, string) error { return errors.New("refused") }
	r.lookup = func(_ context.Context, host string) ([]string, error) {
		switch host {
		case "ann.example":
			return []string{"192.0.2.2", "fe80::2%eth0", "192.0.2.1"}, nil
		case "empty.example":
			return nil, nil
		}
		return nil, noSuchHost
	}
	tests := []struct {
		endpoint string
		numeric  []string
		err      bool
	}{
		{"tcp://ann.example:9", []string{"tcp://192.0.2.2:9", "tcp://[fe80::2%eth0]:9", "tcp://192.0.2.1:9"}, false},
		{"tcp://empty.example:9", nil, true},
		{"tcp://other.example:9", nil, true},
	}
	for _, test := range tests {
		for range 2 { // again, once it is done
			synctest.Wait()
			if !r.Start(test.endpoint) {
				t.Fatalf("Start(%s) = false, want true", test.endpoint)
			}
			got := <-r.Results()
			if got.Endpoint != test.endpoint || !slices.Equal(got.Numeric, test.numeric) || (got.Err != nil) != test.err {
				t.Errorf("Results() of %s = %+v, want %v and an error: %t", test.endpoint, got, test.numeric, test.err)
			}
		}
	}
}

// A resolver that does not answer holds up nobody, and what nobody reads ends by Close.
func TestResolver_slow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewResolver(nil)
		r.lookup = func(ctx context.Context, _ string) ([]string, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		start := time.Now()
		r.Start("tcp://ann.example:1")
		got := <-r.Results()
		if took := time.Since(start); took != lookupLimit || !errors.Is(got.Err, context.DeadlineExceeded) {
			t.Errorf("%v after %v, want the end after %v", got.Err, took, lookupLimit)
		}
		for i := range 3 * maxLookups {
			r.Start(fmt.Sprintf("tcp://host%d.example:1", i))
			bubble.Sleep(lookupLimit)
		}
		r.Close()
		for range r.Results() {
		}
	})
}

// Of several addresses those are used that a connection can be made to.
func TestResolver_answering(t *testing.T) {
	const never = time.Hour
	for _, test := range []struct {
		name    string
		answers map[string]time.Duration // when a connection is made; others are refused
		want    []string
		took    time.Duration
	}{
		{"first", map[string]time.Duration{"192.0.2.1:9": 0, "192.0.2.2:9": never}, []string{"tcp://192.0.2.1:9"}, othersTime},
		{"second", map[string]time.Duration{"192.0.2.1:9": never, "192.0.2.2:9": time.Second}, []string{"tcp://192.0.2.2:9"}, time.Second + othersTime},
		{"second at once", map[string]time.Duration{"[2001:db8::1]:9": 0}, []string{"tcp://[2001:db8::1]:9"}, 0},
		{"both, the second first", map[string]time.Duration{"192.0.2.1:9": othersTime / 2, "192.0.2.2:9": 0},
			[]string{"tcp://192.0.2.1:9", "tcp://192.0.2.2:9"}, othersTime / 2},
		{"none", nil, []string{"tcp://192.0.2.1:9", "tcp://192.0.2.2:9", "tcp://[2001:db8::1]:9"}, 0},
		{"none in time", map[string]time.Duration{"192.0.2.1:9": never, "192.0.2.2:9": never, "[2001:db8::1]:9": never},
			[]string{"tcp://192.0.2.1:9", "tcp://192.0.2.2:9", "tcp://[2001:db8::1]:9"}, probeLimit},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := NewResolver(nil)
				defer r.Close()
				r.lookup = func(context.Context, string) ([]string, error) {
					return []string{"192.0.2.1", "ff02::1", "192.0.2.2", "2001:db8::1"}, nil
				}
				r.connect = func(ctx context.Context, hostPort string) error {
					after, ok := test.answers[hostPort]
					if !ok {
						return errors.New("refused")
					}
					select {
					case <-time.After(after):
						return nil
					case <-ctx.Done():
						return ctx.Err()
					}
				}
				start := time.Now()
				r.Start("tcp://ann.example:9")
				got := <-r.Results()
				if took := time.Since(start); !slices.Equal(got.Numeric, test.want) || took != test.took {
					t.Errorf("Numeric = %q after %v, want %q after %v", got.Numeric, took, test.want, test.took)
				}
			})
		})
	}
}

// What others name has places of its own and a limited rate; addresses that may not be used
// are not connected to, not even to see which of several answers, and not told.
func TestResolver_StartNamed(t *testing.T) { synctest.Test(t, testStartNamed) }

func testStartNamed(t *testing.T) {
	r := NewResolver(nil)
	defer r.Close()
	var connected atomic.Int32
	r.connect = func(context.Context, string) error {
		connected.Add(1)
		return nil
	}
	r.lookup = func(ctx context.Context, host string) ([]string, error) {
		if host == "slow.example" {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return []string{"127.0.0.1", "::1", "192.0.2.1"}, nil
	}
	var notLocal EndpointRule
	if !r.StartNamed("tcp://localhost:6379", "ann", notLocal) {
		t.Fatal("StartNamed() = false, want true")
	}
	got := <-r.Results()
	synctest.Wait() // its place is free again
	if want := []string{"tcp://192.0.2.1:6379"}; !slices.Equal(got.Numeric, want) || !got.Named || connected.Load() != 0 {
		t.Errorf("resolved %+v after %d connections, want %q and none", got, connected.Load(), want)
	}
	begun := 0
	for r.StartNamed(fmt.Sprintf("tcp://slow.example:%d", begun+1), "ann", notLocal) {
		begun++
	}
	if begun != maxLookups {
		t.Errorf("%d look-ups at once, want %d", begun, maxLookups)
	}
	if !r.Start("tcp://mine.example:1") || !r.Start("tcp://slow.example:1") {
		t.Error("Start() = false, want true: the application has places of its own")
	}
	if got := <-r.Results(); got.Named || len(got.Numeric) != 2+1 {
		t.Errorf("resolved %+v, want all three addresses", got)
	}
	for range begun + 1 {
		<-r.Results()
	}
	synctest.Wait()
	const seconds = 8
	begun = 0
	for range 100 * seconds {
		bubble.Sleep(10 * time.Millisecond)
		if r.StartNamed("tcp://ann.example:1", "ann", notLocal) {
			begun++
			<-r.Results()
			synctest.Wait()
		}
	}
	if most := namedBurst + ownBurst + (namedRate+ownRate)*seconds; begun > most || begun < namedRate*seconds {
		t.Errorf("%d look-ups in %d s, want at most %d", begun, seconds, most)
	}
}

// Who has many names looked up, which time out, takes neither places nor the rate of others.
func TestResolver_StartNamed_greediestGivesWay(t *testing.T) {
	synctest.Test(t, testGreediestGivesWay)
}

func testGreediestGivesWay(t *testing.T) {
	r := NewResolver(nil)
	defer r.Close()
	r.lookup = func(ctx context.Context, host string) ([]string, error) {
		if host == "ann.example" {
			return []string{"192.0.2.1"}, nil
		}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	found, gaveWay := 0, 0
	taken := make(chan struct{})
	go func() {
		defer close(taken)
		for got := range r.Results() {
			switch {
			case got.Err == nil:
				found++
			case errors.Is(got.Err, ErrGaveWay):
				gaveWay++
			}
		}
	}()
	tries := 0
	for i := range 1200 { // 12 s
		greedy := fmt.Sprint("greedy", i%2)
		r.StartNamed(fmt.Sprintf("tcp://n%d.example:1", i), greedy, EndpointRule{})
		if i%100 == 99 {
			tries++
			if !r.StartNamed("tcp://ann.example:1", "ann", EndpointRule{}) {
				t.Errorf("after %d look-ups of others a first one is refused, want a place for it", i)
			}
			synctest.Wait()
		}
		r.mu.Lock()
		n := len(r.named)
		r.mu.Unlock()
		if n > maxLookups {
			t.Fatalf("%d look-ups at once, want at most %d", n, maxLookups)
		}
		bubble.Sleep(10 * time.Millisecond)
	}
	r.Close()
	<-taken
	if found != tries || gaveWay < tries {
		t.Errorf("%d of %d look-ups answered, %d of others gave way, want %[2]d at least", found, tries, gaveWay)
	}
	for name, n := range r.namers {
		if n.places != 0 {
			t.Errorf("%s has %d places at the end, want none", name, n.places)
		}
	}
}

// However many name something, what is remembered of them is bounded.
func TestResolver_StartNamed_manyNamers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewResolver(func(context.Context, string) ([]string, error) { return nil, nil })
		defer r.Close()
		for i := range 3 * maxNamers {
			if r.StartNamed("tcp://ann.example:1", fmt.Sprint(i), EndpointRule{}) {
				<-r.Results()
				synctest.Wait()
			}
		}
		if n := len(r.namers); n > maxNamers+1 {
			t.Errorf("%d are remembered, want at most %d", n, maxNamers+1)
		}
	})
}
