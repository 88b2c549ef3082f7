package zyre_test

import "github.com/go-zyre/zyre"

// Both kinds are what they are to be used as.
var (
	_ zyre.Connection = (*zyre.IPv4Conn)(nil)
	_ zyre.Connection = (*zyre.IPv6Conn)(nil)
)
