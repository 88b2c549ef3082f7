package zyre_test

import (
	"errors"
	"io"
	"testing"

	"github.com/go-zyre/zyre"
)

func TestError(t *testing.T) {
	for _, c := range []struct {
		err  *zyre.Error
		text string
	}{
		{&zyre.Error{Op: "start", Err: zyre.ErrRunning}, "zyre: start: node is already running"},
		{&zyre.Error{Op: "whisper", Target: "bob", Err: io.EOF}, "zyre: whisper bob: EOF"},
	} {
		if got := c.err.Error(); got != c.text {
			t.Errorf("Error() = %q, want %q", got, c.text)
		}
		if got := c.err.Unwrap(); !errors.Is(got, c.err.Err) || !errors.Is(c.err, c.err.Err) {
			t.Errorf("Unwrap() = %v, want %v", got, c.err.Err)
		}
	}
}
