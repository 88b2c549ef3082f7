package zyre_test

import (
	"context"
	"reflect"
	"testing"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/watch"
)

// No exported function or method panics or blocks for ever, whatever it is given: a
// receiver that was made without its New function, and zero values and nil for every
// argument.
func TestExported_zeroValues(t *testing.T) {
	for _, receiver := range []any{
		&zyre.Zyre{}, &zyre.Beacon{}, &zyre.Group{}, &zyre.Peer{}, &zyre.ZreMsg{}, &zyre.Event{}, (*zyre.Event)(nil),
		&zyre.Cert{}, &zyre.ConnData{}, &zyre.IPv4Conn{}, &zyre.IPv6Conn{}, &zyre.Error{},
		zyre.NewZyre(nil), zyre.NewGroup(""), zyre.NewPeer(nil, ""), zyre.NewZreMsg(0), zyre.NewBeacon(), //nolint:staticcheck // nil is the point
	} {
		v := reflect.ValueOf(receiver)
		for i := range v.NumMethod() {
			name := v.Type().String() + "." + v.Type().Method(i).Name
			if name == "*zyre.Zyre.Start" || name == "*zyre.Zyre.SetVerbose" {
				continue // it would send on a real interface; it would log to standard error
			}
			harmless(t, name, v.Method(i))
		}
	}
	for name, f := range map[string]any{
		"NewCert": zyre.NewCert, "LoadCert": zyre.LoadCert, "LoadCertStore": zyre.LoadCertStore,
		"NewGroup": zyre.NewGroup, "NewPeer": zyre.NewPeer, "NewZreMsg": zyre.NewZreMsg, "NewZyre": zyre.NewZyre,
		"Recv": zyre.Recv, "Send": zyre.Send, "SetEvasive": zyre.SetEvasive, "SetExpired": zyre.SetExpired,
	} {
		harmless(t, name, reflect.ValueOf(f))
	}
	for name, call := range map[string]func(){
		"nil Cert":       func() { _, _ = (*zyre.Cert)(nil).Save("x"), (*zyre.Cert)(nil).SavePublic("x") },
		"Send nothing":   func() { _ = zyre.Send(&zmq.Socket{}, nil) },
		"NewConn -1":     func() { _, _ = zyre.NewConn(-1) },
		"NewIPv4Conn -1": func() { _, _ = zyre.NewIPv4Conn(-1) },
		"NewIPv6Conn -1": func() { _, _ = zyre.NewIPv6Conn(-1) },
		"Join a nil":     func() { g := zyre.NewGroup("g"); g.Join(nil); g.Leave(nil); g.Send(nil) },
		"NewPeer":        func() { zyre.NewPeer(context.Background(), "").Destroy() },
	} {
		harmless(t, name, reflect.ValueOf(call))
	}
}

// harmless calls a function with zero values.
func harmless(t *testing.T, name string, f reflect.Value) {
	t.Helper()
	panicked := make(chan any, 1)
	go func() {
		defer func() { panicked <- recover() }()
		var args []reflect.Value
		for i := range f.Type().NumIn() {
			if f.Type().IsVariadic() && i == f.Type().NumIn()-1 {
				break
			}
			args = append(args, reflect.Zero(f.Type().In(i)))
		}
		f.Call(args)
	}()
	select {
	case p := <-panicked:
		if p != nil {
			t.Errorf("%s panics: %v", name, p)
		}
	case <-time.After(watch.Patience / 4):
		t.Errorf("%s does not return", name)
	}
}
