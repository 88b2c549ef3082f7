// Package zyre finds other nodes on the local network and talks to them.
package zyre
