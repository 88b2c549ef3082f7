package zyre_test

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre"
)

// The names that this package has in common with go-zeromq/zyre, with their types: a
// program that keeps to them compiles when the import path changes. Whoever changes one
// sees it here, when the tests are compiled.
var (
	_ func(ctx context.Context) *zyre.Zyre                  = zyre.NewZyre
	_ func() *zyre.Beacon                                   = zyre.NewBeacon
	_ func(name string) *zyre.Group                         = zyre.NewGroup
	_ func(ctx context.Context, identity string) *zyre.Peer = zyre.NewPeer
	_ func(id uint8) *zyre.ZreMsg                           = zyre.NewZreMsg
	_ func(port int) (zyre.Connection, error)               = zyre.NewConn
	_ func(port int) (*zyre.IPv4Conn, error)                = zyre.NewIPv4Conn
	_ func(port int) (*zyre.IPv6Conn, error)                = zyre.NewIPv6Conn
	_ func(socket *zmq.Socket) (*zyre.ZreMsg, error)        = zyre.Recv
	_ func(socket *zmq.Socket, msg *zyre.ZreMsg) error      = zyre.Send
	_ func(d time.Duration)                                 = zyre.SetEvasive
	_ func(d time.Duration)                                 = zyre.SetExpired

	_ uint16 = zyre.Signature
	_ byte   = zyre.Version
	_        = [...]uint8{zyre.HelloID, zyre.WhisperID, zyre.ShoutID, zyre.JoinID, zyre.LeaveID, zyre.PingID, zyre.PingOkID}

	_ = zyre.Beacon{Signals: make(chan *zyre.Signal), Cmds: make(chan *zyre.Cmd), Replies: make(chan *zyre.Cmd)}
	_ = zyre.BeaconMsg{Protocol: [3]byte{}, Version: byte(1), UUID: []byte{}, Port: uint16(0)}
	_ = zyre.Cmd{ID: "", Payload: any(nil), Err: error(nil)}
	_ = zyre.Signal{Addr: "", Transmit: []byte{}}
	_ = zyre.Event{Type: "", PeerUUID: "", PeerName: "", PeerAddr: "", Headers: map[string]string{}, Group: "", Msg: []byte{}}
	_ = zyre.Peer{Identity: "", Name: "", Headers: map[string]string{}}
	_ = zyre.ZreMsg{Endpoint: "", Groups: []string{}, Status: byte(0), Name: "", Headers: map[string]string{}, Content: []byte{}, Group: ""}

	_ interface {
		SetBeaconCmd(req *zyre.Cmd) *zyre.Cmd
		Close()
	} = (*zyre.Beacon)(nil)
	_ interface{ Addr() string }       = (*zyre.ConnData)(nil)
	_ [2]zyre.Connection               = [2]zyre.Connection{&zyre.IPv4Conn{}, &zyre.IPv6Conn{}}
	_ func(name string) (string, bool) = (&zyre.Event{}).Header
	_ interface {
		Join(peer *zyre.Peer)
		Leave(peer *zyre.Peer)
		Send(msg *zyre.ZreMsg)
	} = (*zyre.Group)(nil)
	_ interface {
		Connect(from []byte, endpoint string) error
		Disconnect()
		Destroy()
		Send(msg *zyre.ZreMsg) error
		Refresh()
		Header(key string) (string, bool)
		MessagesLost(msg *zyre.ZreMsg) bool
	} = (*zyre.Peer)(nil)
	_ interface {
		Events() chan *zyre.Event
		Join(group string)
		Leave(group string)
		Name() string
		UUID() string
		Peers() []string
		SetHeader(name, format string, args ...interface{}) *zyre.Zyre
		SetInterface(iface string) *zyre.Zyre
		SetInterval(interval time.Duration) *zyre.Zyre
		SetName(name string) *zyre.Zyre
		SetPort(port int) *zyre.Zyre
		SetVerbose() *zyre.Zyre
		Shout(group string, payload []byte)
		Shouts(group, format string, args ...interface{})
		Whisper(peer string, payload []byte)
		Whispers(peer, format string, args ...interface{})
		Start() error
		Stop()
	} = (*zyre.Zyre)(nil)
)

// connection is an implementation of zyre.Connection, as a program may have one.
type connection struct{ zyre.ConnData }

func (connection) Close() error                                   { return nil }
func (connection) JoinGroup(*net.Interface) error                 { return nil }
func (connection) ReadFrom([]byte) (n int, src net.IP, err error) { return 0, nil, nil }
func (connection) WriteTo([]byte) error                           { return nil }

var _ zyre.Connection = connection{}

// A program of go-zeromq/zyre compiles when its import path is changed.
func TestMigrating_compiles(t *testing.T) {
	source, err := os.ReadFile("testdata/migrating/main.go")
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.ReplaceAll(source, []byte("github.com/go-zeromq/zyre"), []byte("github.com/go-zyre/zyre"))
	if bytes.Equal(changed, source) {
		t.Fatal("the program does not import go-zeromq/zyre")
	}
	program := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(program, changed, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", os.DevNull, program).CombinedOutput(); err != nil {
		t.Errorf("it does not compile: %v\n%s", err, out)
	}
}

// A program with the loop that is usual there: select on Events, and a switch on Type.
func TestMigrating_program(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	node := zyre.NewZyre(ctx)
	node.SetName("alice").SetHeader("X-HELLO", "World").SetInterface("lo").SetPort(5671).SetInterval(time.Second)
	if err := node.SetEndpoint("inproc://migrating"); err != nil { // to stay in this process
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	node.Join("CHAT")
	node.Shouts("CHAT", "hello %s", node.Name())
	go cancel()
	for {
		select {
		case e, ok := <-node.Events():
			if !ok {
				return
			}
			switch e.Type {
			case "ENTER", "JOIN", "SHOUT", "WHISPER", "EXIT", "LEAVE":
				t.Errorf("%s of %s, alone", e.Type, e.PeerName)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("the node has not stopped")
		}
	}
}
