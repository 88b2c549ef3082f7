// Package netns makes networks of hosts for tests. A host is a Linux network namespace,
// and a switch is a bridge in one more. Nothing that is sent on such a network can leave
// it, and it goes away with the test. It needs root.
package netns
