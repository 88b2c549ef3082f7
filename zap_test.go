package zyre

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

type zapCall struct{ domain, address, key string }

// zapLog is a policy that lets one key in and remembers what it was asked.
type zapLog struct {
	asked chan zapCall
}

func (l *zapLog) only(key string) zapPolicy {
	l.asked = make(chan zapCall, 1000)
	return func(domain, address, publicKey string) bool {
		l.asked <- zapCall{domain, address, publicKey}
		return publicKey == key
	}
}

func (l *zapLog) next(t *testing.T) zapCall {
	t.Helper()
	select {
	case call := <-l.asked:
		return call
	case <-time.After(patience):
		t.Fatal("the policy was not asked")
		return zapCall{}
	}
}

// sendUnwelcome sends what is not to arrive. If the connection has been refused already,
// libzmq has no way left to send on, and says so.
func sendUnwelcome(t *testing.T, m mailbox, text string) {
	t.Helper()
	if err := m.send(whisperHeader, [][]byte{[]byte(text)}); err != nil && !errors.Is(err, errAgain) {
		t.Fatalf("send(%q) = %v, want nil or %v", text, err, errAgain)
	}
}

// TestZAP_policies runs two nodes with one domain name and opposite policies.
func TestZAP_policies(t *testing.T) {
	tr := newTestTransport(t)
	annPublic, annSecret := newKeys(t)
	bobPublic, bobSecret := newKeys(t)
	ann := dialOptions{identity: []byte("\x01ann"), publicKey: annPublic, secretKey: annSecret}
	bob := dialOptions{identity: []byte("\x01bob"), publicKey: bobPublic, secretKey: bobSecret}

	for _, host := range []string{"tcp://127.0.0.1:*", "tcp://[::1]:*"} {
		for _, test := range []struct{ friend, stranger dialOptions }{{ann, bob}, {bob, ann}} {
			var log zapLog
			public, secret := newKeys(t)
			in, endpoint := mustListen(t, tr, listenOptions{publicKey: public, secretKey: secret,
				zapDomain: "global", allow: log.only(test.friend.publicKey)}, host)
			test.friend.serverKey, test.stranger.serverKey = public, public

			stranger := mustDial(t, tr, endpoint, test.stranger)
			sendUnwelcome(t, stranger, "let me in")
			if got := log.next(t); got.key != test.stranger.publicKey || got.domain != "global" {
				t.Errorf("asked about %v, want key %s in domain global", got, test.stranger.publicKey)
			}
			plain := mustDial(t, tr, endpoint, dialOptions{identity: []byte("\x01plain")})
			sendUnwelcome(t, plain, "me too")
			wrong := test.friend
			wrong.serverKey = annPublic // not the listener's
			imposed := mustDial(t, tr, endpoint, wrong)
			sendUnwelcome(t, imposed, "and me")
			sendUnwelcome(t, stranger, "let me in, please")

			friend := mustDial(t, tr, endpoint, test.friend)
			mustSend(t, friend, whisperHeader, []byte("it's me"))
			var p packet
			mustRecv(t, in, &p)
			if string(p.frames[0]) != "it's me" || p.userID != test.friend.publicKey {
				t.Errorf("received %q from user %q, want the friend's %q", p.frames[0], p.userID, test.friend.publicKey)
			}
			mustSend(t, friend, whisperHeader, []byte("it's me again"))
			mustRecv(t, in, &p)
			if string(p.frames[0]) != "it's me again" {
				t.Errorf("received %q of %x, want nothing but the friend's", p.frames, p.from)
			}
			call := log.next(t)
			if want := strings.Trim(host[len("tcp://"):len(host)-2], "[]"); call.address != want {
				t.Errorf("address = %q, want %q", call.address, want)
			}
		}
	}
}

func TestZAP_lifeCycle(t *testing.T) {
	tr := newTestTransport(t)
	public, secret := newKeys(t)
	opts := listenOptions{publicKey: public, secretKey: secret, zapDomain: "global"}
	client := dialOptions{identity: testIdentity, serverKey: public, publicKey: public, secretKey: secret}
	for range 20 { // the responder's name must be free again at once
		a, endpoint := mustListen(t, tr, opts, "tcp://127.0.0.1:*")
		b, _ := mustListen(t, tr, opts, "tcp://127.0.0.1:*")
		if err := b.close(); err != nil {
			t.Errorf("close() = %v", err)
		}
		m := mustDial(t, tr, endpoint, client)
		mustSend(t, m, pingHeader)
		var p packet
		mustRecv(t, a, &p)
		if p.userID != public {
			t.Errorf("userID = %q, want %q", p.userID, public)
		}
		if err := errors.Join(m.close(0), a.close()); err != nil {
			t.Errorf("close() = %v", err)
		}
		if z := &tr.ctx.zap; z.quit != nil || len(z.entries) != 0 {
			t.Fatalf("responder still there: %d policies", len(z.entries))
		}
	}
}

