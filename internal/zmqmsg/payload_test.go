package zmqmsg

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	zmq "github.com/pebbe/zmq4"
)

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for until := time.Now().Add(patience); !holds(); runtime.Gosched() {
		if time.Now().After(until) {
			used, pooled := PayloadBytes()
			t.Fatalf("%s: not within %v; %d bytes used, %d pooled", what, patience, used, pooled)
		}
	}
}

// unused waits until no payload is in use, in particular none of an earlier test.
func unused(t *testing.T) {
	t.Helper()
	eventually(t, "all payloads given back", func() bool { used, _ := PayloadBytes(); return used == 0 })
}

// pattern returns size bytes of which no two stretches are alike.
func pattern(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return b
}

func TestPayload_sizes(t *testing.T) { each(t, testPayloadSizes) }

func testPayloadSizes(t *testing.T, of constructor) {
	in, out := pair(t, of, 1000)
	for _, size := range []int{0, 1, 1280, 1281, 2048, 2049, 4095, 4096, 5120, 5121, 8191, 8192, 8193, 10240, 65536, 65537, 1 << 20, 1<<20 + 1, 5 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			data := pattern(size)
			p := NewPayload(data)
			sent := data[:size/2] // the caller's to change
			clear(sent)
			if used, _ := PayloadBytes(); used < size || used > max(1280, size+size/4) {
				t.Errorf("%d bytes use %d, want at most a quarter more", size, used)
			}
			if err := out.SendPayload([]byte("header"), p); err != nil {
				t.Fatal(err)
			}
			p.Release()
			got := receive(t, in, true)
			if len(got) != 2 || string(got[0]) != "header" || !bytes.Equal(got[1], pattern(size)) {
				t.Errorf("received %.40q, want a header and %d bytes as sent", got, size)
			}
			unused(t)
		})
	}
}

// One payload goes to any number of sockets, and is used until it has reached all.
func TestPayload_shared(t *testing.T) {
	each(t, func(t *testing.T, of constructor) {
		data := pattern(100_000)
		p := NewPayload(data)
		used, _ := PayloadBytes()
		var ins []*Socket
		for range 4 {
			in, out := pair(t, of, 1000)
			ins = append(ins, in)
			for range 3 {
				if err := out.SendPayload([]byte{1}, p); err != nil {
					t.Fatal(err)
				}
			}
		}
		if now, _ := PayloadBytes(); now != used {
			t.Errorf("12 messages use %d bytes, want the %d of one", now, used)
		}
		p.Release()
		for _, in := range ins {
			for range 3 {
				if got := receive(t, in, true); !bytes.Equal(got[1], data) {
					t.Errorf("received %d bytes, want %d as sent", len(got[1]), len(data))
				}
			}
		}
		unused(t)
	})
}

// What is refused is refused whole, and is not kept.
func TestPayload_refused(t *testing.T) {
	each(t, func(t *testing.T, of constructor) {
		soc, out := open(t, of, zmq.PUSH, 1)
		p := NewPayload(make([]byte, 10_000))
		if err := out.SendPayload([]byte{1}, p); !errors.Is(err, ErrAgain) {
			t.Errorf("SendPayload() without a connection = %v, want %v", err, ErrAgain)
		}
		if err := soc.Close(); err != nil {
			t.Fatal(err)
		}
		out.Free()
		p.Release()
		unused(t)
	})
}

// Sockets that are closed give back what they have not sent.
func TestPayload_closed(t *testing.T) {
	soc, err := zmq.NewSocket(zmq.PUSH)
	if err != nil {
		t.Fatal(err)
	}
	out, err := Of(soc, false)
	if err := errors.Join(err, soc.SetLinger(0), soc.Connect("tcp://127.0.0.1:1")); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		p := NewPayload(make([]byte, 10_000))
		if err := out.SendPayload([]byte{1}, p); err != nil {
			t.Fatal(err)
		}
		p.Release()
	}
	if used, _ := PayloadBytes(); used < 100_000 {
		t.Errorf("%d bytes in use while they wait, want 100000 or more", used)
	}
	out.Free()
	if err := soc.Close(); err != nil {
		t.Fatal(err)
	}
	unused(t)
}

func TestPayload_forgotten(t *testing.T) {
	func() { NewPayload(make([]byte, 10_000)).Retain() }()
	eventually(t, "a forgotten payload is given back", func() bool {
		runtime.GC()
		used, _ := PayloadBytes()
		return used == 0
	})
}

// Memory is used again, and of what waits for that there is not much more than is in use.
func TestPayload_pool(t *testing.T) {
	unused(t)
	many := make([]*Payload, 100)
	for range 3 {
		for i := range many {
			many[i] = NewPayload(make([]byte, 100_000))
		}
		_, before := PayloadBytes()
		for range 10 {
			many[0].Release()
			many[0] = NewPayload(make([]byte, 100_000))
		}
		if _, after := PayloadBytes(); after != before {
			t.Errorf("%d bytes pooled after some were used again, want %d", after, before)
		}
		for _, p := range many {
			p.Release()
		}
		if used, pooled := PayloadBytes(); used != 0 || pooled > 1<<20 || pooled < 100_000 {
			t.Errorf("%d bytes used, %d pooled; want 0, and at most 1 MiB", used, pooled)
		}
	}
}

func TestPayload_goroutines(t *testing.T) {
	var workers sync.WaitGroup
	for i := range 8 {
		workers.Go(func() {
			for j := range 2000 {
				data := bytes.Repeat([]byte{byte(i)}, 5000+1000*(j%20))
				p := NewPayload(data)
				p.Retain()
				if !bytes.Equal(p.Bytes(), data) {
					t.Error("a payload was changed by another goroutine")
				}
				p.Release()
				p.Release()
			}
		})
	}
	workers.Wait()
	unused(t)
}
