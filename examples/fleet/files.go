package main

import (
	"cmp"
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

// errStored is not an error, but how a transfer is to end.
var errStored = errors.New("stored")

// sendFile sends a file and returns when the peer has stored it. It ends early when the
// peer fails or exits, or ctx ends.
func (a *agent) sendFile(ctx context.Context, peer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	if _, busy := a.going.LoadOrStore(peer, end); busy {
		return errors.New("another file is under way")
	}
	defer a.going.Delete(peer)

	// WhisperContext waits while the peer has no room: a file is never in memory as a whole.
	whisper := func(what string, data []byte) error {
		return a.node.WhisperContext(ctx, peer, []byte(what), data)
	}
	sum := sha256.New()
	err = whisper("file", []byte(filepath.Base(path)))
	for buffer := make([]byte, pieceSize); err == nil; {
		var n int
		if n, err = f.Read(buffer); err == nil {
			sum.Write(buffer[:n])
			err = whisper("piece", buffer[:n])
		}
	}
	if errors.Is(err, io.EOF) {
		if err = whisper("end", sum.Sum(nil)); err == nil {
			<-ctx.Done() // the answer ends it
		}
	}
	if err = cmp.Or(context.Cause(ctx), err); errors.Is(err, errStored) {
		return nil
	}
	return err // the peer drops what it has when the next file comes, or at EXIT
}

// ended ends a transfer to a peer, if there is one.
func (a *agent) ended(peer string, cause error) {
	if end, ok := a.going.Load(peer); ok {
		end.(context.CancelCauseFunc)(cause)
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
	case what == "stored":
		a.ended(e.PeerUUID, errStored)
	case what == "failed":
		a.ended(e.PeerUUID, fmt.Errorf("failed: %s", data))
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
		a.node.WhisperFrames(e.PeerUUID, []byte("failed"), []byte(err.Error()))
	}
}

// begin makes room for a file. Its name comes from the network and is not to be trusted.
func (a *agent) begin(peer, name string) error {
	if !filepath.IsLocal(name) || name != filepath.Base(name) || name == "." {
		return fmt.Errorf("not the name of a file: %q", name)
	}
	part, err := os.CreateTemp(a.files, "."+name+"-*")
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
	path := filepath.Join(a.files, c.name)
	if err := errors.Join(c.part.Close(), os.Rename(c.part.Name(), path)); err != nil {
		return err
	}
	delete(a.coming, e.PeerUUID)
	a.own.Files++
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
