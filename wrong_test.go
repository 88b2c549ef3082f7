package zyre

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// wrongCalls are the methods that take arguments, each with what makes no sense as one, and
// what a user then reads: in the error that the method returns or, of a setter, in that of
// Start; on a running node in what is returned or logged.
//
// A text that begins with "=" is read on a running node only, and the call does no harm
// elsewhere; one without is read in every state, but for senders, which first say that the
// node does not run.
func wrongCalls() map[string][]wrongCall {
	ctx, long, none := context.Background(), strings.Repeat("x", maxString+1), "xxxxxxxxxxxxxxxxxxxx…: longer than 255 bytes"
	frames, id := make([][]byte, 10_001), strings.Repeat("1", 32)
	set := func(call func(z *Zyre)) func(z *Zyre) error {
		return func(z *Zyre) error { call(z); return nil }
	}
	const (
		peerEndpoint = ": must be tcp://address:port, ipc://path or inproc://name"
		ownEndpoint  = ": must be tcp://address:port, where the port * takes a free one, ipc://path or inproc://name"
		aList        = `: must be a name or address, several with commas between them, or "*" for all`
		noUUID       = ": unknown peer: a UUID has 32 hexadecimal digits"
		tooMany      = ": message too large: 10001 frames, at most 10000"
	)
	return map[string][]wrongCall{
		"SetName": {{set(func(z *Zyre) { z.SetName(long) }), "set name " + none}},
		"SetHeader": {
			{set(func(z *Zyre) { z.SetHeader(long, "v") }), "set header " + none},
			{set(func(z *Zyre) { z.SetHeader(viewHeader, "1") }), "set header X-ZYRE-VIEW: is set by SetShareView"},
			{set(func(z *Zyre) { z.SetHeader("k", "%s", strings.Repeat("v", maxPeerBytes)) }),
				"set header k: headers and groups must have 1044480 bytes or less together, or peers refuse this node"},
			{set(func(z *Zyre) {
				for i := range maxOwnHeaders + 1 {
					z.SetHeader(fmt.Sprint("k", i), "v")
				}
			}), "set header k998: there are 998 headers, and peers take no more"},
		},
		"SetInterface": {
			{set(func(z *Zyre) { z.SetInterface("nosuch0") }), `no such network interface: "nosuch0", there `},
			{set(func(z *Zyre) { z.SetInterface("lo,nosuch0") }), `no such network interface: "nosuch0", there `},
			{set(func(z *Zyre) { z.SetInterface("127.0.0.1/8") }), `no such network interface: "127.0.0.1/8", there `},
			{set(func(z *Zyre) { z.SetInterface("203.0.113.9") }), "no such network interface with address 203.0.113.9"},
			{set(func(z *Zyre) { z.SetInterface(long) }), "set interface xxxxxxxxxxxxxxxxxxxx…: no such network interface"},
			{set(func(z *Zyre) { z.SetInterface("a\nb") }), `set interface "a\nb": no such network interface`},
			{set(func(z *Zyre) { z.SetInterface(",,") }), "set interface ,," + aList},
			{set(func(z *Zyre) { z.SetInterface(" ") }), "set interface  " + aList},
			{set(func(z *Zyre) { z.SetInterface("lo,*") }), "set interface lo,*" + aList},
		},
		"SetUUID": {
			{set(func(z *Zyre) { z.SetUUID("") }), "set UUID: must be 32 hexadecimal digits"},
			{set(func(z *Zyre) { z.SetUUID("bob") }), "set UUID bob: must be 32 hexadecimal digits"},
		},
		"SetPort":           {{set(func(z *Zyre) { z.SetPort(0) }), "set port 0: must be 1 to 65535"}},
		"SetInterval":       {{set(func(z *Zyre) { z.SetInterval(-1) }), "set interval -1ns: must be 10ms or more"}},
		"SetEvasiveTimeout": {{set(func(z *Zyre) { z.SetEvasiveTimeout(time.Hour) }), "set evasive timeout 1h0m0s: must be less than the expired timeout, 30s"}},
		"SetSilentTimeout":  {{set(func(z *Zyre) { z.SetSilentTimeout(0) }), "set silent timeout 0s: must be 10ms or more"}},
		"SetStalledTimeout": {{set(func(z *Zyre) { z.SetStalledTimeout(0) }), "set stalled timeout 0s: must be 10ms or more"}},
		"SetExpiredTimeout": {{set(func(z *Zyre) { z.SetExpiredTimeout(0) }), "set expired timeout 0s: must be 10ms or more"}},
		"SetBeaconPeerPort": {{set(func(z *Zyre) { z.SetBeaconPeerPort(-1) }), "set beacon peer port -1: must be 0 to 65535"}},
		"SetQueueLimit":     {{set(func(z *Zyre) { z.SetQueueLimit(0) }), "set queue limit 0: must be 65536 or more"}},
		"SetWindow":         {{set(func(z *Zyre) { z.SetWindow(-1) }), "set window -1: must be 65536 or more"}},
		"SetMaxMessage":     {{set(func(z *Zyre) { z.SetMaxMessage(0) }), "set max message 0: must be 1048576 or more"}},
		"SetZCert": {
			{set(func(z *Zyre) { z.SetZCert("", "") }), "set certificate: the keys must be 40 characters of Z85 each"},
			{set(func(z *Zyre) { z.SetZCert(strings.Repeat("0", 40), strings.Repeat("1", 40)) }), "set certificate: the keys must belong together, the public key first"},
		},
		"SetZapDomain": {{set(func(z *Zyre) { z.SetZapDomain(long) }), "set ZAP domain xxxxxxxxxxxxxxxxxxxx…: must be of 200 bytes or less"}},
		"SetAuthorizedKeys": {
			{set(func(z *Zyre) { z.SetAuthorizedKeys("x") }), "set authorized keys: key 1 of 1 must be a public key, 40 characters of Z85"},
			{set(func(z *Zyre) { z.SetAuthorizedKeys() }), "set authorized keys: needs a certificate: call SetZCert"},
		},
		"SetEndpoint": {
			{func(z *Zyre) error { return z.SetEndpoint("") }, "set endpoint" + ownEndpoint},
			{func(z *Zyre) error { return z.SetEndpoint("x") }, "set endpoint x" + ownEndpoint},
			{func(z *Zyre) error { return z.SetEndpoint("tcp://127.0.0.1:70000") }, "set endpoint tcp://127.0.0.1:70000" + ownEndpoint},
		},
		"SetAdvertisedEndpoint": {
			{set(func(z *Zyre) { z.SetAdvertisedEndpoint("") }), "set advertised endpoint" + peerEndpoint},
			{set(func(z *Zyre) { z.SetAdvertisedEndpoint("tcp://127.0.0.1:0") }), "set advertised endpoint tcp://127.0.0.1:0" + peerEndpoint},
			{set(func(z *Zyre) { z.SetAdvertisedEndpoint("tcp://0.0.0.0:1") }), "set advertised endpoint tcp://0.0.0.0:1: must have an address that others can connect to"},
			{set(func(z *Zyre) { z.SetAdvertisedEndpoint("tcp://[ff02::1]:1") }), "set advertised endpoint tcp://[ff02::1]:1" + peerEndpoint},
		},
		"GossipBind": {
			{set(func(z *Zyre) { z.GossipBind("tcp://1") }), "gossip bind tcp://1" + ownEndpoint},
			{set(func(z *Zyre) { z.GossipBind("tcp://:1") }), "gossip bind tcp://:1" + ownEndpoint},
		},
		"GossipConnect": {{set(func(z *Zyre) { z.GossipConnect("tcp://*:1") }), "gossip connect tcp://*:1" + peerEndpoint}},
		"GossipConnectCurve": {
			{set(func(z *Zyre) { z.GossipConnectCurve("", "") }), "gossip connect" + peerEndpoint},
			{set(func(z *Zyre) { z.GossipConnectCurve("x", "tcp://127.0.0.1:1") }), "gossip connect tcp://127.0.0.1:1: the public key must be 40 characters of Z85"},
		},
		"GossipUnpublish":   {{set(func(z *Zyre) { z.GossipUnpublish("bob") }), "=gossip unpublish bob" + noUUID}},
		"SetContestInGroup": {{set(func(z *Zyre) { z.SetContestInGroup(long) }), "contest in group " + none}},
		"RequirePeer": {
			{func(z *Zyre) error { return z.RequirePeer("bob", "tcp://127.0.0.1:1", "") }, "require peer tcp://127.0.0.1:1: the UUID must be 32 hexadecimal digits, or empty if it is not known"},
			{func(z *Zyre) error { return z.RequirePeer("", "tcp://127.0.0.1:*", "") }, "require peer tcp://127.0.0.1:*" + peerEndpoint},
			{func(z *Zyre) error { return z.RequirePeer("", "tcp://127.0.0.1:1", "x") }, "require peer tcp://127.0.0.1:1: the public key must be 40 characters of Z85"},
			{func(z *Zyre) error { return z.RequirePeer(z.UUID(), "tcp://127.0.0.1:1", "") }, "require peer tcp://127.0.0.1:1: the UUID must not be this node's own"},
		},
		"Join": {
			{set(func(z *Zyre) { z.Join(long) }), "=join " + none},
			{set(func(z *Zyre) {
				for i := range maxPeerGroups + 1 {
					z.Join(fmt.Sprint(i))
				}
			}), "=join 10000: this node is in 10000 groups, and peers take no more"},
			{set(func(z *Zyre) {
				for i := range maxPeerBytes / maxString {
					z.Join(fmt.Sprintf("%0*d", maxString, i))
				}
			}), "=headers and groups must have 1044480 bytes or less together, or peers refuse this node"},
		},
		"Whisper":       {{set(func(z *Zyre) { z.Whisper("bob", nil) }), "=whisper bob" + noUUID}},
		"Whispers":      {{set(func(z *Zyre) { z.Whispers("", "x") }), "=whisper" + noUUID}},
		"WhisperFrames": {{set(func(z *Zyre) { z.WhisperFrames(id, frames...) }), "=whisper " + id + tooMany}},
		"Shout":         {{set(func(z *Zyre) { z.Shout(long, nil) }), "=shout " + none}},
		"Shouts":        {{set(func(z *Zyre) { z.Shouts(long, "x") }), "=shout " + none}},
		"ShoutFrames":   {{set(func(z *Zyre) { z.ShoutFrames("g", frames...) }), "=shout g" + tooMany}},
		"WhisperContext": {
			{func(z *Zyre) error { return z.WhisperContext(ctx, "bob") }, "=whisper bob" + noUUID},
			{func(z *Zyre) error { return z.WhisperContext(ctx, id) }, "=whisper " + id + ": unknown peer"},
			{func(z *Zyre) error { return z.WhisperContext(ctx, id, frames...) }, "=whisper " + id + tooMany},
		},
		"ShoutContext": {
			{func(z *Zyre) error { return z.ShoutContext(ctx, long) }, "=shout " + none},
			{func(z *Zyre) error { return z.ShoutContext(ctx, "a\nb") }, `=shout "a\nb": no peer in that group`},
			{func(z *Zyre) error { return z.ShoutContext(ctx, "g", frames...) }, "=shout g" + tooMany},
		},
		"Ping":      {{func(z *Zyre) error { _, err := z.Ping(ctx, "bob"); return err }, "=ping bob" + noUUID}},
		"PeerView":  {{func(z *Zyre) error { _, err := z.PeerView(ctx, "bob"); return err }, "=ask for the view of bob" + noUUID}},
		"WaitPeers": {{func(z *Zyre) error { return z.WaitPeers(ctx, long, 1) }, "=wait for peers " + none}},
	}
}

