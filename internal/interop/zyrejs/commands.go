package zyrejs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// command is one line of a node's input.
type command struct {
	Cmd     string `json:"cmd"`
	Seq     int    `json:"seq"`
	Group   string `json:"group,omitempty"`
	ID      string `json:"id,omitempty"`
	Message []byte `json:"message,omitempty"`
	Count   int    `json:"count,omitempty"`
}

// PeerInfo is what a node knows of one of its peers.
type PeerInfo struct {
	// from its HELLO, its JOINs and its LEAVEs
	Name     string            `json:"name"`
	Endpoint string            `json:"endpoint"`
	Headers  map[string]string `json:"headers"`
	Groups   []string          `json:"groups"`

	Evasive bool `json:"evasive"` // it has been silent for a while
}

// Join joins a group.
func (p *Peer) Join(ctx context.Context, group string) error {
	_, err := p.do(ctx, command{Cmd: "join", Group: group})
	return err
}

// Leave leaves a group.
func (p *Peer) Leave(ctx context.Context, group string) error {
	_, err := p.do(ctx, command{Cmd: "leave", Group: group})
	return err
}

// Shout sends a message to a group; zyre.js drops it where it knows no member.
func (p *Peer) Shout(ctx context.Context, group string, message []byte) error {
	_, err := p.do(ctx, command{Cmd: "shout", Group: group, Message: message})
	return err
}

// Whisper sends a message to a peer, which the node must know.
func (p *Peer) Whisper(ctx context.Context, uuid string, message []byte) error {
	_, err := p.do(ctx, command{Cmd: "whisper", ID: uuid, Message: message})
	return err
}

// Whispers sends count messages to a peer: the message, a space and a number from 0.
// It slows down while the node's queues are long and returns when all are queued.
func (p *Peer) Whispers(ctx context.Context, uuid string, message []byte, count int) error {
	_, err := p.do(ctx, command{Cmd: "whispers", ID: uuid, Message: message, Count: count})
	return err
}

// Peers gives the peers that the node knows, by UUID in upper case.
func (p *Peer) Peers(ctx context.Context) (map[string]PeerInfo, error) {
	value, err := p.do(ctx, command{Cmd: "peers"})
	if err != nil {
		return nil, err
	}
	var byID map[string]PeerInfo
	if err := json.Unmarshal(value, &byID); err != nil {
		return nil, fmt.Errorf("zyrejs: peers: %w", err)
	}
	peers := make(map[string]PeerInfo, len(byID))
	for id, info := range byID {
		peers[strings.ToUpper(id)] = info
	}
	return peers, nil
}

// do sends one command and waits until it is carried out.
func (p *Peer) do(ctx context.Context, c command) (json.RawMessage, error) {
	c.ID = strings.ToLower(c.ID) // as zyre.js writes them
	done := make(chan Event, 1)

	p.mu.Lock()
	p.seq++
	c.Seq = p.seq
	line, err := json.Marshal(c)
	if err == nil {
		p.waiting[c.Seq] = done
		_, err = p.stdin.Write(append(line, '\n'))
	}
	p.mu.Unlock()
	if err != nil {
		p.forget(c.Seq)
		return nil, fmt.Errorf("zyrejs: %s: %w", c.Cmd, err)
	}
	e, err := p.answer(ctx, c.Seq, done)
	if err != nil {
		return nil, fmt.Errorf("zyrejs: %s: %w", c.Cmd, err)
	}
	return e.Value, nil
}

// answer waits for the answer to command seq.
func (p *Peer) answer(ctx context.Context, seq int, done <-chan Event) (Event, error) {
	defer p.forget(seq)
	var e Event
	select {
	case e = <-done:
	case <-ctx.Done():
		return Event{}, ctx.Err()
	case <-p.ended:
		select {
		case e = <-done: // the last thing it said
		default:
			return Event{}, errors.Join(ErrEnded, p.exitErr)
		}
	}
	if e.Kind == "error" {
		return Event{}, errors.New(e.Text)
	}
	return e, nil
}

func (p *Peer) forget(seq int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.waiting, seq)
}
