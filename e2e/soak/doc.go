// Package soak holds the tests that go on for a while: make soak says for how long. What
// lasts a time here does so because that is how long it is watched.
package soak
