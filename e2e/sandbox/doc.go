// Package sandbox takes from a process what some systems refuse, for tests.
package sandbox
