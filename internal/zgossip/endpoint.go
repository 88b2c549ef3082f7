package zgossip

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-zyre/zyre/internal/transport"
)

// CheckBind returns an error for an endpoint that a hub cannot listen at.
func CheckBind(endpoint string) error {
	if isLocal(endpoint) || transport.CheckBindEndpoint(endpoint) == nil && !hasNUL(endpoint) {
		return nil
	}
	return fmt.Errorf("%w to bind: %q", ErrEndpoint, endpoint)
}

// CheckConnect returns an error for an endpoint that a client cannot connect to. A host
// name is allowed.
func CheckConnect(endpoint string) error {
	_, target := splitSource(endpoint)
	err := transport.CheckEndpoint(target)
	if isLocal(endpoint) || (err == nil || errors.Is(err, transport.ErrNeedsLookup)) && !hasNUL(endpoint) {
		return nil
	}
	return fmt.Errorf("%w to connect to: %q", ErrEndpoint, endpoint)
}

// isLocal reports whether endpoint is of ipc or inproc. Only the user gives those: unlike
// the transport, which checks what peers send, a hub takes any path or name.
func isLocal(endpoint string) bool {
	scheme, name, _ := strings.Cut(endpoint, "://")
	return (scheme == "ipc" || scheme == "inproc") && name != "" && !hasNUL(name)
}

// hasNUL reports whether libzmq would take something for the end of s.
func hasNUL(s string) bool { return strings.Contains(s, "\x00") }

// splitSource splits "tcp://source;target", libzmq's form of an endpoint with the address
// to connect from. source includes the semicolon; it is empty if there is none.
func splitSource(endpoint string) (source, target string) {
	rest, ok := strings.CutPrefix(endpoint, "tcp://")
	i := strings.LastIndexByte(rest, ';')
	if !ok || i < 0 {
		return "", endpoint
	}
	return rest[:i+1], "tcp://" + rest[i+1:]
}

// withSource puts together what splitSource has split.
func withSource(source, target string) string {
	if source == "" {
		return target
	}
	return "tcp://" + source + strings.TrimPrefix(target, "tcp://")
}

// ipv4First puts the endpoints with an IPv4 address, which every hub has, before the
// others.
func ipv4First(endpoints []string) []string {
	sorted := slices.Clone(endpoints)
	slices.SortStableFunc(sorted, func(a, b string) int {
		return strings.Index(a, "tcp://[") - strings.Index(b, "tcp://[") // -1 or 0
	})
	return sorted
}
