package main

import (
	"time"
	"unicode/utf8"

	"github.com/go-zyre/zyre"
)

// eventLine is an event in JSON. A message of one frame that is text stands in Text, and
// any other in Data, where JSON has frames in base64.
type eventLine struct {
	Time     time.Time         `json:"time"`
	Type     string            `json:"type"`
	Peer     string            `json:"peer"`
	Name     string            `json:"name"`
	Endpoint string            `json:"endpoint,omitempty"`
	Headers  map[string]string `json:"headers,omitempty"`
	Group    string            `json:"group,omitempty"`
	Reason   string            `json:"reason,omitempty"`
	Text     *string           `json:"text,omitempty"`
	Data     [][]byte          `json:"data,omitempty"`
}

func newEventLine(e *zyre.Event, at time.Time) eventLine {
	l := eventLine{
		Time: at.UTC(), Type: e.Type, Peer: e.PeerUUID, Name: e.PeerName, Endpoint: e.PeerAddr,
		Headers: e.Headers, Group: e.Group, Reason: e.Reason,
	}
	switch {
	case len(e.Frames) == 1 && utf8.Valid(e.Msg):
		text := string(e.Msg)
		l.Text = &text
	default:
		l.Data = e.Frames
	}
	return l
}
