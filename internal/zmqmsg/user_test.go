package zmqmsg

import (
	"errors"
	"slices"
	"testing"

	zmq "github.com/pebbe/zmq4"
)

// Under a ZAP handler libzmq tells who sent a message.
func TestFrame_User(t *testing.T) {
	each(t, func(t *testing.T, of constructor) {
		ctx, err := zmq.NewContext()
		if err != nil {
			t.Fatal(err)
		}
		defer ctx.Term()
		bound, handled := make(chan struct{}), make(chan error, 1)
		go func() { handled <- handleZAP(ctx, "alice", bound) }()
		select {
		case <-bound: // earlier, libzmq would do without it
		case err := <-handled:
			t.Fatal(err)
		}

		for _, users := range []bool{true, false} {
			testUser(t, ctx, of, users)
		}
		// The handler ends with the context.
		if err := errors.Join(ctx.Term(), <-handled); err != nil {
			t.Error(err)
		}
	})
}

func testUser(t *testing.T, ctx *zmq.Context, of constructor, users bool) {
	listener, err := ctx.NewSocket(zmq.PULL)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if err := errors.Join(listener.SetZapDomain("test"), listener.Bind("tcp://127.0.0.1:*")); err != nil {
		t.Fatal(err)
	}
	endpoint, err := listener.GetLastEndpoint()
	if err != nil {
		t.Fatal(err)
	}
	dialer, err := ctx.NewSocket(zmq.PUSH)
	if err != nil {
		t.Fatal(err)
	}
	defer dialer.Close()
	if err := errors.Join(dialer.SetLinger(0), dialer.Connect(endpoint)); err != nil {
		t.Fatal(err)
	}
	in, err := of(listener, users)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Free()
	out, err := of(dialer, false)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Free()

	for range 2 {
		send(t, out, []byte("header"), [][]byte{[]byte("a"), []byte("b")})
		var got []string
		for more := true; more; {
			wait(t, in, false)
			f := in.Next()
			got, more = append(got, f.User), f.More
		}
		want := []string{"", "alice", ""}
		if !users {
			want[1] = ""
		}
		if !slices.Equal(got, want) {
			t.Errorf("User of the frames with users=%v = %q, want %q", users, got, want)
		}
	}
}

// handleZAP lets everybody in as user until the context is terminated.
func handleZAP(ctx *zmq.Context, user string, bound chan<- struct{}) error {
	soc, err := ctx.NewSocket(zmq.REP)
	if err != nil {
		return err
	}
	defer soc.Close()
	if err := soc.Bind("inproc://zeromq.zap.01"); err != nil {
		return err
	}
	close(bound)
	for {
		request, err := soc.RecvMessage(0)
		if zmq.AsErrno(err) == zmq.ETERM {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := soc.SendMessage(request[0], request[1], "200", "OK", user, ""); err != nil {
			return err
		}
	}
}
