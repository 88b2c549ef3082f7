package foreignnet

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-zyre/zyre/internal/foreign"
)

var (
	errNoModel   = errors.New("foreignnet: the peer has no model")
	errNoBeacons = errors.New("foreignnet: the peer has no UDP port")
)

// Do runs f with the model, in the goroutine that owns it, and waits for it. f must
// not keep the model, nor call a method of the peer.
func (p *Peer) Do(f func(m *foreign.Model)) error {
	return p.do(func() error {
		if p.model == nil {
			return errNoModel
		}
		f(p.model)
		return nil
	})
}

// Whisper sends to a node.
func (p *Peer) Whisper(to [16]byte, content ...[]byte) error {
	sent := false
	err := p.Do(func(m *foreign.Model) { sent = m.Whisper(to, content...) })
	if err == nil && !sent {
		err = fmt.Errorf("foreignnet: whisper to %s: no such peer", foreign.UUIDText(to))
	}
	return err
}

// Shout sends to the nodes that are in a group.
func (p *Peer) Shout(group string, content ...[]byte) error {
	members := 0
	err := p.Do(func(m *foreign.Model) { members = m.Shout(group, content...) })
	if err == nil && members == 0 {
		err = fmt.Errorf("foreignnet: shout to %q: nobody is in the group", group)
	}
	return err
}

// Join joins a group.
func (p *Peer) Join(group string) error { return p.Do(func(m *foreign.Model) { m.Join(group) }) }

// Leave leaves a group.
func (p *Peer) Leave(group string) error { return p.Do(func(m *foreign.Model) { m.Leave(group) }) }

// HasEntered reports whether the application of the peer sees a node.
func (p *Peer) HasEntered(uuid [16]byte) (entered bool) {
	_ = p.Do(func(m *foreign.Model) { entered = m.HasEntered(uuid) })
	return entered
}

// Meet tells the model of a node, as a beacon would.
func (p *Peer) Meet(uuid [16]byte, endpoint string) error {
	return p.Do(func(m *foreign.Model) { m.Beacon(time.Now(), uuid, endpoint) })
}

// Forget has the model remove a node and begin again with it, as after its expiry and
// the next beacon.
func (p *Peer) Forget(uuid [16]byte) error {
	return p.Do(func(m *foreign.Model) { m.Forget(time.Now(), uuid) })
}

// SayHelloAgain has the model say HELLO on a fresh connection to a node that it goes on
// to hold ready, as many times.
func (p *Peer) SayHelloAgain(uuid [16]byte, times int) error {
	return p.Do(func(m *foreign.Model) { m.SayHelloAgain(uuid, times) })
}

// SendTo sends frames as they are on the connection that the model has to a node: a
// message out of sequence, for example.
func (p *Peer) SendTo(uuid [16]byte, frames ...[]byte) error {
	return p.do(func() error {
		soc := p.dealers[uuid]
		if soc == nil {
			return fmt.Errorf("foreignnet: send to %s: not connected", foreign.UUIDText(uuid))
		}
		return sendFrames(soc, frames)
	})
}

// Freeze stops the peer as SIGSTOP would: it reads nothing and its clock stands still.
// What the test sends for it goes out all the same.
func (p *Peer) Freeze() error { return p.setFrozen(true) }

// Thaw ends Freeze.
func (p *Peer) Thaw() error { return p.setFrozen(false) }

func (p *Peer) setFrozen(frozen bool) error {
	return p.do(func() error {
		p.frozen = frozen
		return nil
	})
}

// CloseMailbox closes the mailbox. The peer goes on to send.
func (p *Peer) CloseMailbox() error {
	return p.do(func() error {
		if p.router == nil {
			return nil
		}
		err := p.router.Close()
		p.router = nil
		return err
	})
}

// Announce sends a beacon now.
func (p *Peer) Announce() error {
	return p.do(func() error {
		if p.udp == nil {
			return errNoBeacons
		}
		return p.announce()
	})
}

// Goodbye sends a beacon with port 0 now, and goes on.
func (p *Peer) Goodbye() error { return p.SendDatagrams(foreign.AppendBeacon(nil, p.opts.UUID, 0)) }

// SendDatagrams sends datagrams, as they are, to where the beacons go.
func (p *Peer) SendDatagrams(datagrams ...[]byte) error {
	return p.do(func() error {
		if p.udp == nil {
			return errNoBeacons
		}
		for _, d := range datagrams {
			if err := p.udp.send(d); err != nil {
				return err
			}
		}
		return nil
	})
}

// IsEvent matches events of a type about a node.
func IsEvent(kind string, peer [16]byte) func(foreign.Event) bool {
	return func(e foreign.Event) bool { return e.Type == kind && e.Peer == peer }
}

// IsMessage matches messages with a command, of whoever sent them.
func IsMessage(id uint8) func(Received) bool {
	return func(r Received) bool { return r.Err == nil && r.Message.ID == id }
}

// IsMessageFrom matches messages with a command, of one node.
func IsMessageFrom(id uint8, uuid [16]byte) func(Received) bool {
	return func(r Received) bool {
		return r.Err == nil && r.Message.ID == id && len(r.From) > 1 && string(r.From[1:]) == string(uuid[:])
	}
}
