package hosts

import (
	"testing"
	"time"

	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/netns"
)

// A server with two addresses is required by the one that it does not name to the client.
// It is met once, by beacons too, and stays.
func TestNet_requiredByOtherAddress(t *testing.T) {
	t.Parallel()
	for name, port := range map[string]int{"with beacons": 5670, "without": 5671} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := netns.New(t)
			n.Switch("one")
			n.Switch("two")
			s, c := n.Host("s"), n.Host("c")
			s.Connect("one", "eth0", "10.1.0.1/24")
			s.Connect("two", "eth1", "10.2.0.1/24")
			c.Connect("one", "eth0", "10.1.0.2/24")
			c.Route("10.2.0.0/24", "eth0")
			server := node(s, child.Config{Interface: "*", PeerPort: 49152, Port: 5670})
			client := node(c, child.Config{Interface: "eth0", Port: port,
				Required: []child.Required{{Endpoint: "tcp://10.2.0.1:49152"}}})
			within(t, 10*time.Second, "meshed", meshed(server, client), server, client)
			most := 1
			if port == 5670 {
				most = 2 // HELLO at the second address may start the session again, once
			}
			for _, text := range []string{"one", "two", "three"} {
				expire(t, s, client)
				client.Whisper("s", "%s", text)
				within(t, 5*time.Second, "a whisper arrives", func() bool { return server.Count("WHISPER c "+text) == 1 }, server, client)
			}
			for _, a := range []*child.Node{server, client} {
				if enters := a.Count("ENTER s") + a.Count("ENTER c"); enters > most {
					t.Errorf("%s saw %d ENTER, want %d at the most\n%s", a.Name, enters, most, a)
				}
			}
		})
	}
}
