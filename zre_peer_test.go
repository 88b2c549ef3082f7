package zyre

import (
	"slices"
	"testing"
	"time"
)

// However a peer ends, its questions are answered, and nothing of it is left.
func TestZRE_removePeer(t *testing.T) {
	for name, end := range map[string]func(b *zreBench){
		"goodbye":    func(b *zreBench) { b.hearID(GoodbyeID) },
		"expired":    func(b *zreBench) { b.pass(2 * defaultExpired) },
		"by itself":  func(b *zreBench) { b.z.removePeer(b.now, b.peer(), ReasonGoodbye) },
		"two events": func(b *zreBench) { b.hello(stateEndpoint); b.hearID(GoodbyeID) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newZREBench(t)
			b.hello(stateEndpoint)
			b.hearID(JoinID)
			var answers pingAnswers
			b.z.requestPing(b.now, stateUUID, answers.add("a"))
			end(b)
			b.pass(time.Minute) // what waits for a reply to HELLO is given up
			if want := (pingAnswers{"a unknown peer"}); !slices.Equal(answers, want) {
				t.Errorf("answers = %q, want %q", answers, want)
			}
			enters, exits := 0, 0
			for _, e := range b.port.events {
				switch e {
				case EventEnter:
					enters++
				case EventExit:
					exits++
				}
			}
			if enters == 0 || exits != enters {
				t.Errorf("%d ENTER and %d EXIT, want as many of both", enters, exits)
			}
			if z := b.z; len(z.peers)+len(z.groups)+len(z.addressed)+len(z.named)+z.entered != 0 {
				t.Errorf("left: peers %v, groups %v, endpoints %v, names %v, entered %d", z.peers, z.groups, z.addressed, z.named, z.entered)
			}
		})
	}
}

func TestAddressOf(t *testing.T) {
	for endpoint, want := range map[string]string{
		"tcp://10.0.0.1:9": "10.0.0.1:9", "tcp://[fe80::1%eth0]:9": "[fe80::1%eth0]:9",
		"tcp://host:9": "invalid AddrPort", "ipc:///node": "invalid AddrPort", "": "invalid AddrPort",
	} {
		if got := addressOf(endpoint).String(); got != want {
			t.Errorf("addressOf(%q) = %s, want %s", endpoint, got, want)
		}
	}
}
