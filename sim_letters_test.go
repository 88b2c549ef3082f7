package zyre

import "strings"

// simLetter is a whisper that a host has sent. It may be lost only if one of the two
// applications sees the other exit afterwards.
type simLetter struct {
	from, to simHost
	text     string
	exits    int      // that the two have seen of each other until then
	conn     *simConn // that it goes out on
	outcome  *outcome // of a node of ours
}

// post notes a whisper that is about to be sent.
func (s *sim) post(from simHost, to [16]byte, text string) *simLetter {
	l := &simLetter{from: from, text: text}
	for _, h := range s.hosts {
		if h.base().uuid == to {
			l.to = h
			l.exits = simExits(from, h)
			l.conn = s.conn(from, h.base().endpoint)
		}
	}
	s.letters = append(s.letters, l)
	return l
}

// simExits counts how often two hosts have seen each other exit.
func simExits(a, b simHost) int {
	return a.base().exits[b.base().uuid] + b.base().exits[a.base().uuid]
}

// isLost reports whether a letter has vanished: between two processes that live, that have
// not seen each other exit since, and though its sender was told of no error.
func (l *simLetter) isLost() bool {
	if l.to == nil || l.to.base().got[l.text] > 0 || simExits(l.from, l.to) != l.exits {
		return false
	}
	if l.outcome != nil && l.outcome.err != nil { // if it is not known: it should have gone out by now
		return false
	}
	return l.conn == nil || !l.conn.headless
}

// checkLetters expects every whisper to have arrived, or somebody to have seen an EXIT.
func (s *sim) checkLetters() {
	s.tb.Helper()
	alive := map[simHost]bool{}
	for _, h := range s.hosts {
		alive[h] = true
	}
	for _, l := range s.letters {
		if alive[l.from] && alive[l.to] && !s.forged && l.isLost() {
			s.fatalf("whisper %q from %s to %s has vanished, and nobody has seen an EXIT", l.text, simName(l.from.base().uuid), simName(l.to.base().uuid))
		}
	}
}

// delivered notes a whisper that has arrived, whatever follows its text.
func (s *simSite) delivered(text string) { s.got[strings.TrimRight(text, ".")]++ }
