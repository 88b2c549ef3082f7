package zyre

import (
	"slices"
	"strings"
	"time"

	"github.com/go-zyre/zyre/internal/ratelimit"
)

// viewHeader says in HELLO that a node answers questions for its view, and in which
// version of their format.
const (
	viewHeader  = "X-ZYRE-VIEW"
	viewVersion = "1"
)

// Limits on how often a node tells its view.
const (
	viewRate     = 1.0 // a second to one peer, in the long run
	viewBurst    = 3
	viewRateAll  = 20.0 // a second to all peers
	viewBurstAll = 40
)

// sharing is a node's part in views: its own, which peers ask for, and those of peers,
// which it asks for. A question is a WHISPER of one frame, and so is its answer. They are
// sent only to nodes that have said that they know them, and cause no events.
type sharing struct {
	on        bool                  // questions are answered
	answers   ratelimit.Bucket      // to all peers
	questions map[[8]byte]*question // of this node, by nonce; nil if it has never asked
}

func newSharing(on bool) sharing {
	return sharing{on: on, answers: ratelimit.Bucket{Rate: viewRateAll, Burst: viewBurstAll}}
}

// admitQuestion counts a question for this node's view, and reports whether it is answered.
func (p *peer) admitQuestion(now time.Time) bool {
	if p.viewAnswers == nil {
		p.viewAnswers = &ratelimit.Bucket{Rate: viewRate, Burst: viewBurst}
	}
	return p.viewAnswers.Take(now)
}

// askView sends a question to its peer.
func (z *zre) askView(now time.Time, q *question) {
	p := z.peers[q.peer]
	switch {
	case p == nil || !p.isEntered():
		q.finish(View{}, ErrUnknownPeer)
		return
	case p.headers[viewHeader] != viewVersion:
		q.finish(View{}, ErrNotShared)
		return
	case p.isBusy():
		q.finish(View{}, ErrPushedBack)
		return
	}
	if z.sharing.questions == nil {
		z.sharing.questions = map[[8]byte]*question{}
	}
	z.sharing.questions[q.nonce] = q
	z.sendView(now, p, appendViewHead(nil, viewQuestion, q.nonce))
}

// isBusy reports whether a message to the peer would have to wait.
func (p *peer) isBusy() bool { return p.backlog.isBlocked() || p.window.isFull() }

// sendView sends a question or an answer.
func (z *zre) sendView(now time.Time, p *peer, frame []byte) {
	z.header = appendPlain(z.header[:0], WhisperID, 0)
	z.transmit(now, p, &transmission{header: z.header, content: content{frames: [][]byte{frame}}})
}

// withdrawQuestion forgets a question that nobody waits for any more.
func (z *zre) withdrawQuestion(q *question) {
	if z.sharing.questions[q.nonce] == q {
		delete(z.sharing.questions, q.nonce)
	}
}

// dropQuestions ends the questions to a peer that exits.
func (z *zre) dropQuestions(p *peer) {
	for nonce, q := range z.sharing.questions {
		if q.peer == p.uuid {
			delete(z.sharing.questions, nonce)
			q.finish(View{}, ErrUnknownPeer)
		}
	}
}

// receiveView takes a WHISPER that is a question for this node's view, or the answer to a
// question of its own, and reports whether it was one. To a node that neither shares its
// view nor has ever asked for one, every WHISPER is the application's.
func (z *zre) receiveView(now time.Time, p *peer, frames [][]byte) bool {
	if !z.sharing.on && z.sharing.questions == nil || len(frames) != 1 {
		return false
	}
	kind, nonce, body, ok := parseViewHead(frames[0])
	switch {
	case !ok:
		return false
	case kind == viewQuestion && z.sharing.on:
		z.answerView(now, p, nonce, body)
		return true
	case kind == viewAnswer && z.sharing.questions != nil:
		z.receiveAnswer(p, nonce, body)
		return true
	}
	return false
}

// answerView tells a peer this node's view. It never makes anybody wait: a peer that takes
// nothing at present gets no answer.
func (z *zre) answerView(now time.Time, p *peer, nonce [8]byte, body []byte) {
	if len(body) != 0 || p.isBusy() || !p.admitQuestion(now) || !z.sharing.answers.Take(now) {
		z.counters.viewsRefused++
		return
	}
	z.counters.viewsSent++
	v := z.ownView(now)
	z.sendView(now, p, appendView(appendViewHead(nil, viewAnswer, nonce), &v))
}

// receiveAnswer takes the answer to a question. One that comes too late, or that nobody
// asked for, is dropped.
func (z *zre) receiveAnswer(p *peer, nonce [8]byte, body []byte) {
	q := z.sharing.questions[nonce]
	if q == nil || q.peer != p.uuid {
		z.counters.viewsRefused++
		return
	}
	delete(z.sharing.questions, nonce)
	v, err := parseView(body)
	if err != nil {
		z.counters.viewsRefused++
		q.finish(View{}, err)
		return
	}
	v.UUID = p.id
	q.finish(v, nil)
}

// ownView returns how this node sees the network.
func (z *zre) ownView(now time.Time) View {
	c := &z.counters
	v := View{
		UUID: z.id, Peers: z.entered, HalfOpen: len(z.peers) - z.entered, Groups: len(z.groups),
		Received: c.received, Sent: c.whispersSent + c.shoutsSent, Gaps: c.gaps, Pauses: c.pauses,
		Waits: c.pushedBack, Unsent: c.unsent,
	}
	for _, p := range z.peers {
		if p.isEntered() {
			v.PeerList = append(v.PeerList, ViewPeer{
				UUID: p.id, Name: p.name, Endpoint: p.endpoint, RTT: p.handshake.roundTrip, Idle: p.presence.idle(now),
				Received: p.received, Sent: p.sent, Waiting: p.backlog.queue.Len(),
				Evasive: p.presence.isEvasive(), Silent: p.presence.isSilent(),
			})
		}
	}
	slices.SortFunc(v.PeerList, func(a, b ViewPeer) int { return strings.Compare(a.UUID, b.UUID) })
	return v
}
