package transport_test

import (
	"bytes"
	"errors"
	"maps"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/foreign/zmtp"
	"github.com/go-zyre/zyre/internal/transport"
	"github.com/go-zyre/zyre/internal/transport/transporttest"
)

func TestInbox_Bind_resolved(t *testing.T) {
	tr := transporttest.NewZMQ(t)
	in, _ := transporttest.MustListen(t, tr, transport.ListenOptions{}, "tcp://127.0.0.1:*")
	for _, prefix := range []string{"tcp://127.0.0.1:", "tcp://[::1]:"} {
		bound, err := in.Bind(prefix + "*")
		if err != nil {
			t.Skip(err) // no IPv6
		}
		if !strings.HasPrefix(bound, prefix) || transport.CheckEndpoint(bound) != nil {
			t.Errorf("Bind(%s*) = %s", prefix, bound)
		}
	}
	path := "ipc://" + t.TempDir() + "/s"
	if bound, err := in.Bind(path); bound != path || err != nil {
		t.Errorf("Bind(%s) = %s, %v", path, bound, err)
	}
	m := transporttest.MustDial(t, tr, path, transport.DialOptions{})
	transporttest.MustSend(t, m, transporttest.PingHeader)
	var p transport.Packet
	transporttest.MustRecv(t, in, &p)
	for _, endpoint := range []string{"", "x", "tcp://", "tcp://127.0.0.1:99999", "tcp://192.0.2.1:*"} {
		if _, err := in.Bind(endpoint); err == nil {
			t.Errorf("Bind(%q) = nil error", endpoint)
		}
	}
}

// Of messages that come one by one Recv does not ask whether there is another; Wait does.
func TestInbox_Recv_notPolled(t *testing.T) {
	tr := transporttest.NewZMQ(t)
	in, endpoint := transporttest.MustListen(t, tr, transport.ListenOptions{}, "tcp://127.0.0.1:*")
	m := transporttest.MustDial(t, tr, endpoint, transport.DialOptions{Identity: transporttest.Identity})
	var p transport.Packet
	err := error(nil)
	for start := time.Now(); !errors.Is(err, transport.ErrNotPolled); err = in.Recv(&p) {
		if time.Since(start) > patience {
			t.Fatalf("Recv() after one alone = %v, want %v", err, transport.ErrNotPolled)
		}
		transporttest.MustSend(t, m, transporttest.PingHeader)
		transporttest.MustRecv(t, in, &p)
	}
	in.Wait(time.Now())
	if err := in.Recv(&p); !errors.Is(err, transport.ErrAgain) || errors.Is(err, transport.ErrNotPolled) {
		t.Errorf("Recv() after Wait = %v, want %v", err, transport.ErrAgain)
	}
}

// A HELLO says from which address it came, also where its connection has ended since. Over ipc
// and inproc that is this host. By ZMTP 2 nothing tells, whatever routing id is claimed.
func TestInbox_Recv_address(t *testing.T) {
	for name, set := range map[string]func(*transport.ZMQ){
		"batches": func(*transport.ZMQ) {}, "public functions": (*transport.ZMQ).UsePublicOnly,
	} {
		t.Run(name, func(t *testing.T) {
			tr := transporttest.NewZMQ(t)
			set(tr)
			in, endpoint := transporttest.MustListen(t, tr, transport.ListenOptions{}, "tcp://127.0.0.1:*")
			file := "ipc://" + t.TempDir() + "/s"
			if _, err := in.Bind(file); err != nil {
				t.Fatal(err)
			}
			hello := []byte{0xAA, 0xA1, 1}
			r, err := zmtp.Dial(endpoint, []byte("tcp"))
			if err != nil {
				t.Fatal(err)
			}
			_, err = r.Write(zmtp.AppendFrame(nil, hello, false))
			if err = errors.Join(err, r.Close()); err != nil {
				t.Fatal(err)
			}
			here := netip.MustParseAddr("127.0.0.1")
			want := map[string]netip.Addr{"tcp": here, "ipc": here, "inproc": here, "ZMTP 2": {}, "inprocABCDEFGHIJKLMNOPQRSTUVWXYZ": {}}
			for _, name := range []string{"ZMTP 2", "inprocABCDEFGHIJKLMNOPQRSTUVWXYZ"} {
				r, err := zmtp.DialOld(endpoint, []byte(name))
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				if _, err = r.Write(zmtp.AppendFrame(nil, hello, false)); err != nil {
					t.Fatal(err)
				}
			}
			for name, endpoint := range map[string]string{"ipc": file, "inproc": endpoint} {
				m := transporttest.MustDial(t, tr, endpoint, transport.DialOptions{Identity: []byte(name)})
				transporttest.MustSend(t, m, hello)
			}
			got := map[string]netip.Addr{}
			for range want {
				var p transport.Packet
				transporttest.MustRecv(t, in, &p)
				got[string(p.From)] = p.Address
			}
			if !maps.Equal(got, want) {
				t.Errorf("HELLOs came from %v, want %v", got, want)
			}
		})
	}
}

// Of a routing id that is longer than ZMTP has them only the first bytes are copied, and nothing of
// what is said under it. Others are heard as ever.
func TestInbox_Recv_longIdentity(t *testing.T) {
	tr := transporttest.NewZMQ(t)
	in, endpoint := transporttest.MustListen(t, tr, transport.ListenOptions{}, "tcp://127.0.0.1:*")
	message := zmtp.AppendFrame(zmtp.AppendFrame(nil, transporttest.WhisperHeader, true), make([]byte, 1000), false)
	for _, c := range []struct{ size, from, cut, header, frames int }{
		{255, 255, 0, len(transporttest.WhisperHeader), 1},
		{256, 255, 1, 0, 0},
		{100 << 10, 255, 100<<10 - 255, 0, 0},
		{17, 17, 0, len(transporttest.WhisperHeader), 1},
	} {
		for name, dial := range map[string]func(string, []byte) (zmtp.Raw, error){"3": zmtp.Dial, "2": zmtp.DialOld} {
			id := bytes.Repeat([]byte{'x'}, c.size)
			r, err := dial(endpoint, id)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			var p transport.Packet
			for range 2 {
				mustWrite(t, r, message)
				transporttest.MustRecv(t, in, &p)
				if !bytes.Equal(p.From, id[:c.from]) || p.Cut != c.cut || len(p.Header) != c.header || len(p.Frames) != c.frames {
					t.Errorf("ZMTP %s, an id of %d bytes: %d bytes of it and %d cut, a header of %d, %d frames; want %d, %d, %d, %d",
						name, c.size, len(p.From), p.Cut, len(p.Header), len(p.Frames), c.from, c.cut, c.header, c.frames)
				}
				if c.cut > 0 && (p.Conn.IsKnown() || p.Address.IsValid()) {
					t.Errorf("an id of %d bytes is of %v, at %v; want neither", c.size, p.Conn, p.Address)
				}
			}
		}
	}
}
