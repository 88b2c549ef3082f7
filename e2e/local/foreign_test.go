package local_test

import (
	"testing"
	"time"

	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
	"github.com/go-zyre/zyre/internal/foreign"
	"github.com/go-zyre/zyre/internal/foreign/foreignnet"
)

func TestForeign_meets(t *testing.T) {
	for _, kind := range foreign.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			port, name := kit.FreeUDPPort(t), string(kind)
			z := kit.NewNode(t, "ours", port)
			z.Join("hall")
			kit.MustStart(t, z)
			r := watch.Record(z)
			f := newStranger(t, foreignnet.Options{Kind: kind, Name: name, UDPPort: port, Interval: 100 * time.Millisecond})
			r.Wait(t, "ENTER "+name, 1)
			f.waitEvent(foreign.Enter, z, 1)
			f.waitEvent(foreign.Join, z, 1)
			f.must(f.Join("hall"))
			r.Wait(t, "JOIN "+name+" hall", 1)
			f.must(f.Whisper(kit.UUIDBytes(t, z), []byte("one")))
			r.Wait(t, "WHISPER "+name+" one", 1)
			f.must(f.Shout("hall", []byte("two")))
			r.Wait(t, "SHOUT "+name+" hall two", 1)
			z.Whispers(f.UUIDText(), "three")
			z.Shouts("hall", "four")
			f.waitEvent(foreign.Whisper, z, 1)
			f.waitEvent(foreign.Shout, z, 1)
			if f.heard(foreign.WhisperID, "three") != 1 || f.heard(foreign.ShoutID, "four") != 1 {
				t.Errorf("%s did not hear what was sent, but %+v", name, f.Messages())
			}
			if e := r.Count("EXIT"); e != 0 {
				t.Errorf("EXIT came %d times, want 0:\n%s", e, r)
			}
			if n := f.heard(foreign.HelloID); n != 1 {
				t.Errorf("%s got %d HELLOs, want 1", name, n)
			}
			f.must(f.Goodbye())
			r.Wait(t, "EXIT "+name, 1)
		})
	}
}
