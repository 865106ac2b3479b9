package publish

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"chancery/feed"
	"chancery/store"
)

// authority is the beginning of every id that is minted here: a tag URI (RFC 4151)
// made from the host name and date of the day when it was first needed, and kept
// for ever, whatever the host is called later (PUB-04).
func (p *Publisher) authority(ctx context.Context) (string, error) {
	if a := p.minted.Load(); a != nil {
		return *a, nil
	}
	fresh, err := newAuthority(p.state.cfg.BaseURL, time.Now().UTC())
	if err != nil {
		return "", err
	}
	got, err := p.createOnce(ctx, "authority", []byte(fresh))
	if err != nil {
		return "", fmt.Errorf("mint the authority of ids: %w", err)
	}
	a := string(got)
	p.minted.Store(&a)
	return a, nil
}

// newAuthority is "tag:feeds.example.org,2026-11-23:". A host that is no name of
// one's own, as 127.0.0.1 or localhost, says nothing: there random letters tell
// apart what two machines mint.
func newAuthority(base string, now time.Time) (string, error) {
	u, err := url.Parse(base)
	if err != nil {
		return "", fmt.Errorf("base_url: %w", err)
	}
	host := strings.ToLower(u.Hostname())
	prefix := ""
	if net.ParseIP(host) != nil || host == "localhost" || !strings.Contains(host, ".") {
		var r [8]byte
		if _, err := rand.Read(r[:]); err != nil {
			return "", err
		}
		host, prefix = "localhost", hex.EncodeToString(r[:])+"/"
	}
	return "tag:" + host + "," + now.Format(time.DateOnly) + ":" + prefix, nil
}

// identify fills the id of a feed and when its definition changed last. It needs
// f.mu.
func (p *Publisher) identify(ctx context.Context, f *shelf) error {
	if f.id != "" {
		return nil
	}
	authority, err := p.authority(ctx)
	if err != nil {
		return err
	}
	// RFC 4151 §2.1: the specific part of a tag URI may hold all that a name can have.
	id := authority + "feeds/" + f.name
	if !f.minted {
		f.id = id // derived from what is stored, and so as stable
		return nil
	}
	value, err := json.Marshal(minted{ID: id, Digest: f.digest})
	if err != nil {
		return err
	}
	got, err := p.createOnce(ctx, f.ledgerKey(), value)
	if err != nil {
		return fmt.Errorf("mint the id of feed %s: %w", f.name, err)
	}
	m := &f.record
	if err := json.Unmarshal(got, m); err != nil {
		return fmt.Errorf("ledger key %q: %w", f.ledgerKey(), err)
	}
	if m.Digest != f.digest {
		// Retitled or otherwise changed: that is a change of the feed (PUB-03).
		m.Digest, m.Changed = f.digest, time.Now().Unix()
		if err := p.keepRecord(ctx, f); err != nil {
			return err
		}
	}
	if m.Changed > 0 {
		f.since = time.Unix(m.Changed, 0).UTC()
	}
	if m.Seeded > 0 {
		f.seeded = time.UnixMilli(m.Seeded).UTC()
	}
	f.id = m.ID
	return nil
}

// keepSeeded writes down since when items can be late for a feed.
func (p *Publisher) keepSeeded(ctx context.Context, f *shelf) error {
	if !f.minted || !f.seeded.IsZero() || f.window.seeded.IsZero() {
		return nil
	}
	f.seeded = f.window.seeded
	f.record.Seeded = f.seeded.UnixMilli()
	return p.keepRecord(ctx, f)
}

func (f *shelf) ledgerKey() string { return "feed/" + f.name }

func (p *Publisher) keepRecord(ctx context.Context, f *shelf) error {
	value, err := json.Marshal(f.record)
	if err != nil {
		return err
	}
	if err := p.archive.LedgerWrite(ctx, []store.LedgerEntry{{Space: ledgerSpace, Key: f.ledgerKey(), Value: value}}); err != nil {
		return fmt.Errorf("ledger key %q: %w", f.ledgerKey(), err)
	}
	return nil
}

// topicScheme is the namespace of topics as categories (PUB-18).
func topicScheme(authority string) string { return authority + "topics" }

// digestOf hashes parts so that no two lists of parts give the same bytes.
func digestOf(parts ...string) feed.Digest {
	var b []byte
	for _, s := range parts {
		b = fmt.Appendf(b, "%d:%s", len(s), s)
	}
	return feed.DigestOf(b)
}
