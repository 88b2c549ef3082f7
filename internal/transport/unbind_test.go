package transport_test

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/internal/transport"
	"github.com/go-zyre/zyre/internal/transport/transporttest"
)

// What Close and Unbind have left can be bound at once, while the context lives on with
// other sockets, and peers are connected.
func TestInbox_rebind(t *testing.T) {
	rounds := 100
	if os.Getenv("ZYRE_LONG") != "" {
		rounds = 1000
	}
	tr := transporttest.NewZMQ(t)
	transporttest.MustListen(t, tr, transport.ListenOptions{}, "tcp://127.0.0.1:*")
	endpoints := map[string]string{
		"tcp":    fmt.Sprintf("tcp://127.0.0.1:%d", kit.QuietTCPPort(t)),
		"ipc":    "ipc://" + t.TempDir() + "/s",
		"inproc": "inproc://rebind",
	}
	for name, endpoint := range endpoints {
		t.Run(name, func(t *testing.T) {
			tr := transporttest.NewZMQ(t)
			tr.DisableInproc()
			for i := range rounds {
				in, err := tr.Listen(transport.ListenOptions{})
				if err == nil {
					_, err = in.Bind(endpoint)
				}
				if err != nil {
					t.Fatalf("round %d: %v", i, err)
				}
				m := transporttest.MustDial(t, tr, endpoint, transport.DialOptions{Identity: transporttest.Identity})
				transporttest.MustSend(t, m, transporttest.PingHeader)
				var p transport.Packet
				transporttest.MustRecv(t, in, &p)
				if i%2 == 0 {
					if err := in.Unbind(endpoint); err != nil {
						t.Fatal(err)
					}
					if _, err := in.Bind(endpoint); err != nil {
						t.Fatalf("round %d: after Unbind: %v", i, err)
					}
				}
				if err := errors.Join(m.Close(0), in.Close()); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
