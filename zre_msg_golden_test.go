package zyre

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-zyre/zyre/internal/wire"
	"github.com/go-zyre/zyre/internal/wire/wiretest"
)

// goldenText is a string that may be written as the bytes it is made of.
type goldenText string

func (s *goldenText) UnmarshalJSON(b []byte) error {
	var raw struct {
		Hex string `json:"invalid_utf8_hex"`
	}
	if b[0] != '{' {
		return json.Unmarshal(b, (*string)(s))
	}
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	bin, err := hex.DecodeString(raw.Hex)
	*s = goldenText(bin)
	return err
}

// goldenZre is a decoded ZRE message. Fields that it does not have are zero.
type goldenZre struct {
	Signature    string
	ID           uint8
	Version      byte
	Sequence     uint16
	Endpoint     goldenText
	Groups       []goldenText
	Status       byte
	Name         goldenText
	Headers      [][2]goldenText
	Group        goldenText
	Content      []goldenText
	ChallengerID goldenText `json:"challenger_id"`
	LeaderID     goldenText `json:"leader_id"`
}

func TestZreView_golden(t *testing.T) {
	tests := []struct {
		file string
		want int // ZRE messages in the file
	}{
		{"libzyre.jsonl", 38}, {"pyre.jsonl", 24}, {"zyrejs.jsonl", 23}, {"gossip-libzyre.jsonl", 2}, {"zmtp.jsonl", 5},
	}
	for _, tt := range tests {
		n := 0
		for i, r := range wiretest.Captures(t, ".", tt.file) {
			switch {
			case r.Transport == "tcp raw" && strings.Contains(r.What, "message frame"):
				// ZMTP: flags 0, length 1, frame
				r.Frames[0] = r.Frames[0][2:]
				var outer struct{ Zre json.RawMessage }
				if err := json.Unmarshal(r.Decoded, &outer); err != nil {
					t.Fatal(err)
				}
				r.Decoded = outer.Zre
			case r.Transport == "udp" || r.Transport == "tcp raw" || strings.Contains(r.What, "identity"):
				continue
			case strings.HasPrefix(r.What, "gossip"):
				if err := new(zreView).parse(r.Frames[0]); !errors.Is(err, errBadSignature) {
					t.Errorf("%s: parse(%s) = %v, want %v", tt.file, r.What, err, errBadSignature)
				}
				continue
			}
			n++
			t.Run(tt.file+":"+strconv.Itoa(i+1), func(t *testing.T) { checkGoldenZre(t, r) })
		}
		if n != tt.want {
			t.Errorf("%s has %d ZRE messages, want %d", tt.file, n, tt.want)
		}
	}
}

// checkGoldenZre decodes r, compares it and encodes it again.
func checkGoldenZre(t *testing.T, r wiretest.Capture) {
	t.Helper()
	var want goldenZre
	if err := json.Unmarshal(r.Decoded, &want); err != nil {
		t.Fatal(err)
	}
	var v zreView
	if err := v.parse(r.Frames[0]); err != nil {
		t.Fatalf("%s %s: parse = %v", r.Impl, r.What, err)
	}
	got := goldenZre{
		Signature: "aaa1", ID: v.id, Version: Version, Sequence: v.sequence, Status: v.status,
		Endpoint: goldenText(v.endpoint), Name: goldenText(v.name), Group: goldenText(v.group),
	}
	switch v.id {
	case ElectID:
		got.ChallengerID = goldenText(v.candidate)
	case LeaderID:
		got.LeaderID = goldenText(v.candidate)
	}
	for group := range v.groups() {
		got.Groups = append(got.Groups, goldenText(group))
	}
	for key, value := range v.headers() {
		got.Headers = append(got.Headers, [2]goldenText{goldenText(key), goldenText(value)})
	}
	for _, frame := range r.Frames[1:] {
		got.Content = append(got.Content, goldenText(frame))
	}
	g, _ := json.Marshal(emptyAsNil(got))
	w, _ := json.Marshal(emptyAsNil(want))
	if !bytes.Equal(g, w) {
		t.Errorf("%s %s: parse = %s, want %s", r.Impl, r.What, g, w)
	}
	if b := encodeInOrder(t, &v); !bytes.Equal(b, r.Frames[0]) {
		t.Errorf("%s %s: append = %x, want %x", r.Impl, r.What, b, r.Frames[0])
	}
	if b, err := v.message().append(nil); v.headerCount < 2 && (err != nil || !bytes.Equal(b, r.Frames[0])) {
		t.Errorf("%s %s: append = %x, %v, want %x, nil", r.Impl, r.What, b, err, r.Frames[0])
	}
}

func emptyAsNil(g goldenZre) goldenZre {
	if len(g.Groups) == 0 {
		g.Groups = nil
	}
	if len(g.Headers) == 0 {
		g.Headers = nil
	}
	return g
}

// encodeInOrder encodes v with the headers in the order they came: libzyre's is that
// of a hash table.
func encodeInOrder(t *testing.T, v *zreView) []byte {
	t.Helper()
	m := v.message()
	m.Headers = nil
	b, err := m.append(nil)
	if err != nil {
		t.Fatalf("append = %v", err)
	}
	if v.id != HelloID {
		return b
	}
	a := wire.NewAppender(b[:len(b)-4]) // without the count of headers
	a.Count(v.headerCount)
	for key, value := range v.headers() {
		a.String(string(key))
		a.Longstr(string(value))
	}
	b, err = a.Bytes()
	if err != nil {
		t.Fatalf("append headers = %v", err)
	}
	return b
}

func TestIdentity_golden(t *testing.T) {
	for _, file := range []string{"libzyre.jsonl", "pyre.jsonl", "zyrejs.jsonl"} {
		i := slices.IndexFunc(wiretest.Captures(t, ".", file), func(r wiretest.Capture) bool { return r.What == "router identity frame" })
		if i < 0 {
			t.Errorf("%s has no routing id", file)
			continue
		}
		r := wiretest.Captures(t, ".", file)[i]
		var want struct{ UUID string }
		if err := json.Unmarshal(r.Decoded, &want); err != nil {
			t.Fatal(err)
		}
		uuid, ok := parseIdentity(r.Frames[0])
		if !ok || uuidString(uuid) != want.UUID {
			t.Errorf("%s: parseIdentity(%x) = %x, %t, want %s, true", file, r.Frames[0], uuid, ok, want.UUID)
		}
		if b := appendIdentity(nil, uuid); !bytes.Equal(b, r.Frames[0]) {
			t.Errorf("%s: appendIdentity = %x, want %x", file, b, r.Frames[0])
		}
	}
}
