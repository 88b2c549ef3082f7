package zyre

import (
	"encoding/binary"
	"testing"
	"time"
)

// sequenceMailbox keeps the sequence numbers of what is sent.
type sequenceMailbox struct{ last uint16 }

func (m *sequenceMailbox) send(header []byte, _ [][]byte) error {
	m.last = binary.BigEndian.Uint16(header[4:])
	return nil
}

func (m *sequenceMailbox) close(time.Duration) error { return nil }

// What follows 65534 depends on how the peer counts, and on how it took the last wrap.
func TestPeer_wrap(t *testing.T) {
	now := time.Now()
	p := newPeer([16]byte{1}, "", now)
	box := &sequenceMailbox{}
	p.mailbox = box
	after65534 := func() uint16 {
		p.sent, p.sentAt = 65534, now
		if err := p.post(appendPlain(nil, PingID, 0), nil); err != nil {
			t.Fatalf("post = %v, want nil", err)
		}
		return box.last
	}
	for _, step := range []struct {
		what string
		do   func()
		want uint16
	}{
		{"at first", func() {}, 65535},
		{"begun anew much later", func() { p.strayed(now.Add(time.Hour), time.Second) }, 65535},
		{"begun anew", func() { p.strayed(now, time.Second) }, 0},
		{"content", func() {}, 0},
		{"begun anew again", func() { p.strayed(now, time.Second) }, 65535},
		{"and again", func() { p.strayed(now, time.Second) }, 0},
		{"begun anew twice", func() { p.strayed(now, time.Second); p.strayed(now, time.Second) }, 65535},
		{"shown modulo 65535", func() { p.modulo65535 = true }, 0},
		{"begun anew at that", func() { p.strayed(now, time.Second) }, 0},
		{"shown modulo 65536", func() { p.modulo65535, p.modulo65536 = false, true }, 65535},
	} {
		step.do()
		if got := after65534(); got != step.want {
			t.Errorf("%s: post after 65534 = %d, want %d", step.what, got, step.want)
		}
	}
}
