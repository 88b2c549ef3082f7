package hostnet

import (
	"context"
	"testing"
)

type fakeNetwork struct{ Network }

// A network is found in the context that it was put in, and in those made of it.
func TestFrom(t *testing.T) {
	type other struct{}
	one, two := &fakeNetwork{}, &fakeNetwork{}
	base := context.Background()
	cancelled, cancel := context.WithCancel(With(base, one))
	cancel()
	for _, c := range []struct {
		name string
		ctx  context.Context
		want Network
	}{
		{"none", base, nil},
		{"another value", context.WithValue(base, other{}, one), nil},
		{"one", With(base, one), one},
		{"one, of a nil context", With(nil, one), one}, //nolint:staticcheck // NewZyre takes a nil context, too
		{"one further up", context.WithValue(With(base, one), other{}, two), one},
		{"one that is cancelled", cancelled, one},
		{"one within another", With(With(base, one), two), two},
	} {
		if got := From(c.ctx); got != c.want {
			t.Errorf("%s: From() = %v, want %v", c.name, got, c.want)
		}
	}
	if With(nil, one).Err() != nil { //nolint:staticcheck // as above
		t.Error("a nil context ends, want never")
	}
}
