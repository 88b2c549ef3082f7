// Package e2e tests the command zyre from outside: as processes with a terminal or pipes,
// beside nodes of this and other implementations, and on several hosts.
package e2e
