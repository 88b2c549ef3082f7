package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"

	"github.com/go-zyre/zyre"
)

// A file goes to a peer in whispers, one file at a time:
//
//	file   NAME      here it comes
//	piece  BYTES     one after the other; ZRE keeps the order, and loss shows as EXIT
//	end    SHA-256   that was all
//
// The answer is one whisper, "stored", or "failed" and why.
const pieceSize = 256 << 10

// errBusy says that another file is under way to the peer.
var errBusy = errors.New("another file is under way")

// sendFile sends a file and returns when the peer has stored it. It ends early when the
// peer exits or ctx ends.
func (a *agent) sendFile(ctx context.Context, peer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	answer := make(chan string, 1)
	a.mu.Lock()
	busy := a.going[peer] != nil
	if !busy {
		a.going[peer] = answer
	}
	a.mu.Unlock()
	if busy {
		return errBusy
	}
	defer func() {
		a.mu.Lock()
		delete(a.going, peer)
		a.mu.Unlock()
	}()
	if err := a.whisper(ctx, peer, "file", []byte(filepath.Base(path))); err != nil {
		return err
	}
	sum := sha256.New()
	for buffer := make([]byte, pieceSize); ; {
		n, err := f.Read(buffer)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err // the peer drops what it has when the next file comes, or at EXIT
		}
		sum.Write(buffer[:n])
		if err := a.whisper(ctx, peer, "piece", buffer[:n]); err != nil {
			return err
		}
	}
	if err := a.whisper(ctx, peer, "end", sum.Sum(nil)); err != nil {
		return err
	}
	select {
	case text := <-answer:
		if text != "stored" {
			return fmt.Errorf("not stored: %s", text)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// whisper waits while the peer has no room, so that a file is never in memory as a whole.
func (a *agent) whisper(ctx context.Context, peer, what string, data []byte) error {
	return a.node.WhisperContext(ctx, peer, []byte(what), data)
}

// answer passes on what has become of a transfer, if somebody waits for it.
func (a *agent) answer(peer, text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if answer := a.going[peer]; answer != nil {
		select {
		case answer <- text:
		default: // there is one already
		}
	}
}

// coming is a file that comes.
type coming struct {
	name string
	part *os.File
	sum  hash.Hash
}

// handleFile takes a message about files.
func (a *agent) handleFile(e *zyre.Event) {
	if len(e.Frames) != 2 {
		return
	}
	what, data := string(e.Frames[0]), e.Frames[1]
	var err error
	switch c := a.coming[e.PeerUUID]; {
	case what == "stored", what == "failed":
		a.answer(e.PeerUUID, what+string(data))
	case what == "file":
		a.drop(e.PeerUUID)
		err = a.begin(e.PeerUUID, string(data))
	case c == nil: // it has failed, and the sender has been told
	case what == "piece":
		_, err = io.MultiWriter(c.part, c.sum).Write(data)
	case what == "end":
		err = a.store(e, c, string(data))
	}
	if err != nil {
		a.log.Warn("file", "from", e.PeerName, "err", err)
		a.drop(e.PeerUUID)
		a.node.WhisperFrames(e.PeerUUID, []byte("failed"), []byte(": "+err.Error()))
	}
}

// begin makes room for a file. Its name comes from the network and is not to be trusted.
func (a *agent) begin(peer, name string) error {
	if !filepath.IsLocal(name) || name != filepath.Base(name) || name == "." {
		return fmt.Errorf("not the name of a file: %q", name)
	}
	part, err := os.CreateTemp(a.dir, "."+name+"-*")
	if err == nil {
		a.coming[peer] = &coming{name, part, sha256.New()}
	}
	return err
}

// store checks a file that is complete and gives it its name.
func (a *agent) store(e *zyre.Event, c *coming, sum string) error {
	if string(c.sum.Sum(nil)) != sum {
		return fmt.Errorf("%q came damaged", c.name)
	}
	path := filepath.Join(a.dir, c.name)
	if err := errors.Join(c.part.Close(), os.Rename(c.part.Name(), path)); err != nil {
		return err
	}
	delete(a.coming, e.PeerUUID)
	a.mu.Lock()
	a.own.Files++
	a.mu.Unlock()
	a.log.Info("stored", "file", path, "from", e.PeerName)
	a.node.WhisperFrames(e.PeerUUID, []byte("stored"), nil)
	return nil
}

// drop gives up a file that was not completed.
func (a *agent) drop(peer string) {
	if c := a.coming[peer]; c != nil {
		delete(a.coming, peer)
		_ = c.part.Close()
		_ = os.Remove(c.part.Name())
	}
}
