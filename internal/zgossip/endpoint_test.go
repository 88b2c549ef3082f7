package zgossip

import (
	"errors"
	"slices"
	"testing"
)

func TestCheckEndpoint(t *testing.T) {
	for endpoint, want := range map[string]struct{ bind, connect bool }{
		"tcp://127.0.0.1:5670":                 {true, true},
		"tcp://[::1]:5670":                     {true, true},
		"tcp://hub.example:5670":               {true, true},
		"tcp://localhost:1":                    {true, true},
		"tcp://127.0.0.1:*":                    {true, false},
		"tcp://*:5670":                         {true, false},
		"tcp://127.0.0.1:0;hub.example:5670":   {true, true},
		"tcp://127.0.0.1:0;127.0.0.2:5670":     {true, true},
		"tcp://127.0.0.1\x00:0;127.0.0.2:5670": {false, false},
		"tcp://127.0.0.1:65536":                {false, false},
		"tcp://127.0.0.1:0;127.0.0.2:65536":    {false, false},
		"tcp://127.0.0.1":                      {false, false},
		"tcp://127.0.0.1:port":                 {false, false},
		"tcp://127.0.0.1\x00:5670":             {false, false},
		"tcp://":                               {false, false},
		"ipc://*":                              {true, true},
		"ipc:///tmp/my hub":                    {true, true},
		"ipc:///tmp/hub\x00":                   {false, false},
		"ipc://":                               {false, false},
		"inproc://hub":                         {true, true},
		"inproc://":                            {false, false},
		"udp://127.0.0.1:5670":                 {false, false},
		"":                                     {false, false},
	} {
		for name, got := range map[string]struct {
			err  error
			good bool
		}{
			"CheckBind":    {CheckBind(endpoint), want.bind},
			"CheckConnect": {CheckConnect(endpoint), want.connect},
		} {
			if (got.err == nil) != got.good || got.err != nil && !errors.Is(got.err, ErrEndpoint) {
				t.Errorf("%s(%q) = %v, want an error: %v", name, endpoint, got.err, !got.good)
			}
		}
	}
}

func TestSplitSource(t *testing.T) {
	for endpoint, want := range map[string][2]string{
		"tcp://127.0.0.1:0;hub.example:1": {"127.0.0.1:0;", "tcp://hub.example:1"},
		"tcp://[::1]:0;[::1]:1":           {"[::1]:0;", "tcp://[::1]:1"},
		"tcp://hub.example:1":             {"", "tcp://hub.example:1"},
		"ipc://a;b":                       {"", "ipc://a;b"},
		"":                                {"", ""},
	} {
		source, target := splitSource(endpoint)
		if got := [2]string{source, target}; got != want {
			t.Errorf("splitSource(%q) = %q, want %q", endpoint, got, want)
		}
		if got := withSource(source, target); got != endpoint {
			t.Errorf("withSource(%q, %q) = %q, want %q", source, target, got, endpoint)
		}
	}
}

func TestIPv4First(t *testing.T) {
	v4, other4, v6, other6 := "tcp://192.0.2.1:1", "tcp://192.0.2.2:1", "tcp://[2001:db8::1]:1", "tcp://[::1]:1"
	for _, c := range []struct{ in, want []string }{
		{[]string{v4}, []string{v4}},
		{[]string{v6}, []string{v6}},
		{[]string{v6, v4}, []string{v4, v6}},
		{[]string{v4, v6}, []string{v4, v6}},
		{[]string{v6, other6}, []string{v6, other6}},
		{[]string{v6, other4, other6, v4}, []string{other4, v4, v6, other6}},
	} {
		if got := ipv4First(c.in); !slices.Equal(got, c.want) {
			t.Errorf("ipv4First(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}
