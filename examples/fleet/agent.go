package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/go-zyre/zyre"
)

const (
	group          = "fleet"
	statusInterval = 2 * time.Second
	grace          = 10 * time.Second // for transfers, when the agent is to end
)

// status is what agents tell each other, as JSON.
type status struct {
	Up    time.Duration // since its start
	Files int           // that it has received
}

// agent is one member of the fleet. The goroutine of run reads the events and owns what
// is not guarded; transfers that go out have goroutines of their own.
type agent struct {
	node *zyre.Zyre
	log  *slog.Logger
	dir  string // for files that come
	send string // file to send to all that join; "" is none

	started time.Time
	coming  map[string]*coming // transfers that come, by peer

	mu     sync.Mutex
	own    status
	fleet  map[string]status        // of all others, by UUID
	leader bool                     // this agent is the coordinator
	going  map[string]chan<- string // transfers that go out, by peer: what its answer is sent to
	tasks  sync.WaitGroup           // that send
}

func newAgent(node *zyre.Zyre, dir string, log *slog.Logger) *agent {
	node.SetContestInGroup(group).Join(group)
	return &agent{
		node: node, log: log, dir: dir, coming: map[string]*coming{},
		fleet: map[string]status{}, going: map[string]chan<- string{},
	}
}

// run runs the agent until ctx ends, and then ends it in good order.
func (a *agent) run(ctx context.Context) error {
	if err := a.node.Start(); err != nil {
		return err
	}
	a.started = time.Now()
	tasks, giveUp := context.WithCancel(context.Background()) // not ctx: transfers may go on for a while
	defer giveUp()
	tick := time.NewTicker(statusInterval)
	defer tick.Stop()
	for events := a.node.Events(); ; {
		select {
		case e, open := <-events:
			if !open {
				a.tasks.Wait()
				for peer := range a.coming {
					a.drop(peer)
				}
				return nil
			}
			a.handle(tasks, e)
		case <-tick.C:
			a.tellStatus()
		case <-ctx.Done():
			ctx = context.Background() // once
			a.log.Info("ending")
			a.node.Leave(group) // nobody begins anything with this agent from here on
			time.AfterFunc(grace, giveUp)
			go func() {
				a.tasks.Wait()
				a.node.Stop() // closes the channel: the loop, which reads on meanwhile, ends
			}()
		}
	}
}

// handle acts on one event.
func (a *agent) handle(tasks context.Context, e *zyre.Event) {
	switch e.Type {
	case zyre.EventEnter:
		a.log.Info("enter", "peer", e.PeerName, "address", e.PeerAddr)
	case zyre.EventJoin:
		if e.Group != group {
			return
		}
		a.tellStatus()
		if a.send != "" {
			a.tasks.Go(func() {
				err := a.sendFile(tasks, e.PeerUUID, a.send)
				a.log.Info("sent", "file", a.send, "to", e.PeerName, "err", err)
			})
		}
	case zyre.EventLeader:
		if e.Group != group {
			return
		}
		a.mu.Lock()
		a.leader = e.PeerUUID == a.node.UUID()
		a.mu.Unlock()
		a.log.Info("coordinator", "peer", e.PeerName)
	case zyre.EventShout:
		var s status
		if err := json.Unmarshal(e.Msg, &s); err != nil {
			a.log.Warn("status", "peer", e.PeerName, "err", err)
			return
		}
		a.mu.Lock()
		a.fleet[e.PeerUUID] = s
		a.mu.Unlock()
	case zyre.EventWhisper:
		a.handleFile(e)
	case zyre.EventExit, zyre.EventLeave:
		a.forget(e)
	}
}

// forget drops what is known of a peer that is gone. One that has only left the group may
// still be sending.
func (a *agent) forget(e *zyre.Event) {
	if e.Type == zyre.EventLeave && e.Group != group {
		return
	}
	a.mu.Lock()
	delete(a.fleet, e.PeerUUID)
	a.mu.Unlock()
	if e.Type == zyre.EventExit {
		a.log.Info("exit", "peer", e.PeerName, "reason", e.Reason)
		a.answer(e.PeerUUID, "exit: "+e.Reason)
		a.drop(e.PeerUUID)
	}
}

// tellStatus tells all how this agent is. It does not wait for a peer that is slow: what
// cannot go out now is out of date later.
func (a *agent) tellStatus() {
	a.mu.Lock()
	a.own.Up = time.Since(a.started)
	text, err := json.Marshal(a.own)
	leader, fleet := a.leader, len(a.fleet)+1
	a.mu.Unlock()
	if err != nil {
		a.log.Error("status", "err", err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if err := a.node.ShoutContext(ctx, group, text); err != nil {
		a.log.Debug("status", "err", err)
	}
	if leader {
		a.log.Info("coordinating", "agents", fleet)
	}
}

// others returns the status of all other agents, by UUID, and whether this one is the
// coordinator.
func (a *agent) others() (fleet map[string]status, leader bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.fleet), a.leader
}
