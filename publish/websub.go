package publish

import (
	"context"
	"net/http"
	"strings"

	"chancery/publish/hub"
	"chancery/publish/render"
	"chancery/publish/web"
	"chancery/store"
)

// EnableHub adds a WebSub hub at /hub, which every feed names from then on. Call
// it before Run and before the handler is used. Requests to subscribers go through
// transport, which must refuse private addresses.
func (p *Publisher) EnableHub(ctx context.Context, cfg hub.Config, transport http.RoundTripper) error {
	h, err := hub.New(ctx, cfg, p.hubAddress(), p, p.archive, transport, p.log.With("part", "hub"))
	if err != nil {
		return err
	}
	p.hub = h
	p.web.Handle("/hub", h)
	for _, f := range p.state.Load().all() {
		f.snap.Store(nil)
	}
	return nil
}

func (p *Publisher) hubAddress() string { return p.state.Load().base + "/hub" }

var _ hub.Topics = (*Publisher)(nil)

// Topic implements hub.Topics: the live feeds, by their address with a suffix, if
// they are public.
func (p *Publisher) Topic(ctx context.Context, address string) (hub.Document, error) {
	name, ok := strings.CutPrefix(address, p.state.Load().base+"/feeds/")
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
		Self: f.Feed.Self.In(format), Type: format.ContentType(), Version: f.Version,
		Bytes: func(ctx context.Context) ([]byte, error) { return f.Bytes(ctx, format, false) },
	}, nil
}

// Seen implements hub.Topics.
func (p *Publisher) Seen() store.Cursor { return store.Cursor(p.cursor.Load()) }
