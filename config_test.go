package zyre_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/leak"
)

// What cannot be sent is refused by a running node, and neither it nor the next suffers.
func TestZyre_longNamesWhenRunning(t *testing.T) {
	var log bytes.Buffer
	z := kit.NewNode(t, "z", kit.FreeUDPPort(t)).SetLogger(slog.New(slog.NewTextHandler(&log, nil)))
	kit.MustStart(t, z)
	long := strings.Repeat("x", 256)
	z.SetName(long).SetHeader(long, "value")
	z.Join(long)
	if z.Name() != "z" || len(z.OwnGroups()) != 0 {
		t.Errorf("Name, OwnGroups = %q, %q, want z and none", z.Name(), z.OwnGroups())
	}
	z.Stop()
	if n := strings.Count(log.String(), "longer than 255 bytes"); n != 3 {
		t.Errorf("logged %d times, want 3:\n%s", n, &log)
	}
	kit.MustStart(t, z)
	z.Stop()
}

func TestZyre_startReportsBadSettings(t *testing.T) {
	leak.Check(t)
	long := strings.Repeat("x", 256)
	public, secret := kit.KeyPair(t)
	port := kit.FreeUDPPort(t)
	busy := kit.NewNode(t, "busy", port)
	kit.MustStart(t, busy)
	busyPort := kit.Port(t, kit.Endpoint(t, busy))
	for name, c := range map[string]struct {
		set  func(z *zyre.Zyre)
		want error
		text string
	}{
		"name":      {func(z *zyre.Zyre) { z.SetName(long) }, zyre.ErrTooLong, "set name"},
		"header":    {func(z *zyre.Zyre) { z.SetHeader(long, "x") }, zyre.ErrTooLong, "set header"},
		"interface": {func(z *zyre.Zyre) { z.SetInterface("nosuch0") }, zyre.ErrNoInterface, "nosuch0"},
		"address":   {func(z *zyre.Zyre) { z.SetInterface("203.0.113.77") }, zyre.ErrNoInterface, "203.0.113.77"},
		"port":      {func(z *zyre.Zyre) { z.SetPort(65536) }, zyre.ErrInvalid, "65536"},
		"interval":  {func(z *zyre.Zyre) { z.SetInterval(0) }, zyre.ErrInvalid, "set interval"},
		"evasive":   {func(z *zyre.Zyre) { z.SetEvasiveTimeout(-1) }, zyre.ErrInvalid, "set evasive"},
		"queue":     {func(z *zyre.Zyre) { z.SetQueueLimit(1) }, zyre.ErrInvalid, "set queue limit"},
		"busy port": {func(z *zyre.Zyre) { z.SetBeaconPeerPort(busyPort) }, nil, fmt.Sprint(busyPort)},

		"advertised":      {func(z *zyre.Zyre) { z.SetAdvertisedEndpoint("tcp://*:1") }, zyre.ErrInvalid, "tcp://*:1"},
		"busy endpoint":   {func(z *zyre.Zyre) { _ = z.SetEndpoint("tcp://127.0.0.1:%d", busyPort) }, nil, fmt.Sprint(busyPort)},
		"busy hub":        {func(z *zyre.Zyre) { z.GossipBind("tcp://127.0.0.1:%d", busyPort) }, nil, fmt.Sprint(busyPort)},
		"gossip scheme":   {func(z *zyre.Zyre) { z.GossipConnect("udp://127.0.0.1:1") }, nil, "udp://127.0.0.1:1"},
		"key of hub":      {func(z *zyre.Zyre) { z.GossipConnectCurve("x", "tcp://127.0.0.1:1") }, zyre.ErrInvalid, "gossip connect"},
		"certificate":     {func(z *zyre.Zyre) { z.SetZCert(public, public) }, zyre.ErrInvalid, "set certificate"},
		"ZAP domain":      {func(z *zyre.Zyre) { z.SetZCert(public, secret).SetZapDomain(long) }, nil, "ZAP domain"},
		"authorized key":  {func(z *zyre.Zyre) { z.SetZCert(public, secret).SetAuthorizedKeys("x") }, zyre.ErrInvalid, "set authorized"},
		"authorized only": {func(z *zyre.Zyre) { z.SetAuthorizedKeys(public) }, zyre.ErrInvalid, "set authorized"},
	} {
		z := kit.NewNode(t, "", port)
		c.set(z)
		err := z.Start()
		if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: Start() = %v, want %v with %q", name, err, c.want, c.text)
		}
	}
	busy.Stop()
}

func TestZyre_requirePeerRefusesNonsense(t *testing.T) {
	z := zyre.NewZyre(context.Background())
	other := zyre.NewZyre(context.Background()).UUID()
	for _, c := range []struct{ uuid, endpoint, key string }{
		{"bob", "tcp://127.0.0.1:1", ""}, {"", "", ""}, {"", "tcp://127.0.0.1:1", "key"}, {z.UUID(), "tcp://127.0.0.1:1", ""},
		{other, "", ""}, {other, "udp://127.0.0.1:1", ""}, {other, "tcp://127.0.0.1:1", "key"},
	} {
		if err := z.RequirePeer(c.uuid, c.endpoint, c.key); !errors.Is(err, zyre.ErrInvalid) {
			t.Errorf("RequirePeer(%q, %q, %q) = %v, want zyre.ErrInvalid", c.uuid, c.endpoint, c.key, err)
		}
	}
}
