package foreignnet

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// lastShown is how many items an error shows.
const lastShown = 10

// history is a list that grows, and that one can wait for.
type history[T any] struct {
	mu   sync.Mutex
	all  []T
	news chan struct{} // closed at the next item
}

func newHistory[T any]() *history[T] { return &history[T]{news: make(chan struct{})} }

func (h *history[T]) add(item T) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, item)
	close(h.news)
	h.news = make(chan struct{})
}

func (h *history[T]) items() ([]T, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all[:len(h.all):len(h.all)], h.news
}

func (h *history[T]) list() []T {
	all, _ := h.items()
	return slices.Clone(all)
}

func (h *history[T]) count(match func(T) bool) (n int) {
	all, _ := h.items()
	for _, item := range all {
		if match(item) {
			n++
		}
	}
	return n
}

// wait returns the nth item that matches, counted from 1 and from the start. It waits
// for it until ctx is done, or until the peer is.
func (h *history[T]) wait(ctx context.Context, done <-chan struct{}, nth int, match func(T) bool) (T, error) {
	seen, matched := 0, 0
	for {
		all, news := h.items()
		for ; seen < len(all); seen++ {
			if match(all[seen]) {
				if matched++; matched == nth {
					return all[seen], nil
				}
			}
		}
		var err error
		select {
		case <-news:
			continue
		case <-ctx.Done():
			err = context.Cause(ctx)
		case <-done:
			err = ErrClosed
		}
		var none T
		last := all[max(0, len(all)-lastShown):]
		return none, fmt.Errorf("foreignnet: %d of %d came; of %d others the last are %v: %w", matched, nth, len(all)-matched, last, err)
	}
}
