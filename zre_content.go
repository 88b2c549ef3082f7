package zyre

import "github.com/go-zyre/zyre/internal/transport"

// content is what a message carries beside its header: frames, or one large frame that is
// shared by all that it is sent to. Who keeps a content longer than the message that it
// came with retains it.
type content struct {
	frames [][]byte
	shared *transport.Payload
}

func (c content) isEmpty() bool { return len(c.frames) == 0 && c.shared == nil }

// size is in bytes.
func (c content) size() (bytes int) {
	if c.shared != nil {
		return len(c.shared.Bytes())
	}
	for _, f := range c.frames {
		bytes += len(f)
	}
	return bytes
}

func (c content) retain() {
	if c.shared != nil {
		c.shared.Retain()
	}
}

func (c content) release() {
	if c.shared != nil {
		c.shared.Release()
	}
}

// message is what the application sends: to a peer, or with group set to a group. The
// content is one of payload, frames and shared.
type message struct {
	peer    [16]byte
	group   string
	payload []byte             // a message of one frame,
	frames  [][]byte           // or of any number,
	shared  *transport.Payload // or of one large frame
	receipt *receipt           // for who wants to know what became of it; may be nil
	next    *message           // whisper to the same peer in a batch
}

// size is what the message counts against limits, in bytes.
func (m *message) size() int {
	if m.shared != nil {
		return len(m.shared.Bytes())
	}
	return len(m.payload) + content{frames: m.frames}.size()
}

// release gives up what the message carries.
func (m *message) release() {
	if m.shared != nil {
		m.shared.Release()
		m.shared = nil
	}
}

// content returns what a message carries; valid until the next call of content.
func (z *zre) content(m *message) content {
	switch {
	case m.shared != nil:
		return content{shared: m.shared}
	case m.frames != nil:
		return content{frames: m.frames}
	}
	z.oneFrame[0] = m.payload
	return content{frames: z.oneFrame[:]}
}
