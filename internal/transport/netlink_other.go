//go:build !linux

package transport

import zmq "github.com/pebbe/zmq4"

// CheckNetlink finds nothing wrong here: only Linux has netlink.
func CheckNetlink() error { return nil }

// bindWithoutNetlink is never called here.
func bindWithoutNetlink(*zmq.Socket, string) (bound string, err error) { return "", ErrNoNetlink }
