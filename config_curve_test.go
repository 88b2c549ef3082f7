package zyre

import (
	"context"
	"fmt"
	"strings"
	"testing"

	zmq "github.com/pebbe/zmq4"
)

// Whatever is given as a secret, or in the place of one, is shown nowhere.
func TestSet_secretsAreNotShown(t *testing.T) {
	public, secret := keyPair(t)
	secretIsNotShown(t, public, secret)
	secret = strings.Repeat("0://0", 8) // a key, and much like an endpoint
	public, err := zmq.AuthCurvePublic(secret)
	if err != nil {
		t.Fatal(err)
	}
	secretIsNotShown(t, public, secret)
}

func secretIsNotShown(t *testing.T, public, secret string) {
	t.Helper()
	_, other := keyPair(t)
	id := uuidString([16]byte{7})
	for name, give := range map[string]func(z *Zyre) error{
		"swapped":           func(z *Zyre) error { z.SetZCert(secret, public); return nil },
		"twice the secret":  func(z *Zyre) error { z.SetZCert(secret, secret); return nil },
		"of another":        func(z *Zyre) error { z.SetZCert(public, other); return nil },
		"with a line end":   func(z *Zyre) error { z.SetZCert(public, secret+"\n"); return nil },
		"cut":               func(z *Zyre) error { z.SetZCert(secret[:39], secret[:38]); return nil },
		"right":             func(z *Zyre) error { z.SetZCert(public, secret); return nil },
		"key of hub":        func(z *Zyre) error { z.GossipConnectCurve(secret+" ", "tcp://127.0.0.1:1"); return nil },
		"hub":               func(z *Zyre) error { z.GossipConnectCurve("tcp://127.0.0.1:1", "%s", secret); return nil },
		"hub bound":         func(z *Zyre) error { z.GossipBind("%s\n", secret); return nil },
		"endpoint":          func(z *Zyre) error { return z.SetEndpoint("%s", secret) },
		"endpoint, cut":     func(z *Zyre) error { return z.SetEndpoint("%s", secret[:35]) },
		"advertised":        func(z *Zyre) error { z.SetAdvertisedEndpoint(secret); return nil },
		"authorized":        func(z *Zyre) error { z.SetZCert(public, secret).SetAuthorizedKeys(public, secret+"x"); return nil },
		"authorized, valid": func(z *Zyre) error { z.SetZCert(public, secret).SetAuthorizedKeys(secret); return nil },
		"UUID":              func(z *Zyre) error { z.SetUUID(secret); return nil },
		"interface":         func(z *Zyre) error { z.SetInterface(secret); return nil },
		"required":          func(z *Zyre) error { return z.RequirePeer(id, "tcp://127.0.0.1:1", secret+"\n") },
		"required, place":   func(z *Zyre) error { return z.RequirePeer(secret, "tcp://127.0.0.1:1", public) },
		"required, swapped": func(z *Zyre) error { return z.RequirePeer(id, secret, "tcp://127.0.0.1:1") },
		"whispered to":      func(z *Zyre) error { return z.WhisperContext(context.Background(), secret) },
		"shouted to":        func(z *Zyre) error { return z.ShoutContext(context.Background(), secret) },
		"required, a secret": func(z *Zyre) error {
			return z.SetZCert(public, secret).SetAuthorizedKeys().RequirePeer(id, "tcp://127.0.0.1:1", other)
		},
	} {
		z, log := quietNode(t)
		err := give(z)
		started := z.Start()
		var dump strings.Builder
		z.Dump(&dump)
		_ = give(z)
		z.Stop()
		shown := fmt.Sprintf("%v\n%v\n%s\n%s\n%+v\n%#v", err, started, log, &dump, z, z)
		for _, key := range []string{secret, other} {
			if i := strings.Index(shown, key[:30]); i >= 0 {
				t.Errorf("%s: a secret is shown: …%q", name, shown[max(i-200, 0):i+30])
			}
		}
	}
}
