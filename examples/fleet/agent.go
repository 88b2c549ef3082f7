package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zyre/zyre"
)

const (
	group    = "fleet"
	interval = 2 * time.Second  // between two times that an agent tells its status
	grace    = 10 * time.Second // for transfers, when the agent is to end
)

// status is what agents tell each other, as JSON.
type status struct {
	Up    time.Duration // since its start
	Files int           // that it has received
}

// agent is one member of the fleet. The goroutine of run reads the events and owns what
// is not of package sync; transfers that go out have goroutines of their own.
type agent struct {
	node  *zyre.Zyre
	log   *slog.Logger
	certs string // directory of the certificates
	files string // directory for files that come
	send  string // file to send to all that join; "" is none

	started time.Time
	own     status
	coming  map[string]*coming // transfers that come, by peer

	fleet  sync.Map       // the status of all others, by UUID
	leader atomic.Bool    // this agent is the coordinator
	going  sync.Map       // by peer, the context.CancelCauseFunc that ends a transfer to it
	tasks  sync.WaitGroup // that send
}

// newAgent makes an agent on a node that has a name and was not started.
func newAgent(node *zyre.Zyre, certs, files string, log *slog.Logger) (*agent, error) {
	cert, err := zyre.LoadCert(filepath.Join(certs, node.Name()))
	if err != nil {
		return nil, err
	}
	node.SetZCert(cert.PublicKey, cert.SecretKey).SetContestInGroup(group).Join(group)
	a := &agent{node: node, log: log, certs: certs, files: files, coming: map[string]*coming{}}
	return a, a.authorize()
}

// authorize lets in those alone whose certificates are in the public directory, also while
// the node runs.
func (a *agent) authorize() error {
	certs, err := zyre.LoadCertStore(filepath.Join(a.certs, "public"))
	if len(certs) == 0 && err != nil {
		return err // the list stays as it was
	}
	var keys []string
	for _, cert := range certs {
		keys = append(keys, cert.PublicKey)
	}
	a.node.SetAuthorizedKeys(keys...)
	return err // of a damaged file; it must not keep another one from being revoked
}

// run runs the agent until ctx ends, and then ends it in good order.
func (a *agent) run(ctx context.Context) error {
	if err := a.node.Start(); err != nil {
		return err
	}
	a.started = time.Now()
	transfers, giveUp := context.WithCancel(context.Background()) // not ctx: they may go on for a while
	defer giveUp()
	tick := time.NewTicker(interval)
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
			a.handle(transfers, e)
		case <-tick.C:
			if err := a.authorize(); err != nil {
				a.log.Warn("list", "err", err)
			}
			a.tellStatus()
		case <-ctx.Done():
			ctx, a.send = context.Background(), "" // once, and no more transfers
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
func (a *agent) handle(transfers context.Context, e *zyre.Event) {
	switch {
	case e.Type == zyre.EventEnter:
		a.log.Info("enter", "peer", e.PeerName, "address", e.PeerAddr)
	case e.Type == zyre.EventWhisper:
		a.handleFile(e)
	case e.Type == zyre.EventExit:
		a.log.Info("exit", "peer", e.PeerName, "reason", e.Reason)
		a.fleet.Delete(e.PeerUUID)
		a.ended(e.PeerUUID, fmt.Errorf("exit: %s", e.Reason))
		a.drop(e.PeerUUID)
	case e.Group != group: // the events below are about one
	case e.Type == zyre.EventJoin:
		a.tellStatus()
		if file := a.send; file != "" {
			a.tasks.Go(func() {
				err := a.sendFile(transfers, e.PeerUUID, file)
				a.log.Info("sent", "file", file, "to", e.PeerName, "err", err)
			})
		}
	case e.Type == zyre.EventLeave: // it may still be sending
		a.fleet.Delete(e.PeerUUID)
	case e.Type == zyre.EventLeader:
		a.leader.Store(e.PeerUUID == a.node.UUID())
		a.log.Info("coordinator", "peer", e.PeerName)
	case e.Type == zyre.EventShout:
		var s status
		if err := json.Unmarshal(e.Msg, &s); err != nil {
			a.log.Warn("status", "peer", e.PeerName, "err", err)
			return
		}
		a.fleet.Store(e.PeerUUID, s)
	}
}

// tellStatus tells all how this agent is. It does not wait for a peer that is slow: what
// cannot go out now is out of date later.
func (a *agent) tellStatus() {
	a.own.Up = time.Since(a.started)
	text, err := json.Marshal(a.own)
	if err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		err = a.node.ShoutContext(ctx, group, text)
	}
	if err != nil {
		a.log.Debug("status", "err", err)
	}
	if a.leader.Load() {
		agents, files := a.total()
		a.log.Info("coordinating", "agents", agents, "files", files)
	}
}

// total returns how many agents there are, and how many files they have received.
func (a *agent) total() (agents, files int) {
	agents, files = 1, a.own.Files
	a.fleet.Range(func(_, s any) bool {
		agents++
		files += s.(status).Files
		return true
	})
	return agents, files
}
