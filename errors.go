package zyre

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/go-zyre/zyre/internal/netif"
	"github.com/go-zyre/zyre/internal/transport"
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

	// ErrTooLarge is returned for a message of more than 10,000 frames, which no node of
	// this package takes. How many bytes a peer takes is not known here: see
	// [ReasonTooLarge].
	ErrTooLarge = errors.New("message too large")

	// ErrInvalid is returned for an invalid argument.
	ErrInvalid = errors.New("invalid argument")

	// ErrNoInterface is returned by Start if the network interface given to
	// SetInterface does not exist.
	ErrNoInterface = netif.ErrNoInterface

	// ErrNotShared is returned by PeerView for a peer that does not tell its view.
	ErrNotShared = errors.New("peer does not share its view")

	// ErrPushedBack is returned by WhisperContext and ShoutContext if the context
	// ended before every peer had room for the message. It comes with the
	// context's own error. Without that, the application has taken none of its events: then
	// Ping and WaitPeers return it too.
	ErrPushedBack = errors.New("peer takes no more messages")
)

// errReadsNothing ends the waits of an application for what its node does not read.
var errReadsNothing = fmt.Errorf("%w: this application reads none of its events", ErrPushedBack)

// Error says which operation failed, on what, and why.
type Error struct {
	Op     string // the operation: "start", "whisper", "set endpoint", …
	Target string // the peer, group, endpoint or interface; may be empty
	Err    error  // the reason
}

// Error returns the text "zyre: op target: reason", in one line.
func (e *Error) Error() string {
	s := "zyre: " + e.Op
	if e.Target != "" {
		s += " " + e.Target
	}
	if e.Err == nil {
		return s
	}
	return s + ": " + onePrefix(e.Err.Error())
}

// onePrefix makes one line of the text of an error, without the prefixes that the errors
// within it have.
func onePrefix(text string) string {
	text = strings.TrimPrefix(strings.ReplaceAll(text, "\n", "; "), "zyre: ")
	return strings.NewReplacer(": zyre: ", ": ", "; zyre: ", "; ", ": zgossip: ", ": ").Replace(text)
}

// Unwrap returns the reason, so that errors.Is and errors.As see it.
func (e *Error) Unwrap() error { return e.Err }

// opError wraps err, and keeps nil nil.
func opError(op, target string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, Target: shown(target), Err: err}
}

// endpointError is opError for what should be an endpoint.
func endpointError(op, endpoint string, err error) error {
	return opError(op, shownEndpoint(endpoint), err)
}

// shown returns an argument as an error may show it: in one line, shortened, and never
// what may be a key, since it may be a secret one.
func shown(s string) string {
	trimmed := strings.TrimSpace(s)
	_, isKey := transport.RawFromZ85(trimmed)
	switch {
	case isKey && !namesTransport(trimmed), isHex(trimmed) && len(trimmed) == 64:
		return fmt.Sprintf("(a key of %d characters)", len(trimmed))
	case len(s) > maxString:
		s = s[:20] + "…"
	}
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}

// shownEndpoint returns what should be an endpoint as an error may show it. A long text
// that is none may be a key.
func shownEndpoint(s string) string {
	if len(s) > 24 && !namesTransport(s) {
		return fmt.Sprintf("(%d characters)", len(s))
	}
	return shown(s)
}

// namesTransport reports whether a text begins as an endpoint does, right or wrong. One in
// 16,000 keys has :// somewhere.
func namesTransport(s string) bool {
	scheme, _, _ := strings.Cut(s, "://")
	return slices.Contains([]string{"tcp", "ipc", "inproc", "udp", "pgm", "epgm", "tipc", "ws", "wss", "http", "https"}, scheme)
}

func isHex(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil
}
