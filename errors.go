package zyre

import (
	"errors"

	"github.com/go-zyre/zyre/internal/netif"
)

// Errors that a caller can act on. They come wrapped in an [Error] that says
// what was being done; compare with [errors.Is].
var (
	// ErrNotRunning is returned by methods that need a running node: before Start,
	// after Stop, or once the context is cancelled.
	ErrNotRunning = errors.New("node is not running")

	// ErrRunning is returned by Start if the node runs already, and by SetEndpoint
	// after Start.
	ErrRunning = errors.New("node is already running")

	// ErrUnknownPeer is returned for a peer that has not entered, has exited, or
	// exited before it took the message.
	ErrUnknownPeer = errors.New("unknown peer")

	// ErrUnknownGroup is returned for a group that no peer has joined.
	ErrUnknownGroup = errors.New("no peer in that group")

	// ErrTooLong is returned for a name of a node, group or header that is longer
	// than 255 bytes: its length is one byte in RFC 36.
	ErrTooLong = errors.New("longer than 255 bytes")

	// ErrInvalid is returned for an invalid argument.
	ErrInvalid = errors.New("invalid argument")

	// ErrNoInterface is returned by Start if the network interface given to
	// SetInterface does not exist.
	ErrNoInterface = netif.ErrNoInterface

	// ErrPushedBack is returned by WhisperContext and ShoutContext if the context
	// ended before every peer had room for the message. It comes with the
	// context's own error.
	ErrPushedBack = errors.New("peer takes no more messages")
)

// Error says which operation failed, on what, and why.
type Error struct {
	Op     string // the operation: "start", "whisper", "set endpoint", …
	Target string // the peer, group, endpoint or interface; may be empty
	Err    error  // the reason
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