type wrongCall struct {
	call func(z *Zyre) error
	says string
}

// anyArgument are the methods that take arguments, of which none is wrong: a question about
// nobody has the empty answer, and nothing is left of a group that was not joined.
var anyArgument = []string{"Dump", "Leader", "Leave", "Peer", "PeerAddress", "PeerHeaderValue", "PeerName", "PeersByGroup",
	"PeersByName", "SetLogger", "SetShareView"}

// Whatever is wrong with what a method is given, before Start, on a running node and after
// Stop, a user reads it: in one line with one prefix, which names the argument, its value and
// what would be right, and not more than twice.
func TestWrong_isSaid(t *testing.T) {
	calls := wrongCalls()
	for i, all := 0, reflect.TypeFor[*Zyre](); i < all.NumMethod(); i++ {
		m := all.Method(i)
		if free := slices.Contains(anyArgument, m.Name); m.Type.NumIn() > 1 && (calls[m.Name] == nil) != free {
			t.Errorf("%s takes an argument, and is in one of wrongCalls and anyArgument: %v, want it in one", m.Name, free)
		}
	}
	for name, list := range calls {
		for i, c := range list {
			t.Run(fmt.Sprint(name, i), func(t *testing.T) {
				t.Parallel()
				z, _ := quietNode(t)
				says, onlyLive := strings.CutPrefix(c.says, "=")
				for _, when := range []string{"before Start", "after Stop"} {
					err := c.call(z)
					if err == nil {
						err = z.Start()
					}
					if !onlyLive {
						checkSaid(t, when, fmt.Sprint(err), says)
					} else if err != nil && !errors.Is(err, ErrNotRunning) {
						t.Errorf("%s: %v, want nil or ErrNotRunning", when, err)
					}
					z.Stop()
				}
				running, log := quietNode(t)
				mustStart(t, running)
				before := settingsOf(running)
				read := fmt.Sprint(c.call(running))
				running.cfg.logs.flush()
				if read == "<nil>" {
					read = lastWarning(log.String())
					if strings.Contains(read, "not set: the node is running") {
						says = "not set: the node is running"
					}
				}
				checkSaid(t, "running", read, says)
				if after := settingsOf(running); name != "Join" && name != "SetHeader" && !reflect.DeepEqual(before, after) {
					t.Errorf("a wrong call changes a running node:\n%+v\n%+v", before, after)
				}
			})
		}
	}
}

func checkSaid(t *testing.T, when, read, says string) {
	t.Helper()
	if !strings.Contains(read, says) || strings.Count(read, "zyre: ") > 2 || strings.Contains(read, "\n") || len(read) > 1000 {
		t.Errorf("%s: a user reads %q, want one line with %q", when, read, says)
	}
}

// lastWarning is the last warning of a log, as it was before it was quoted.
func lastWarning(log string) (last string) {
	for line := range strings.SplitSeq(log, "\n") {
		if strings.Contains(line, "level=WARN") {
			last = strings.ReplaceAll(strings.ReplaceAll(line, `\"`, `"`), `\\`, `\`)
		}
	}
	return last
}
