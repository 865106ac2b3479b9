package publish

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"chancery/publish/hub"
	"chancery/publish/render"
	"chancery/publish/web"
	"chancery/store"
)

// EnableHub adds a WebSub hub at /hub, which every feed names from then on. Call
// it before Run and before the handler is used. Requests to subscribers go through
// transport, which must refuse private addresses.
func (p *Publisher) EnableHub(cfg hub.Config, transport http.RoundTripper) {
	cfg.MadeUp = min(cfg.MadeUp, p.state.cfg.Expressions/2) // so that they stay ready, and readers' own, too
	p.hub = hub.New(cfg, p.hubAddress(), p, p.archive, transport, p.log.With("part", "hub"))
	p.web.Handle("/hub", p.hub)
}

// EnablePing tells the outside hubs of the configuration, if there are any, when
// feeds change. Call it before Run. Requests go through transport.
func (p *Publisher) EnablePing(cfg hub.Config, transport http.RoundTripper) {
	if hubs := p.state.cfg.Hubs; len(hubs) > 0 {
		p.pinger = hub.NewPinger(cfg, hubs, outlets{p}, p.archive, transport, p.log.With("part", "ping"))
	}
}

// outlets are the feeds that outside hubs are told of: those with a history. A
// boolean feed has a name that anybody can make up, and nobody outside is told of
// those; our own hub serves them.
type outlets struct{ *Publisher }

// States implements hub.Outlets.
func (o outlets) States() []hub.State {
	o.chains.mu.RLock()
	all := slices.Collect(maps.Values(o.chains.by))
	o.chains.mu.RUnlock()
	slices.SortFunc(all, func(a, b *chain) int { return strings.Compare(a.shelf.name, b.shelf.name) })
	out := make([]hub.State, 0, len(all))
	for _, c := range all {
		c.mu.Lock()
		s := hub.State{Name: c.shelf.name, Mark: c.id + " " + strconv.Itoa(c.events), Changed: c.last}
		c.mu.Unlock()
		for i, format := range render.Formats {
			if c.shelf.formats[i] {
				s.Addresses = append(s.Addresses, o.state.address(s.Name).In(format))
			}
		}
		out = append(out, s)
	}
	return out
}

// Seen implements hub.Outlets: what the histories have seen.
func (o outlets) Seen() store.Cursor { return store.Cursor(o.chronicled.Load()) }

// Wait implements hub.Outlets.
func (o outlets) Wait(ctx context.Context, at store.Cursor) error { return o.WaitHistory(ctx, at) }

// hubsOf are the hubs that a feed names.
func (p *Publisher) hubsOf(f *shelf) []string {
	switch {
	case p.Private():
		return nil
	case p.pinger != nil && f.minted:
		return p.state.cfg.Hubs
	case p.hub != nil:
		return []string{p.hubAddress()}
	}
	return nil
}

// HubStats counts the hub's subscriptions and deliveries; ok is false without a hub.
func (p *Publisher) HubStats() (s hub.Stats, ok bool) {
	if p.hub == nil {
		return s, false
	}
	return p.hub.Stats(), true
}

func (p *Publisher) hubAddress() string { return p.state.base + "/hub" }

var _ hub.Topics = (*Publisher)(nil)

// Topic implements hub.Topics: the live feeds, by their address with a suffix, if
// they are public.
func (p *Publisher) Topic(ctx context.Context, address string) (hub.Document, error) {
	name, ok := strings.CutPrefix(address, p.state.base+"/feeds/")
	if !ok || p.Private() || strings.Contains(name, "/archive/") {
		return hub.Document{}, web.ErrNotFound
	}
	name, suffix, ok := strings.Cut(name, ".")
	format, known := render.ParseFormat(suffix)
	if !ok || !known {
		return hub.Document{}, web.ErrNotFound
	}
	f, err := p.Feed(ctx, name)
	if err != nil {
		return hub.Document{}, err
	}
	if !f.Formats[format] {
		return hub.Document{}, web.ErrNotFound
	}
	return hub.Document{
		Self: f.Feed.Self.In(format), Type: format.ContentType(), Version: f.Version, MadeUp: p.state.madeUp(name),
		Bytes: func(ctx context.Context) ([]byte, error) { return f.Bytes(ctx, format, false) },
	}, nil
}

// Seen implements hub.Topics.
func (p *Publisher) Seen() store.Cursor { return store.Cursor(p.cursor.Load()) }
