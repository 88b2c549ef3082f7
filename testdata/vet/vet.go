// Package vet calls the methods that format with arguments that do not fit: go vet must
// say so for each line that ends in a comment.
package vet

import "github.com/go-zyre/zyre"

func wrong(z *zyre.Zyre) {
	z.Shouts("group", "%d", "text")           // wrong
	z.Whispers("peer", "%s")                  // wrong
	z.SetHeader("name", "%d of %d", 1)        // wrong
	_ = z.SetEndpoint("tcp://%s:%d", "h", "") // wrong
	z.GossipBind("tcp://*:%d", "text")        // wrong
	z.GossipConnect("tcp://%s", 1.5, 2)       // wrong
	z.Shouts("group", "%d%%", 100)
}
