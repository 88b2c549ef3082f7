package transport

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

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
		"all#1": {"all", nil}, "none#2": {"none", NewPolicy(slog.New(slog.DiscardHandler), true, nil)},
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
		"none#2": {"none", NewPolicy(slog.New(slog.DiscardHandler), true, nil)},
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
			user = Z85FromRaw([32]byte(key))
		}
		if len(reply) != 6 || string(reply[0]) != "1.0" || string(reply[2]) != test.code || string(reply[4]) != user {
			t.Errorf("answer(%s) = %q, want code %s and user %q", test.name, reply, test.code, user)
		}
		if len(test.request) > 1 && !bytes.Equal(reply[1], test.request[1]) {
			t.Errorf("answer(%s) has request id %q, want %q", test.name, reply[1], test.request[1])
		}
	}
}
