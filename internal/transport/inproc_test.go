package transport_test

import (
	"strings"
	"testing"

	"github.com/go-zyre/zyre/internal/transport"
	"github.com/go-zyre/zyre/internal/transport/transporttest"
)

func TestInproc_taken(t *testing.T) {
	public, secret := transporttest.NewKeys(t)
	secure := transport.ListenOptions{PublicKey: public, SecretKey: secret}
	tests := map[string]struct {
		listen     transport.ListenOptions
		dial       transport.DialOptions
		endpoint   string
		offer, ask bool
		want       bool
	}{
		"plain":          {endpoint: "tcp://127.0.0.1:*", offer: true, ask: true, want: true},
		"notOffered":     {endpoint: "tcp://127.0.0.1:*", ask: true},
		"notAsked":       {endpoint: "tcp://127.0.0.1:*", offer: true},
		"ipc":            {endpoint: "ipc://" + t.TempDir() + "/s", offer: true, ask: true},
		"secure":         {listen: secure, dial: transport.DialOptions{ServerKey: public, PublicKey: public, SecretKey: secret}, endpoint: "tcp://127.0.0.1:*", offer: true, ask: true},
		"secureToPlain":  {dial: transport.DialOptions{ServerKey: public, PublicKey: public, SecretKey: secret}, endpoint: "tcp://127.0.0.1:*", offer: true, ask: true},
		"plainToSecured": {listen: secure, endpoint: "tcp://127.0.0.1:*", offer: true, ask: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			here, there := transporttest.NewZMQ(t), transporttest.NewZMQ(t)
			if !test.offer {
				here.DisableInproc()
			}
			if !test.ask {
				there.DisableInproc()
			}
			_, bound := transporttest.MustListen(t, here, test.listen, test.endpoint)
			got := transport.ConnectedTo(t, transporttest.MustDial(t, there, bound, test.dial))
			if strings.HasPrefix(got, "inproc://") != test.want {
				t.Errorf("Dial(%s) connected to %s, want inproc: %v", bound, got, test.want)
			}
		})
	}
}

// An offer lasts as long as the inbox is bound, and no other inbox's end withdraws it.
func TestInproc_lasts(t *testing.T) {
	tr := transporttest.NewZMQ(t)
	offered := tr.OffersInproc
	in, first := transporttest.MustListen(t, tr, transport.ListenOptions{}, "tcp://127.0.0.1:*")
	second, err := in.Bind("tcp://127.0.0.1:*")
	if err != nil {
		t.Fatal(err)
	}
	other, others := transporttest.MustListen(t, tr, transport.ListenOptions{}, "tcp://127.0.0.1:*")
	if err := other.Unbind(first); err == nil {
		t.Error("Unbind() of another's endpoint = nil, want an error")
	}
	if !offered(first) || !offered(second) || !offered(others) {
		t.Error("an endpoint in use is not offered")
	}
	if err := in.Unbind(first); err != nil {
		t.Fatal(err)
	}
	if offered(first) || !offered(second) {
		t.Error("Unbind() does not withdraw the offer for its endpoint alone")
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if offered(second) || !offered(others) {
		t.Error("Close() does not withdraw the offers of its inbox alone")
	}
	other.StopOffering()
	if third, err := other.Bind("tcp://127.0.0.1:*"); err != nil || offered(others) || offered(third) {
		t.Errorf("an inbox offers inproc after StopOffering, or Bind() = %v", err)
	}
}
