// Package measure has what the benchmarks and zyre perf measure with: messages that carry a
// number, by which the receiver sees whether one is missing or out of order, round trips one
// after the other, and percentiles. It knows nothing of nodes: what sends and what receives
// is an argument.
package measure

import (
	"bytes"
	"encoding/binary"
	"time"
)

// NumberSize is how many bytes [Number] writes.
const NumberSize = 8

// Number puts the number of a message, and that of its sender, into the first bytes of its
// payload. Both count from 0.
func Number(payload []byte, seq, sender int) {
	binary.LittleEndian.PutUint32(payload, uint32(seq))
	binary.LittleEndian.PutUint32(payload[4:], uint32(sender))
}

// Tally counts numbered messages of one size.
type Tally struct {
	Messages int // that have arrived
	Lost     int // of them those that came out of order, or are none of these messages
	size     int
	next     []uint32 // by sender
}

// NewTally returns the tally of messages from a number of senders, with payloads of a size.
func NewTally(senders, size int) *Tally { return &Tally{size: size, next: make([]uint32, senders)} }

// Add counts a message.
func (t *Tally) Add(payload []byte) {
	t.Messages++
	if len(payload) != t.size || len(payload) < NumberSize {
		t.Lost++
		return
	}
	seq, sender := binary.LittleEndian.Uint32(payload), binary.LittleEndian.Uint32(payload[4:])
	if uint64(sender) >= uint64(len(t.next)) || t.next[sender] != seq {
		t.Lost++
		return
	}
	t.next[sender]++
}

// Send sends messages from one sender, each with its number in payload, while more says so.
// It returns how many were sent.
func Send(payload []byte, more func(sent int) bool, send func(payload []byte) error) (sent int, err error) {
	for more(sent) {
		Number(payload, sent, 0)
		if err := send(payload); err != nil {
			return sent, err
		}
		sent++
	}
	return sent, nil
}

// RoundTrips sends a message, waits until it is back, and sends the next, and returns how
// long each took. Those that came back changed are lost.
func RoundTrips(payload []byte, rounds int, send func(payload []byte) error, receive func() ([]byte, error)) (trips []time.Duration, lost int, err error) {
	trips = make([]time.Duration, 0, rounds)
	for round := range rounds {
		Number(payload, round, 0)
		begin := time.Now()
		if err := send(payload); err != nil {
			return trips, lost, err
		}
		back, err := receive()
		if err != nil {
			return trips, lost, err
		}
		trips = append(trips, time.Since(begin))
		if !bytes.Equal(back, payload) {
			lost++
		}
	}
	return trips, lost, nil
}

// Percentile returns the least of sorted values that so many of a hundred do not exceed.
// There must be one value at least.
func Percentile[T any](sorted []T, percent int) T {
	return sorted[max(0, (len(sorted)*percent+99)/100-1)]
}

// Median is the middle of sorted values, of which there must be one at least.
func Median(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
