// Package hosts tests nodes on several hosts, which are network namespaces.
package hosts
