package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/go-zyre/zyre"
)

// receiver receives one file at a time into a directory.
type receiver struct {
	node     *zyre.Zyre
	dir      string
	progress func(done, size int64)

	offers map[string]*zyre.Event // by UUID of the sender: what has not been received yet

	from string // UUID of the sender; "" if there is none
	name string // of the file
	size int64
	hash string
	part *os.File // what has come
	done int64    // bytes in it
}

func newReceiver(node *zyre.Zyre, dir string) *receiver {
	return &receiver{node: node, dir: dir, progress: func(int64, int64) {}, offers: map[string]*zyre.Event{}}
}

// handle takes the events of the node, all of them. It returns the path of a file that is
// complete.
func (r *receiver) handle(e *zyre.Event) (complete string, err error) {
	switch {
	case e.Type == zyre.EventStop:
		return "", r.close()
	case e.Type == zyre.EventExit:
		delete(r.offers, e.PeerUUID)
		if e.PeerUUID == r.from {
			r.from, err = "", r.close() // the next offer of the same file continues it
		}
	case e.Type != zyre.EventWhisper:
	case len(e.Frames) == 4 && string(e.Frames[0]) == offer:
		r.offers[e.PeerUUID] = e
	case len(e.Frames) == 3 && string(e.Frames[0]) == piece && e.PeerUUID == r.from:
		complete, err = r.add(e)
	}
	for sender, e := range r.offers {
		if r.from != "" || complete != "" || err != nil {
			break
		}
		delete(r.offers, sender)
		complete, err = r.start(e)
	}
	return complete, err
}

// start asks for a file from where an earlier attempt has ended.
func (r *receiver) start(e *zyre.Event) (complete string, err error) {
	name := string(e.Frames[1])
	size, err := strconv.ParseInt(string(e.Frames[2]), 10, 64)
	// A name from the network is not to be trusted: it could be ../../.profile.
	if err != nil || size < 0 || !filepath.IsLocal(name) || name != filepath.Base(name) || name == "." {
		return "", nil
	}
	r.name, r.size, r.hash = name, size, string(e.Frames[3])
	// The hash is part of the name: what has come of another file is not continued.
	r.part, err = os.OpenFile(fmt.Sprintf("%s.%.4x.part", r.path(), r.hash), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return "", err
	}
	if r.done, err = r.part.Seek(0, io.SeekEnd); err != nil {
		return "", err
	}
	r.from = e.PeerUUID
	r.progress(r.done, r.size)
	if r.done >= r.size {
		return r.finish()
	}
	r.node.WhisperFrames(r.from, []byte(get), number(r.done))
	return "", nil
}

// add takes the next piece. One that does not follow was asked for before an EXIT.
func (r *receiver) add(e *zyre.Event) (complete string, err error) {
	if string(e.Frames[1]) != string(number(r.done)) || int64(len(e.Frames[2])) > r.size-r.done {
		return "", nil
	}
	if _, err := r.part.Write(e.Frames[2]); err != nil {
		return "", err
	}
	r.done += int64(len(e.Frames[2]))
	r.progress(r.done, r.size)
	if r.done < r.size {
		return "", nil
	}
	return r.finish()
}

// finish checks what has come and gives it its name.
func (r *receiver) finish() (complete string, err error) {
	r.from = ""
	h := sha256.New()
	if _, err := r.part.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	if _, err := io.Copy(h, r.part); err != nil {
		return "", err
	}
	part := r.part.Name()
	if err := r.close(); err != nil {
		return "", err
	}
	if string(h.Sum(nil)) != r.hash {
		return "", errors.Join(fmt.Errorf("%s is damaged", r.name), os.Remove(part))
	}
	return r.path(), os.Rename(part, r.path())
}

func (r *receiver) path() string { return filepath.Join(r.dir, r.name) }

func (r *receiver) close() error {
	if r.part == nil {
		return nil
	}
	part := r.part
	r.part = nil
	return part.Close()
}
