package zmqmsg

import (
	"errors"
	"testing"

	zmq "github.com/pebbe/zmq4"
)

// Each message of a batch is told the connection that brought it, however the senders take turns,
// and also where the batch begins or ends inside a message.
func TestFrame_Source(t *testing.T) {
	each(t, func(t *testing.T, of constructor) {
		ctx, err := zmq.NewContext()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { // after the sockets
			if err := ctx.Term(); err != nil {
				t.Error(err)
			}
		})
		in, endpoint := router(t, ctx, of)
		var outs []*Socket
		for _, id := range []string{"alice", "bob"} {
			outs = append(outs, dealer(t, ctx, of, id, endpoint))
		}
		sources := map[string]int{} // of each sender
		const messages = 200        // so many that they fill batches
		for i := range messages {
			send(t, outs[i/3%2], []byte{0, 0, byte(i)}, make([][]byte, i%2))
		}
		for range messages {
			wait(t, in, false)
			sender := string(in.Next().Data)
			for index, more := 1, true; more; index++ {
				wait(t, in, false)
				f := in.Next()
				if more = f.More; index > 1 {
					continue
				}
				if known := sources[sender]; known != 0 && f.Source != known || f.Source <= 0 {
					t.Fatalf("%s is on descriptor %d, want %d", sender, f.Source, known)
				}
				sources[sender] = f.Source
			}
		}
		if sources["alice"] == sources["bob"] {
			t.Errorf("both senders are on descriptor %d", sources["bob"])
		}
	})
}

// router makes a socket that says who sent a message.
func router(t *testing.T, ctx *zmq.Context, of constructor) (in *Socket, endpoint string) {
	t.Helper()
	soc, in := socket(t, ctx, of, zmq.ROUTER, false)
	if err := soc.Bind("tcp://127.0.0.1:*"); err != nil {
		t.Fatal(err)
	}
	endpoint, err := soc.GetLastEndpoint()
	if err != nil {
		t.Fatal(err)
	}
	return in, endpoint
}

func dealer(t *testing.T, ctx *zmq.Context, of constructor, id, endpoint string) *Socket {
	t.Helper()
	soc, out := socket(t, ctx, of, zmq.DEALER, false)
	if err := errors.Join(soc.SetIdentity(id), soc.Connect(endpoint)); err != nil {
		t.Fatal(err)
	}
	return out
}

// socket makes a socket that is closed before the context has to be terminated.
func socket(t *testing.T, ctx *zmq.Context, of constructor, kind zmq.Type, users bool) (*zmq.Socket, *Socket) {
	t.Helper()
	soc, err := ctx.NewSocket(kind)
	if err != nil {
		t.Fatal(err)
	}
	s, err := of(soc, users)
	if err := errors.Join(err, soc.SetLinger(0)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Free()
		if err := soc.Close(); err != nil {
			t.Error(err)
		}
	})
	return soc, s
}
