//go:build unix

package child

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/go-zyre/zyre/e2e/watch"
)

var witnesses atomic.Int64 // so far, so that each has a name of its own

// WitnessName is a name that no other witness of this process has.
func WitnessName() string { return fmt.Sprint("witness", witnesses.Add(1)) }

// Dying waits until nodes have seen a witness enter, kills it, and returns a question:
// whether they have all seen it exit. By then they would have given up any other peer
// that has been silent as long.
func Dying(t testing.TB, witness *Node, nodes ...*watch.Log) (gone func() bool) {
	t.Helper()
	for _, n := range nodes {
		n.Wait(t, "ENTER "+witness.Name, 1)
	}
	witness.Process.Kill()
	return func() bool {
		for _, n := range nodes {
			if n.Has(witness.Name) {
				return false
			}
		}
		return true
	}
}
