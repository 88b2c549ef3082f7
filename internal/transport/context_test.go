package transport_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/go-zyre/zyre/internal/transport"
)

func TestContext_concurrent(t *testing.T) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				tr, err := transport.NewZMQ()
				if err != nil {
					t.Error(err)
					return
				}
				in, err := tr.Listen(transport.ListenOptions{})
				if err != nil {
					t.Error(err)
					return
				}
				if err := errors.Join(in.Close(), tr.Close(), tr.Close()); err != nil {
					t.Error(err)
				}
				if _, err := tr.Listen(transport.ListenOptions{}); !errors.Is(err, transport.ErrClosed) {
					t.Errorf("Listen() after close = %v, want %v", err, transport.ErrClosed)
				}
			}
		})
	}
	wg.Wait()
}
