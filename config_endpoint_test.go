package zyre_test

import (
	"testing"

	"github.com/go-zyre/zyre/e2e/kit"
)

func TestZyre_secureInprocEndpointIsRefused(t *testing.T) {
	z := kit.NewStaticNode(t, "z")
	public, secret := kit.KeyPair(t)
	if err := z.SetZCert(public, secret).SetEndpoint("inproc://secure"); err != nil {
		t.Fatal(err)
	}
	if err := z.Start(); err == nil {
		t.Error("Start(inproc endpoint with a certificate) = nil, want an error: CURVE needs tcp or ipc")
	}
}
