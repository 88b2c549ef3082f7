package zyre

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// restarts counts how many of some restarts in a row are allowed.
func restarts(t *throttle, now time.Time, times int) (allowed int) {
	for range times {
		if ok, _ := t.restart(now); ok {
			allowed++
		}
	}
	return allowed
}

func TestThrottle_restart(t *testing.T) {
	start := time.Unix(1e9, 0)
	for _, c := range []struct {
		name string
		wait time.Duration // after too many
		want int           // of ten more
	}{
		{"while it is ignored", ignoreTime - 1, 0},
		{"once it is no longer ignored", ignoreTime, 5},
		{"much later", time.Hour, 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			th := newThrottle(netip.Addr{})
			if got := restarts(th, start, 2*restartBurst); got != restartBurst {
				t.Errorf("restarts at once = %d, want %d", got, restartBurst)
			}
			if got := restarts(th, start.Add(c.wait), 10); got != c.want {
				t.Errorf("restarts %v later = %d, want %d", c.wait, got, c.want)
			}
		})
	}
}

// It says once that a peer is ignored from now on.
func TestThrottle_ignoredOnce(t *testing.T) {
	th, now, times := newThrottle(netip.Addr{}), time.Unix(1e9, 0), 0
	for range 3 * restartBurst {
		if _, ignored := th.restart(now); ignored {
			times++
		}
	}
	if times != 1 {
		t.Errorf("ignored from now on %d times, want once", times)
	}
}

// A throttle that there is none of ignores nobody.
func TestThrottle_none(t *testing.T) {
	if (*throttle)(nil).isIgnoring(time.Unix(1e9, 0)) {
		t.Error("isIgnoring of nil = true, want false")
	}
}

func TestThrottle_forget(t *testing.T) {
	for _, c := range []struct {
		name string
		wait time.Duration
		want int
	}{{"soon", throttleMemory, 1}, {"later", throttleMemory + 1, 0}} {
		t.Run(c.name, func(t *testing.T) {
			b := newZREBench(t)
			b.z.admitRestart(b.now, stateUUID)
			b.z.forgetThrottles(b.now.Add(c.wait))
			if got := len(b.z.throttles); got != c.want {
				t.Errorf("throttles = %d, want %d", got, c.want)
			}
		})
	}
}

// numberedUUID makes the UUID of one of many nodes.
func numberedUUID(i int) (uuid [16]byte) {
	uuid[0] = 0xee
	binary.BigEndian.PutUint32(uuid[12:], uint32(i))
	return uuid
}

// No more peers are remembered than there is room for. Beyond that, who makes many of them takes
// places from itself alone: others may restart, and what they did is remembered.
func TestThrottle_limit(t *testing.T) {
	b := newZREBench(t)
	at := func(i int, endpoint string) [16]byte {
		b.z.peers[numberedUUID(i)] = b.z.newPeer(numberedUUID(i), endpoint, b.now)
		return numberedUUID(i)
	}
	honest := at(0, "tcp://10.0.0.5:9")
	if !b.z.admitRestart(b.now, honest) {
		t.Fatal("a first restart was refused")
	}
	for i := 1; i <= maxThrottles; i++ {
		b.z.admitRestart(b.now.Add(time.Duration(i)), at(i, "tcp://10.0.0.66:9"))
	}
	other := at(maxThrottles+1, "tcp://10.0.0.6:9")
	if !b.z.admitRestart(b.now, other) || b.z.throttles[other] == nil || b.z.throttles[honest] == nil || len(b.z.throttles) != maxThrottles {
		t.Errorf("a restart was refused, or one was forgotten, because another host makes many; %d are remembered", len(b.z.throttles))
	}
	if b.z.throttles[numberedUUID(1)] != nil || b.z.throttles[numberedUUID(maxThrottles)] == nil {
		t.Error("of the host with most, another has given way than the one that was quiet for longest")
	}
}

// What is said of nodes takes nothing from those that come by themselves.
func TestAdmit_sightingsTakeNothingOfHellos(t *testing.T) {
	b, key := newSecureBench(t)
	for i := range 2 * halfOpenBurst {
		b.z.sightedWithKey(b.now, numberedUUID(10+i), fmt.Sprintf("tcp://10.0.0.9:%d", 1000+i), key)
	}
	if b.z.counters.sightingsRefused == 0 {
		t.Fatal("no sighting was refused")
	}
	packet := packetOf(t, stateUUID, 1, &ZreMsg{id: HelloID, Endpoint: stateEndpoint, Headers: map[string]string{publicKeyHeader: key}})
	packet.UserID, packet.Address = key, netip.MustParseAddr("10.0.0.9")
	b.z.receive(b.now, &packet)
	if b.peer() == nil {
		t.Error("a HELLO was refused because of sightings at its host")
	}
}

// New half-open peers come at a limited rate.
func TestAdmit(t *testing.T) {
	b := newZREBench(t)
	for i := range 2 * halfOpenBurst {
		b.z.sighted(b.now, numberedUUID(i), fmt.Sprintf("tcp://192.0.2.1:%d", 1+i))
	}
	if got := b.z.counters.sightingsRefused; got != halfOpenBurst-hostBurst {
		t.Errorf("sightings refused = %d, want %d", got, halfOpenBurst-hostBurst)
	}
}

