//go:build unix

package child

import (
	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/kit"
)

// Poke calls every method of a node and returns the slowest; see [kit.SlowestMethod].
func Poke(z *zyre.Zyre) Slowest {
	took, method := kit.SlowestMethod(z)
	return Slowest{took, method}
}
