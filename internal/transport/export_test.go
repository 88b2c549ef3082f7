package transport

import "testing"

// ConnectedTo returns the endpoint that a mailbox of ZMQ is connected to.
func ConnectedTo(t *testing.T, m Mailbox) string {
	t.Helper()
	z, ok := m.(*zmqMailbox)
	if !ok {
		t.Fatalf("a mailbox of type %T", m)
	}
	endpoint, err := z.soc.GetLastEndpoint()
	if err != nil {
		t.Fatal(err)
	}
	return endpoint
}

// UsePublicOnly has a transport move messages as with a release of zmq4 that is not known.
func (t *ZMQ) UsePublicOnly() { t.publicOnly = true }

// OffersInproc reports whether an endpoint is that of an inbox of this process.
func (t *ZMQ) OffersInproc(endpoint string) bool {
	offers := &t.context.inproc
	offers.mu.Lock()
	defer offers.mu.Unlock()
	return offers.offers[endpoint] != nil
}

// AnswersZAP reports whether the responder runs, or knows a policy.
func (t *ZMQ) AnswersZAP() bool {
	z := &t.context.zap
	z.lifecycle.Lock()
	defer z.lifecycle.Unlock()
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.quit != nil || len(z.entries) != 0
}

// WantsSources reports whether an inbox of ZMQ asks of each message which connection brought it.
func WantsSources(t *testing.T, in Inbox) bool {
	t.Helper()
	z, ok := in.(*zmqInbox)
	if !ok {
		t.Fatalf("an inbox of type %T", in)
	}
	return z.wantSources
}

// IsIdle reports whether nothing happened at the last look of a guard.
func IsIdle(g *Guard) bool { return g.state == guardIdle }

// DueLooks are the looks that a guard takes, after one at which the process had needed
// before bytes of memory, and of later ones peaks.
func DueLooks(before int, idle bool, peaks []int) (due []bool) {
	g := &Guard{peak: before}
	if idle {
		g.skip = idleLooks
	}
	for _, p := range peaks {
		due = append(due, !g.leaveOut(p))
	}
	return due
}

// SourceOf returns the connection that an inbox of ZMQ takes a descriptor for.
func SourceOf(t *testing.T, in Inbox, fd int) Conn {
	t.Helper()
	z, ok := in.(*zmqInbox)
	if !ok {
		t.Fatalf("an inbox of type %T", in)
	}
	return z.Source(fd)
}
