package foreign

import "slices"

// An election is what libzyre knows of the leader of one group. It counts one ELECT
// of each member, echoes to its father once it has heard all, passes LEADER on once,
// and reports a leader once it has LEADER from all.
type election struct {
	group    string
	contests bool
	members  [][16]byte // when we looked last

	candidate string // the smallest challenger heard of
	father    [16]byte
	elects    int
	leaders   map[string]int // LEADER messages, by leader
	leader    string
	missed    bool // see HasMissedLeader
}

// Contest makes the model a candidate in a group that it is in.
func (m *Model) Contest(group string) {
	if m.traits.Elects {
		m.election(group).contests = true
		m.lookAtMembers()
	}
}

func (m *Model) election(group string) *election {
	for _, e := range m.elections {
		if e.group == group {
			return e
		}
	}
	e := &election{group: group, leaders: map[string]int{}}
	m.elections = append(m.elections, e)
	e.members = m.members(group)
	return e
}

// members lists the peers in a group.
func (m *Model) members(group string) [][16]byte {
	var list [][16]byte
	for _, p := range m.peers {
		if p.entered && slices.Contains(p.groups, group) {
			list = append(list, p.uuid)
		}
	}
	return list
}

// tell sends a command of an election to all members but one.
func (m *Model) tell(e *election, id uint8, candidate string, but [16]byte) {
	for _, uuid := range m.members(e.group) {
		if uuid != but {
			m.tellOne(e, id, candidate, uuid)
		}
	}
}

func (m *Model) tellOne(e *election, id uint8, candidate string, to [16]byte) {
	if p := m.find(to); p != nil {
		m.send(p, Message{ID: id, Group: e.group, Candidate: candidate})
	}
}

// lookAtMembers begins elections again where members have come, or the leader has gone.
func (m *Model) lookAtMembers() {
	for _, e := range m.elections {
		before := e.members
		e.members = m.members(e.group)
		came := slices.ContainsFunc(e.members, func(id [16]byte) bool { return !slices.Contains(before, id) })
		lost := slices.ContainsFunc(before, func(id [16]byte) bool {
			return !slices.Contains(e.members, id) && (UUIDText(id) == e.leader || UUIDText(id) == e.candidate)
		})
		if lost {
			e.missed = len(e.leaders) > 0
			e.restart("")
			e.leader = ""
		}
		if !e.contests || !came && !lost {
			continue
		}
		e.restart(UUIDText(m.cfg.UUID))
		if len(e.members) == 0 {
			m.elected(e, e.candidate)
		}
		m.tell(e, ElectID, e.candidate, [16]byte{})
	}
}

// memberEnters makes a peer that enters count as new, also if it was a member before.
func (m *Model) memberEnters(uuid [16]byte) {
	for _, e := range m.elections {
		e.members = slices.DeleteFunc(e.members, func(id [16]byte) bool { return id == uuid })
	}
}

func (e *election) restart(candidate string) {
	e.candidate, e.elects, e.leaders = candidate, 0, map[string]int{}
}

// hearElection handles ELECT and LEADER of a peer.
func (m *Model) hearElection(from [16]byte, msg *Message) {
	p := m.find(from)
	if !m.traits.Elects || p == nil || !p.entered || !slices.Contains(p.groups, msg.Group) {
		return
	}
	switch msg.ID {
	case ElectID:
		m.hearElect(m.election(msg.Group), from, msg.Candidate)
	case LeaderID:
		m.hearLeader(m.election(msg.Group), msg.Candidate)
	}
}

func (m *Model) hearElect(e *election, from [16]byte, challenger string) {
	if e.candidate == "" || challenger < e.candidate {
		e.candidate, e.father, e.elects = challenger, from, 0
		m.tell(e, ElectID, challenger, from)
	}
	if challenger != e.candidate {
		return
	}
	if e.elects++; e.elects != len(m.members(e.group)) {
		return
	}
	if challenger == UUIDText(m.cfg.UUID) {
		m.tell(e, LeaderID, challenger, [16]byte{})
		return
	}
	m.tellOne(e, ElectID, challenger, e.father)
}

func (m *Model) hearLeader(e *election, leader string) {
	if e.leaders[leader] == 0 && leader != UUIDText(m.cfg.UUID) {
		m.tell(e, LeaderID, leader, [16]byte{})
	}
	if e.leaders[leader]++; e.leaders[leader] == len(m.members(e.group)) {
		e.missed = len(e.leaders) > 1
		m.elected(e, leader)
		e.restart("")
	}
}

// HasMissedLeader reports whether LEADER of another candidate had come when the leader of a
// group was elected, or was lost. Libzyre forgets its counts at that moment, each member says
// LEADER once, and so that candidate, if it is elected, is never reported.
func (m *Model) HasMissedLeader(group string) bool {
	return slices.ContainsFunc(m.elections, func(e *election) bool { return e.group == group && e.missed })
}

// elected reports a leader.
func (m *Model) elected(e *election, leader string) {
	e.leader = leader
	ev := Event{Type: Leader, Group: e.group}
	if uuid, err := ParseUUID(leader); err == nil {
		ev.Peer = uuid
	}
	m.port.Event(ev)
}
