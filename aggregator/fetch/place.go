package fetch

import (
	"net/netip"
	"net/url"
	"strings"
	"sync"
)

// place is an address taken apart: what a poll needs to know of it before it asks.
// It does not change once made, and is shared.
type place struct {
	url           *url.URL // without userinfo and fragment
	text          string   // of url
	host, port    string
	authorization string     // of the userinfo; see target
	key           string     // of the bucket; see HostKey
	addr          netip.Addr // when the host is written as one
}

func placeOf(u *url.URL) *place {
	p := &place{url: u, text: u.String(), host: u.Hostname(), port: port(u)}
	p.key = hostKey(p.host)
	literal := p.host
	if strings.EqualFold(literal, "localhost") {
		literal = "127.0.0.1"
	}
	if a, err := netip.ParseAddr(literal); err == nil {
		p.addr = a
	}
	return p
}

// places remembers addresses that are polled again and again, because taking one
// apart costs a tenth of a 304.
type places struct {
	mu    sync.RWMutex // guards known
	known map[string]*place
}

// mostPlaces bounds a places; it forgets all when it is full.
const mostPlaces = 1 << 14

// of gives the place of an address; errors are those of target.
func (ps *places) of(raw string) (*place, error) {
	ps.mu.RLock()
	p := ps.known[raw]
	ps.mu.RUnlock()
	if p != nil {
		return p, nil
	}
	u, authorization, err := target(raw)
	if err != nil {
		return nil, err
	}
	p = placeOf(u)
	p.authorization = authorization
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.known == nil || len(ps.known) >= mostPlaces {
		ps.known = map[string]*place{}
	}
	ps.known[strings.Clone(raw)] = p
	return p, nil
}
