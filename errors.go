package zyre

import (
	"errors"

	"github.com/go-zyre/zyre/internal/netif"
)

// Errors that a caller can act on. They come wrapped in an [Error] that says
// what was being done; compare with [errors.Is].
var (
	// ErrNotRunning is returned by what needs a running node: before Start,
	// after Stop, or once the context is cancelled.
	ErrNotRunning = errors.New("node is not running")

	// ErrRunning is returned by Start on a node that runs already, and by
	// setters that return an error and have no effect after Start.
	ErrRunning = errors.New("node is already running")

	// ErrUnknownPeer is returned for a peer that is not here: it never
	// entered, has exited, or exited before it could take the message.
	ErrUnknownPeer = errors.New("unknown peer")

	// ErrUnknownGroup is returned for a group that no peer has joined.
	ErrUnknownGroup = errors.New("no peer in that group")

	// ErrTooLong is returned for a name of more than 255 bytes: of a node,
	// group or header. The wire format holds no more.
	ErrTooLong = errors.New("longer than 255 bytes")

	// ErrInvalid is returned for an argument that makes no sense.
	ErrInvalid = errors.New("invalid argument")

	// ErrNoInterface is returned by Start when the network interface that was
	// asked for does not exist.
	ErrNoInterface = netif.ErrNoInterface

	// ErrPushedBack is returned when a bounded wait ended before every peer
	// had room for a message. It comes with the context's own error.
	ErrPushedBack = errors.New("peer takes no more messages")
)

// Error says which operation failed, and on what.
type Error struct {
	Op     string // what was being done: "start", "whisper", "set endpoint", …
	Target string // the peer, group, endpoint or interface; may be empty
	Err    error  // why
}

// Error returns the text "zyre: op target: reason".
func (e *Error) Error() string {
	s := "zyre: " + e.Op
	if e.Target != "" {
		s += " " + e.Target
	}
	return s + ": " + e.Err.Error()
}

// Unwrap returns the reason, so that errors.Is and errors.As see it.
func (e *Error) Unwrap() error { return e.Err }

// opError wraps err, and keeps nil nil.
func opError(op, target string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, Target: target, Err: err}
}
