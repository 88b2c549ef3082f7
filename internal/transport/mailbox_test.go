package transport_test

import (
	"errors"
	"testing"

	"github.com/go-zyre/zyre/internal/transport"
	"github.com/go-zyre/zyre/internal/transport/transporttest"
)

// A mailbox under CURVE takes no way on which libzmq would leave that out.
func TestMailbox_Dial_secureInproc(t *testing.T) {
	public, secret := transporttest.NewKeys(t)
	tr := transporttest.NewZMQ(t)
	_, endpoint := transporttest.MustListen(t, tr, transport.ListenOptions{}, "inproc://zyre-secure")
	keys := transport.DialOptions{Identity: transporttest.Identity, ServerKey: public, PublicKey: public, SecretKey: secret}
	if _, err := tr.Dial(endpoint, keys); !errors.Is(err, transport.ErrBadEndpoint) {
		t.Errorf("Dial(%s) with keys = %v, want %v", endpoint, err, transport.ErrBadEndpoint)
	}
}
