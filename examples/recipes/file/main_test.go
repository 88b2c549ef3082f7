package main

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/zyretest"
)

// makeFile makes a file of a size.
func makeFile(t *testing.T, size int) (path string, content []byte) {
	t.Helper()
	content = make([]byte, size)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(content)
	path = filepath.Join(t.TempDir(), "data.bin")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, content
}

// startSender starts a node that sends a file.
func startSender(t *testing.T, node *zyre.Zyre, path string) {
	t.Helper()
	s, err := newSender(node, path)
	if err != nil {
		t.Fatal(err)
	}
	node.Join("files")
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		for e := range node.Events() {
			s.handle(t.Context(), e)
		}
	}()
}

// receive receives until the file is complete, or progress ends it.
func receive(t *testing.T, r *receiver) (path string) {
	t.Helper()
	r.node.Join("files")
	if err := r.node.Start(); err != nil {
		t.Fatal(err)
	}
	defer r.node.Stop()
	for e := range r.node.Events() {
		path, err := r.handle(e)
		if err != nil {
			t.Fatal(err)
		}
		if path != "" {
			return path
		}
	}
	return ""
}

func TestFile(t *testing.T) {
	for name, size := range map[string]int{"empty": 0, "one byte": 1, "one piece": pieceSize, "many pieces": 20*pieceSize + 7} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := zyretest.NewNetwork(t)
				path, content := makeFile(t, size)
				startSender(t, network.NewNode("sender"), path)
				r := newReceiver(network.NewNode("receiver"), t.TempDir())
				got, err := os.ReadFile(receive(t, r))
				if err != nil || !bytes.Equal(got, content) {
					t.Errorf("received %d bytes, %v, want the %d of the file", len(got), err, size)
				}
				if left, _ := filepath.Glob(r.dir + "/*.part"); len(left) != 0 {
					t.Errorf("%q is left", left)
				}
			})
		})
	}
}

// However a transfer is interrupted, it goes on from what has come.
func TestFile_resumed(t *testing.T) {
	for name, interrupt := range map[string]func(network *zyretest.Network, sender, receiver *zyre.Zyre){
		"connection broken":    func(n *zyretest.Network, s, r *zyre.Zyre) { n.Break(s, r) },
		"sender restarted":     func(_ *zyretest.Network, s, _ *zyre.Zyre) { s.Stop() },
		"sender killed":        func(n *zyretest.Network, s, _ *zyre.Zyre) { n.Kill(s) },
		"network out for 40 s": func(n *zyretest.Network, s, _ *zyre.Zyre) { n.Partition(s); time.AfterFunc(40*time.Second, n.Heal) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := zyretest.NewNetwork(t)
				path, content := makeFile(t, 40*pieceSize)
				sender := network.NewNode("sender")
				startSender(t, sender, path)
				r := newReceiver(network.NewNode("receiver"), t.TempDir())
				var most, twice int64 // bytes that came, and that came again
				interrupted := false
				r.progress = func(done, size int64) {
					if done < most {
						twice += most - done
					}
					most = max(most, done)
					if done < size/2 || interrupted {
						return
					}
					interrupted = true
					interrupt(network, sender, r.node)
					if sender.Endpoint() == "" { // in place of it another process comes
						startSender(t, network.NewNode("sender again"), path)
					}
				}
				got, err := os.ReadFile(receive(t, r))
				if err != nil || !bytes.Equal(got, content) {
					t.Errorf("received %d bytes, %v, want the file", len(got), err)
				}
				if twice > 0 || !interrupted {
					t.Errorf("%d bytes came twice, interrupted %t, want 0, true", twice, interrupted)
				}
			})
		})
	}
}

// Nothing that a peer offers makes the receiver write elsewhere, or more than it asked for.
func TestReceiver_hostileOffers(t *testing.T) {
	dir := t.TempDir()
	r := newReceiver(zyre.NewZyre(t.Context()), filepath.Join(dir, "in"))
	if err := os.Mkdir(r.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	whisper := func(frames ...string) *zyre.Event {
		e := &zyre.Event{Type: zyre.EventWhisper, PeerUUID: "MALLORY"}
		for _, f := range frames {
			e.Frames = append(e.Frames, []byte(f))
		}
		return e
	}
	for _, name := range []string{"../x", "/x", "", ".", "..", "a/b"} {
		if _, err := r.handle(whisper(offer, name, "5", "hash")); err != nil || r.from != "" {
			t.Errorf("offer of %q: %v, taken %t, want that it is ignored", name, err, r.from != "")
		}
	}
	for _, m := range []*zyre.Event{
		whisper(offer, "x", "-1", "hash"), whisper(offer, "x", "many", "hash"), whisper(piece, "0", "early"),
		whisper(offer, "x", "5", "hash"), whisper(piece, "1", "late"), whisper(piece, "0", "too long"),
	} {
		if _, err := r.handle(m); err != nil || r.done != 0 {
			t.Errorf("%v: %v, %d bytes taken, want none", m, err, r.done)
		}
	}
	if _, err := r.handle(whisper(piece, "0", "wrong")); err == nil {
		t.Error("a file with another hash was taken")
	}
	var left []string
	_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			left = append(left, path)
		}
		return nil
	})
	if len(left) > 0 {
		t.Errorf("%q is left, want nothing", left)
	}
}
