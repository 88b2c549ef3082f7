package transport

import (
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/tcpinfo"
)

// What has come on a connection of a mailbox is not forgotten if one look at the connections fails.
func TestConnections_sort(t *testing.T) {
	for name, test := range map[string]struct {
		seen []tcpinfo.Reading
		want int
	}{"the look failed": {nil, 1}, "the connection is gone": {[]tcpinfo.Reading{}, 0}} {
		l := connections{answered: map[uint64]*answered{1: {seen: &sight{}}}}
		l.sort(time.Now(), test.seen)
		if got := len(l.answered); got != test.want {
			t.Errorf("%s: %d connections known, want %d", name, got, test.want)
		}
	}
}
