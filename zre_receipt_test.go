package zyre

import (
	"errors"
	"testing"
)

// outcome is what became of a message.
type outcome struct {
	receipt *receipt
	known   bool
	err     error
	answers int
}

func newOutcome() *outcome {
	o := &outcome{}
	o.receipt = &receipt{answer: func(err error) { o.known, o.err, o.answers = true, err, o.answers+1 }}
	return o
}

// Who waits is answered once, when each of the peers has taken the message or never will.
func TestReceipt(t *testing.T) {
	lost := errors.New("lost")
	for name, c := range map[string]struct {
		shout    bool
		outcomes []error
		want     error
	}{
		"a peer takes it":                {outcomes: []error{nil}},
		"a peer goes":                    {outcomes: []error{ErrUnknownPeer}, want: ErrUnknownPeer},
		"one of those in the group goes": {true, []error{nil, ErrUnknownPeer, nil}, nil},
		"one of those cannot be sent it": {true, []error{lost, nil, ErrUnknownPeer}, lost},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOutcome()
			o.receipt.expect(len(c.outcomes), c.shout)
			for _, err := range c.outcomes {
				if o.known {
					t.Errorf("answered %v with peers to come", o.err)
				}
				o.receipt.noteOutcome(err)
			}
			if !errors.Is(o.err, c.want) || o.answers != 1 {
				t.Errorf("answered %v, %d times; want %v, once", o.err, o.answers, c.want)
			}
		})
	}
}
