package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/go-zyre/zyre"
)

// The messages. The receiver decides where to begin, for it knows what it has:
//
//	offer  NAME SIZE SHA-256    from the sender, to whoever joins
//	get    OFFSET               from the receiver: all from here on, please
//	piece  OFFSET BYTES         from the sender, one after the other
const (
	offer = "offer"
	get   = "get"
	piece = "piece"
)

// pieceSize is large enough for speed, and small enough that other messages of the node
// do not wait long behind one.
const pieceSize = 256 << 10

// sender sends one file to all that ask for it.
type sender struct {
	node *zyre.Zyre
	path string
	size int64
	hash string

	sending map[string]func() // ends what goes to a peer, by UUID; used only by handle
	running sync.WaitGroup
}

func newSender(node *zyre.Zyre, path string) (*sender, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	size, err := io.Copy(h, f)
	if err != nil {
		return nil, err
	}
	return &sender{node: node, path: path, size: size, hash: string(h.Sum(nil)), sending: map[string]func(){}}, nil
}

// handle takes the events of the node, all of them. The pieces go out in a goroutine for
// each peer, since they wait for the peer to take them.
func (s *sender) handle(ctx context.Context, e *zyre.Event) {
	switch {
	case e.Type == zyre.EventJoin && e.Group == "files":
		s.node.WhisperFrames(e.PeerUUID, []byte(offer), []byte(filepath.Base(s.path)), number(s.size), []byte(s.hash))
	case e.Type == zyre.EventExit:
		s.end(e.PeerUUID) // it will ask again when it is back
	case e.Type == zyre.EventStop:
		for peer := range s.sending {
			s.end(peer)
		}
		s.running.Wait()
	case e.Type == zyre.EventWhisper && len(e.Frames) == 2 && string(e.Frames[0]) == get:
		offset, err := strconv.ParseInt(string(e.Frames[1]), 10, 64)
		if err != nil || offset < 0 {
			return
		}
		s.end(e.PeerUUID)
		ctx, cancel := context.WithCancel(ctx)
		s.sending[e.PeerUUID] = cancel
		s.running.Go(func() {
			defer cancel()
			if err := s.send(ctx, e.PeerUUID, offset); err != nil && ctx.Err() == nil {
				fmt.Fprintf(os.Stderr, "send to %s: %v\n", e.PeerUUID, err)
			}
		})
	}
}

func (s *sender) end(peer string) {
	if end := s.sending[peer]; end != nil {
		end()
		delete(s.sending, peer)
	}
}

// send sends the file from an offset on. WhisperContext waits while the peer has no room,
// so that no more than a window is in memory, and no other peer waits.
func (s *sender) send(ctx context.Context, peer string, offset int64) error {
	f, err := os.Open(s.path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return err
	}
	for buffer := make([]byte, pieceSize); ; {
		n, err := io.ReadFull(f, buffer)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return err
		}
		if err := s.node.WhisperContext(ctx, peer, []byte(piece), number(offset), buffer[:n]); err != nil {
			return err // zyre.ErrUnknownPeer: it has exited
		}
		offset += int64(n)
	}
}

func number(n int64) []byte { return strconv.AppendInt(nil, n, 10) }
