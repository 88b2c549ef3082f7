// Package process tests nodes in several processes on one host, which can be frozen or
// killed, and what strangers do to a process.
package process