func TestZMQTransport_keys(t *testing.T) {
	tr := newTestTransport(t)
	public, secret := newKeys(t)
	other, _ := newKeys(t)
	for _, opts := range []listenOptions{
		{publicKey: public}, {secretKey: secret}, {publicKey: other, secretKey: secret},
		{publicKey: "x", secretKey: secret}, {publicKey: public, secretKey: "x"},
		{publicKey: public, secretKey: secret, zapDomain: strings.Repeat("x", 201)},
	} {
		if _, err := tr.listen(opts); err == nil {
			t.Errorf("listen(%q, domain of %d) = nil error", opts.publicKey, len(opts.zapDomain))
		} else if secret := opts.secretKey; len(secret) > 1 && strings.Contains(err.Error(), secret) {
			t.Errorf("listen() = %v, which shows the secret key", err)
		}
	}
	for _, opts := range []dialOptions{
		{serverKey: public}, {publicKey: public, secretKey: secret}, {serverKey: "x", publicKey: public, secretKey: secret},
		{serverKey: strings.Repeat("|", 40), publicKey: public, secretKey: secret},
		{serverKey: public, publicKey: other, secretKey: secret},
	} {
		opts.identity = testIdentity
		if _, err := tr.dial("tcp://127.0.0.1:9", opts); err == nil {
			t.Errorf("dial(server key %q) = nil error", opts.serverKey)
		}
	}
	if z := &tr.ctx.zap; z.quit != nil {
		t.Error("responder left behind by refused listeners")
	}
}

// Whatever a request holds, it gets a reply under its id, and only CURVE clients of a
// known domain with a whole key are let in.
func FuzzZapAnswer(f *testing.F) {
	key := strings.Repeat("k", 32)
	f.Add("1.0\nid\nall#1\n127.0.0.1\n\nCURVE\n" + key)
	f.Add("1.0\nid\nall#1\nnot an address\n\nCURVE\n" + key)
	f.Add("1.0\nid\nnone#2\n::ffff:10.0.0.1\n\nCURVE\n" + key)
	f.Add("1.0\nid\nall#1\n\n\nPLAIN\nuser\npassword")
	f.Add("")
	z := zapResponder{entries: map[string]zapEntry{
		"all#1": {"all", nil}, "none#2": {"none", func(_, _, _ string) bool { return false }},
	}}
	f.Fuzz(func(t *testing.T, text string) {
		var request [][]byte
		for frame := range strings.SplitSeq(text, "\n") {
			request = append(request, []byte(frame))
		}
		reply := z.answer(request)
		if len(reply) != 6 || len(request) > 1 && !bytes.Equal(reply[1], request[1]) {
			t.Fatalf("answer(%q) = %q, want 6 frames with the id", request, reply)
		}
		if string(reply[2]) == "200" && (len(request) != 7 || string(request[2]) != "all#1" || len(request[6]) != 32) {
			t.Errorf("answer(%q) lets it in", request)
		}
	})
}

func TestZapResponder_answer(t *testing.T) {
	key := bytes.Repeat([]byte{7}, 32)
	z := zapResponder{entries: map[string]zapEntry{
		"all#1":  {"all", nil},
		"none#2": {"none", func(_, _, _ string) bool { return false }},
	}}
	request := func(domain, mechanism string, credentials ...[]byte) [][]byte {
		return append([][]byte{[]byte("1.0"), []byte("id"), []byte(domain), []byte("127.0.0.1"), nil, []byte(mechanism)}, credentials...)
	}
	tests := []struct {
		name    string
		request [][]byte
		code    string
	}{
		{"accepted", request("all#1", "CURVE", key), "200"},
		{"refused", request("none#2", "CURVE", key), "400"},
		{"unknown domain", request("all", "CURVE", key), "400"},
		{"plain", request("all#1", "PLAIN", []byte("u"), []byte("p")), "400"},
		{"short key", request("all#1", "CURVE", key[:31]), "500"},
		{"no key", request("all#1", "CURVE"), "500"},
		{"two keys", request("all#1", "CURVE", key, key), "500"},
		{"nothing", nil, "500"},
		{"empty frames", make([][]byte, 7), "500"},
		{"version", append([][]byte{[]byte("2.0")}, request("all#1", "CURVE", key)[1:]...), "500"},
		{"cut short", request("all#1", "CURVE", key)[:3], "500"},
	}
	for _, test := range tests {
		reply := z.answer(test.request)
		user := ""
		if test.code == "200" {
			user = z85FromRaw([32]byte(key))
		}
		if len(reply) != 6 || string(reply[0]) != "1.0" || string(reply[2]) != test.code || string(reply[4]) != user {
			t.Errorf("answer(%s) = %q, want code %s and user %q", test.name, reply, test.code, user)
		}
		if len(test.request) > 1 && !bytes.Equal(reply[1], test.request[1]) {
			t.Errorf("answer(%s) has request id %q, want %q", test.name, reply[1], test.request[1])
		}
	}
}
