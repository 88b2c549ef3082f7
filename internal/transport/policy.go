package transport

import (
	"log/slog"
	"sync/atomic"
)

// Policy says which clients may connect to a CURVE server, and counts and logs those that
// were turned away. Any number of goroutines may use it.
type Policy struct {
	log     *slog.Logger
	keys    atomic.Pointer[map[string]bool] // never changed, only replaced; nil lets everybody in
	refused atomic.Uint64
}

// NewPolicy returns a policy that allows only the given keys (Z85) if it is restricted,
// and else every client that has proven to hold a key.
func NewPolicy(log *slog.Logger, restricted bool, keys []string) *Policy {
	p := &Policy{log: log}
	if restricted {
		p.SetKeys(keys)
	}
	return p
}

// SetKeys replaces the keys that the policy allows, and restricts it to them.
// Connections that are open remain.
func (p *Policy) SetKeys(keys []string) {
	set := make(map[string]bool, len(keys))
	for _, key := range keys {
		set[key] = true
	}
	p.keys.Store(&set)
}

// Allows reports whether the holder of a key may connect.
func (p *Policy) Allows(key string) bool {
	keys := p.keys.Load()
	return key != "" && (keys == nil || (*keys)[key])
}

// Refused returns how many clients were turned away so far.
func (p *Policy) Refused() uint64 { return p.refused.Load() }

// Refuse counts and logs a client that was turned away.
func (p *Policy) Refuse(domain, address, key string) {
	p.refused.Add(1)
	p.log.Warn("refused: the key is not the right one, or not authorized",
		"what", "connection", "domain", domain, "address", address, "key", key)
}
