package zyre

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/internal/wire"
)

// zrePair returns a ROUTER and a DEALER connected to it, in a context of their own.
func zrePair(t *testing.T) (router, dealer *zmq.Socket) {
	t.Helper()
	ctx, err := zmq.NewContext()
	if err != nil {
		t.Fatalf("NewContext() = %v", err)
	}
	t.Cleanup(func() {
		if err := ctx.Term(); err != nil {
			t.Errorf("Term() = %v", err)
		}
	})
	open := func(kind zmq.Type) *zmq.Socket {
		s, err := ctx.NewSocket(kind)
		if err != nil {
			t.Fatalf("NewSocket(%v) = %v", kind, err)
		}
		t.Cleanup(func() { s.Close() })
		if err := errors.Join(s.SetLinger(0), s.SetRcvtimeo(10*time.Second), s.SetSndtimeo(10*time.Second)); err != nil {
			t.Fatalf("options of %v = %v", kind, err)
		}
		return s
	}
	uuid, _ := parseUUID(zreTestID)
	router, dealer = open(zmq.ROUTER), open(zmq.DEALER)
	if err := errors.Join(
		router.Bind("inproc://zre"),
		dealer.SetIdentity(string(appendIdentity(nil, uuid))),
		dealer.Connect("inproc://zre"),
	); err != nil {
		t.Fatalf("connect = %v", err)
	}
	return router, dealer
}

func TestSendRecv_thereAndBack(t *testing.T) {
	router, dealer := zrePair(t)
	for _, tt := range zreLayouts {
		for _, frames := range [][][]byte{nil, {[]byte("one")}, {{}}, {[]byte("one"), {}, []byte("three")}} {
			msg, want := tt.msg, tt.msg
			msg.Frames, msg.Content = frames, []byte("ignored if there are frames")
			if want.id == WhisperID || want.id == ShoutID {
				if want.Frames = frames; frames == nil {
					want.Frames = [][]byte{msg.Content}
				}
				want.Content = want.Frames[0]
			}
			if err := Send(dealer, &msg); err != nil {
				t.Fatalf("%s: Send = %v", tt.name, err)
			}
			there, err := Recv(router)
			if err != nil {
				t.Fatalf("%s: Recv(router) = %v", tt.name, err)
			}
			uuid, ok := parseIdentity(there.routing)
			if !ok || uuidString(uuid) != zreTestID {
				t.Errorf("%s: routing = %x, want that of %s", tt.name, there.routing, zreTestID)
			}
			if err := Send(router, there); err != nil {
				t.Fatalf("%s: Send(router) = %v", tt.name, err)
			}
			back, err := Recv(dealer)
			if err != nil {
				t.Fatalf("%s: Recv(dealer) = %v", tt.name, err)
			}
			if !reflect.DeepEqual(*back, want) {
				t.Errorf("%s with %q: Recv = %+v, want %+v", tt.name, frames, *back, want)
			}
		}
	}
}

// A message without content is sent with one empty frame.
func TestSend_emptyContent(t *testing.T) {
	router, dealer := zrePair(t)
	for _, id := range []uint8{WhisperID, ShoutID} {
		if err := Send(dealer, NewZreMsg(id)); err != nil {
			t.Fatalf("Send(%d) = %v", id, err)
		}
		frames, err := router.RecvMessageBytes(0)
		if err != nil || len(frames) != 3 || len(frames[2]) != 0 {
			t.Errorf("Send(%d) sent %x, %v, want routing id, header, empty frame", id, frames, err)
		}
	}
}

func TestRecv_staysInStep(t *testing.T) {
	ping := appendPlain(nil, PingID, 7)
	tests := []struct {
		name   string
		frames [][]byte
		want   error
	}{
		{"extra frames after PING", [][]byte{ping, {1}, {2}, {}, ping, {3}}, nil},
		{"no content", [][]byte{appendPlain(nil, WhisperID, 7)}, nil},
		{"bad signature", [][]byte{[]byte("GET / HTTP/1.1"), ping, ping}, errBadSignature},
		{"bad version", [][]byte{{0xAA, 0xA1, 6, 3, 0, 7}, ping}, errBadVersion},
		{"unknown id", [][]byte{appendPlain(nil, 11, 7), ping}, errUnknownID},
		{"cut short", [][]byte{ping[:5], ping, ping}, errMalformed},
		{"empty frame", [][]byte{{}, {}, {}}, errBadSignature},
	}
	router, dealer := zrePair(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := dealer.SendMessage(tt.frames); err != nil {
				t.Fatalf("SendMessage = %v", err)
			}
			m, err := Recv(router)
			if !errors.Is(err, tt.want) || (m == nil) != (tt.want != nil) {
				t.Errorf("Recv = %+v, %v, want error %v", m, err, tt.want)
			}
			if m != nil && (len(m.Content) != 0 || m.Frames != nil) {
				t.Errorf("Recv = content %q, frames %q, want none", m.Content, m.Frames)
			}
			if err := Send(dealer, &ZreMsg{id: JoinID, Group: tt.name}); err != nil {
				t.Fatalf("Send = %v", err)
			}
			if m, err := Recv(router); err != nil || m.Group != tt.name {
				t.Errorf("next Recv = %+v, %v, want JOIN %s", m, err, tt.name)
			}
		})
	}
}

func TestSendRecv_misuse(t *testing.T) {
	router, dealer := zrePair(t)
	var never zmq.Socket
	closed := dealer
	if err := errors.Join(router.SetRcvtimeo(0), closed.Close()); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*zmq.Socket{"nil": nil, "never opened": &never, "closed": closed, "nothing there": router} {
		if m, err := Recv(s); m != nil || err == nil || !strings.HasPrefix(err.Error(), "zyre: ") {
			t.Errorf("Recv(%s) = %v, %v, want an error", name, m, err)
		}
		for _, m := range []*ZreMsg{nil, {}, NewZreMsg(PingID), NewZreMsg(11), {id: JoinID, Group: strings.Repeat("G", 256)}} {
			if err := Send(s, m); err == nil || !strings.HasPrefix(err.Error(), "zyre: ") {
				t.Errorf("Send(%s, %+v) = %v, want an error", name, m, err)
			}
		}
	}
}

// A message that cannot be encoded leaves nothing behind in the socket.
func TestSend_tooLongSendsNothing(t *testing.T) {
	router, dealer := zrePair(t)
	if err := Send(dealer, &ZreMsg{id: ShoutID, Group: strings.Repeat("G", 256)}); !errors.Is(err, wire.ErrTooLong) {
		t.Errorf("Send = %v, want ErrTooLong", err)
	}
	if err := Send(dealer, NewZreMsg(PingID)); err != nil {
		t.Fatalf("Send(PING) = %v", err)
	}
	if m, err := Recv(router); err != nil || m.id != PingID {
		t.Errorf("Recv = %+v, %v, want PING", m, err)
	}
}