// Beyond the limit the oldest half-open peer gives way.
func TestAdmit_oldestGivesWay(t *testing.T) {
	b := newZREBench(t)
	for i := range maxHalfOpen {
		b.z.peers[numberedUUID(i)] = b.z.newPeer(numberedUUID(i), "", b.now.Add(time.Duration(i)))
	}
	if !b.z.admit(b.now, &b.z.sightings, stateUUID, netip.Addr{}) || b.z.peers[numberedUUID(0)] != nil || len(b.z.peers) != maxHalfOpen-1 {
		t.Errorf("peers = %d, want %d without the oldest", len(b.z.peers), maxHalfOpen-1)
	}
}

// Who makes many half-open peers takes the places of its own, and not those of others, nor of
// a peer that the application requires, for which there is always room.
func TestAdmit_greediestGivesWay(t *testing.T) {
	b := newZREBench(t)
	const mine, others = 1, 2
	b.z.peers[numberedUUID(mine)] = b.z.newPeer(numberedUUID(mine), "tcp://10.0.0.66:1", b.now)
	b.z.known[numberedUUID(mine)] = newKnownNode("tcp://10.0.0.66:1", "", true)
	b.z.peers[numberedUUID(others)] = b.z.newPeer(numberedUUID(others), "tcp://10.0.0.5:9", b.now.Add(1))
	for i := range 2 * maxHalfOpen {
		b.z.sighted(b.now, numberedUUID(10+i), fmt.Sprintf("tcp://10.0.0.66:%d", 1000+i))
		b.pass(10 * time.Millisecond)
	}
	if n := len(b.z.peers); n > maxHalfOpen {
		t.Errorf("%d half-open peers, want at most %d", n, maxHalfOpen)
	}
	if b.z.peers[numberedUUID(mine)] == nil || b.z.peers[numberedUUID(others)] == nil {
		t.Error("a flood from one host pushed out a peer of another host, or a required one")
	}
	flood := netip.MustParseAddr("10.0.0.66")
	for range 2 * halfOpenBurst {
		b.z.sightings.take(b.now, flood)
	}
	if !b.z.admit(b.now, &b.z.sightings, numberedUUID(mine), flood) || b.z.admit(b.now, &b.z.sightings, numberedUUID(others), flood) {
		t.Error("a required peer is refused for the rate of others, or others are not")
	}
}

// All addresses of an IPv6 subnet are one host, and a node is counted by where its HELLO came
// from, not by the endpoint in it, which it can choose.
func TestAdmit_countsHosts(t *testing.T) {
	for name, flood := range map[string]func(b *zreBench, i int){
		"by addresses of one subnet": func(b *zreBench, i int) {
			b.z.sighted(b.now, numberedUUID(10+i), fmt.Sprintf("tcp://[2001:db8::%x]:9", 1+i))
		},
		"by what HELLO names": func(b *zreBench, i int) {
			uuid := numberedUUID(10 + i)
			p := b.z.newPeer(uuid, fmt.Sprintf("tcp://10.1.%d.%d:9", i>>8, i&255), b.now)
			p.hold(hello{from: netip.MustParseAddr("192.0.2.1")})
			if b.z.admit(b.now, &b.z.sightings, uuid, p.host()) {
				b.z.peers[uuid] = p
			}
		},
	} {
		b := newZREBench(t)
		honest := numberedUUID(1)
		b.z.peers[honest] = b.z.newPeer(honest, "tcp://10.0.0.5:9", b.now)
		for i := range 2 * maxHalfOpen {
			flood(b, i)
			b.pass(10 * time.Millisecond)
		}
		if b.z.peers[honest] == nil || len(b.z.peers) > maxHalfOpen {
			t.Errorf("%s: of %d peers one of another host is there: %t, want it to keep its place",
				name, len(b.z.peers), b.z.peers[honest] != nil)
		}
	}
}

// A host of which very many nodes are named, again and again, leaves other hosts a part, of some
// at once; and many hosts together get no more than that.
func TestAdmission_take(t *testing.T) {
	now, a := time.Unix(1e9, 0), newAdmission()
	flood := netip.MustParseAddr("10.0.0.66")
	const seconds = 10
	admitted, refused := 0, 0
	for i := range 1000 * seconds {
		if a.take(now, flood) {
			admitted++
		}
		for range hostBurst {
			if i%5000 == 4500 && !a.take(now, netip.MustParseAddr("10.0.0.5")) {
				refused++
			}
		}
		now = now.Add(time.Millisecond)
	}
	if most := halfOpenBurst + hostBurst + (halfOpenRate+hostRate)*seconds; admitted > most || refused > 0 {
		t.Errorf("%d of one host, and %d of another refused; want at most %d, and none", admitted, refused, most)
	}
	admitted = 0
	for i := range 1000 * seconds {
		if a.take(now, netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})) {
			admitted++
		}
		now = now.Add(time.Millisecond)
	}
	if most := halfOpenBurst + restBurst + (halfOpenRate+restRate)*seconds; admitted > most || len(a.own) > maxOwnBuckets {
		t.Errorf("%d of many hosts, of which %d are told apart; want at most %d, and %d", admitted, len(a.own), most, maxOwnBuckets)
	}
}
