package fifo

import (
	"fmt"
	"testing"
)

func TestQueue_order(t *testing.T) {
	var q Queue[int]
	in, out := 0, 0
	for round := range 400 {
		for range (round * 37) % 101 {
			q.Push(in)
			if got := *q.Back(); got != in {
				t.Fatalf("Back() = %d, want %d", got, in)
			}
			in++
		}
		for range (round * 53) % 97 {
			if q.Len() == 0 {
				break
			}
			if got := *q.Front(); got != out {
				t.Fatalf("Front() = %d, want %d", got, out)
			}
			if got := q.Pop(); got != out {
				t.Fatalf("Pop() = %d, want %d", got, out)
			}
			out++
		}
		if q.Len() != in-out {
			t.Fatalf("Len() = %d, want %d", q.Len(), in-out)
		}
	}
	for q.Len() > 0 {
		q.Pop()
	}
	if cap(q.items) > keep {
		t.Errorf("memory kept = %d items, want at most %d", cap(q.items), keep)
	}
}

// A queue that is emptied keeps memory for as many items as it has use for all the time;
// one that never empties does not grow with what went through it.
func TestQueue_memory(t *testing.T) {
	tests := map[string]struct {
		rest int // items that always stay in the queue
		peak int // items in it at most
		want int // capacity afterwards, at most
	}{
		"short":            {0, 10, 16},
		"as long as kept":  {0, keep, keep},
		"long":             {0, 10 * keep, keep},
		"never empty":      {1, 2, 4 * keep},
		"never empty long": {keep, 2 * keep, 8 * keep},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var q Queue[*int]
			for range test.rest {
				q.Push(new(int))
			}
			for range 10 {
				for range test.peak - test.rest {
					q.Push(new(int))
				}
				for q.Len() > test.rest {
					q.Pop()
				}
			}
			for range 10 * keep {
				if test.rest > 0 {
					q.Push(new(int))
					q.Pop()
				}
			}
			if got := cap(q.items); got > test.want {
				t.Errorf("capacity = %d, want at most %d", got, test.want)
			}
			for i, v := range q.items[:cap(q.items)] {
				if v != nil && (i < q.head || i >= len(q.items)) {
					t.Fatalf("the queue still refers to an item that was removed, at %d of %d", i, cap(q.items))
				}
			}
		})
	}
}

func TestQueue_Front(t *testing.T) {
	var q Queue[string]
	for i := range 3 {
		q.Push(fmt.Sprint(i))
	}
	*q.Front() = "changed"
	if got := q.Pop(); got != "changed" {
		t.Errorf("Pop() = %q, want what was written to Front()", got)
	}
	if got := *q.Front(); got != "1" {
		t.Errorf("Front() = %q, want %q", got, "1")
	}
}
