package publish

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"chancery/feed"
	"chancery/publish/render"
	"chancery/publish/web"
	"chancery/store"
)

// Token lets a reader into private feeds. The token itself is shown once, when it
// is made; what is kept is its hash.
type Token struct {
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	// Feeds are the names that it opens; empty is everything. It opens a boolean
	// feed if it opens all that are in it.
	Feeds []string `json:"feeds,omitempty"`
	// Uses counts requests, and LastUsed is the day of the last one, UTC. Nothing
	// else is kept of who used it. Both lag behind by some requests.
	Uses     int64  `json:"uses,omitempty"`
	LastUsed string `json:"last_used,omitempty"`
}

// tokenSpace is where the ledger keeps tokens, by hash.
const tokenSpace = "tokens"

// tokenPrefix makes tokens recognizable, to people and to scanners for leaked
// secrets.
const tokenPrefix = "chy_"

func tokenKey(token string) string {
	h := sha256.Sum256([]byte(token))
	return hex.EncodeToString(h[:])
}

// AddToken makes a token of a name that is not in use and returns it. An error
// wraps store.ErrConflict if the name is taken.
func AddToken(ctx context.Context, ledger store.Ledger, name string, feeds []string, now time.Time) (string, error) {
	if !feed.ValidID(name) {
		return "", fmt.Errorf("token %q: a name must match [a-z0-9][a-z0-9-]*", name)
	}
	for _, f := range feeds {
		id, isSource := strings.CutPrefix(f, nameSource+"/")
		if !feed.ValidID(id) || !isSource && f == nameSource {
			return "", fmt.Errorf("token %q: %q is not the name of a feed", name, f)
		}
	}
	all, err := Tokens(ctx, ledger)
	if err != nil {
		return "", err
	}
	if slices.ContainsFunc(all, func(t Token) bool { return t.Name == name }) {
		return "", fmt.Errorf("token %q: %w", name, store.ErrConflict)
	}
	token := tokenPrefix + strings.ToLower(rand.Text()) // 130 bits
	b, err := json.Marshal(Token{Name: name, Created: now.UTC().Truncate(time.Second), Feeds: feeds})
	if err != nil {
		return "", err
	}
	return token, ledger.LedgerWrite(ctx, []store.LedgerEntry{{Space: tokenSpace, Key: tokenKey(token), Value: b, Create: true}})
}

// Tokens lists the tokens, by name.
func Tokens(ctx context.Context, ledger store.Ledger) ([]Token, error) {
	kept, err := scanTokens(ctx, ledger)
	if err != nil {
		return nil, err
	}
	out := make([]Token, 0, len(kept))
	for _, t := range kept {
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b Token) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func scanTokens(ctx context.Context, ledger store.Ledger) (map[string]Token, error) {
	out := map[string]Token{}
	for after := ""; ; {
		got, err := ledger.LedgerScan(ctx, tokenSpace, "", after, 1000)
		if err != nil {
			return nil, fmt.Errorf("read tokens: %w", err)
		}
		for _, e := range got {
			var t Token
			if err := json.Unmarshal(e.Value, &t); err != nil {
				return nil, fmt.Errorf("ledger key %q: %w", e.Key, err)
			}
			out[e.Key] = t
			after = e.Key
		}
		if len(got) < 1000 {
			return out, nil
		}
	}
}

// RevokeToken ends a token. An error wraps store.ErrNotFound if there is none of
// that name.
func RevokeToken(ctx context.Context, ledger store.Ledger, name string) error {
	kept, err := scanTokens(ctx, ledger)
	if err != nil {
		return err
	}
	for key, t := range kept {
		if t.Name == name {
			return ledger.LedgerWrite(ctx, []store.LedgerEntry{{Space: tokenSpace, Key: key}})
		}
	}
	return fmt.Errorf("token %q: %w", name, store.ErrNotFound)
}

// opens reports whether the token's scope has a feed.
func (t Token) opens(name string) bool {
	if len(t.Feeds) == 0 || slices.Contains(t.Feeds, name) {
		return true
	}
	e, err := parseExpression(name)
	return err == nil && !slices.ContainsFunc(e.ids(), func(id string) bool { return !slices.Contains(t.Feeds, id) })
}

// uses counts requests of tokens until they are written down.
type uses struct {
	mu    sync.Mutex // guards by and total
	by    map[string]int64
	total int
}

// writeUsesAfter is how many requests are counted in memory.
const writeUsesAfter = 200

// Admit implements web.Library. An empty name is everything that is no feed.
func (p *Publisher) Admit(ctx context.Context, token, name string) error {
	if !strings.HasPrefix(token, tokenPrefix) || len(token) > 64 {
		return web.ErrNotFound
	}
	key := tokenKey(token)
	b, err := p.archive.LedgerGet(ctx, tokenSpace, key)
	if errors.Is(err, store.ErrNotFound) {
		return web.ErrNotFound
	}
	if err != nil {
		return err
	}
	var t Token
	if err := json.Unmarshal(b, &t); err != nil {
		return fmt.Errorf("ledger key %q: %w", key, err)
	}
	if name == "" && len(t.Feeds) > 0 || name != "" && !t.opens(strings.ReplaceAll(name, " ", "+")) {
		return web.ErrNotFound
	}
	p.uses.mu.Lock()
	if p.uses.by == nil {
		p.uses.by = map[string]int64{}
	}
	p.uses.by[key]++
	p.uses.total++
	full := p.uses.total >= writeUsesAfter
	p.uses.mu.Unlock()
	if full {
		return p.writeUses(ctx)
	}
	return nil
}

// writeUses writes down what was counted.
func (p *Publisher) writeUses(ctx context.Context) error {
	p.uses.mu.Lock()
	by := p.uses.by
	p.uses.by, p.uses.total = nil, 0
	p.uses.mu.Unlock()
	var writes []store.LedgerEntry
	for key, n := range by {
		b, err := p.archive.LedgerGet(ctx, tokenSpace, key)
		if errors.Is(err, store.ErrNotFound) {
			continue // revoked
		}
		if err != nil {
			return err
		}
		var t Token
		if err := json.Unmarshal(b, &t); err != nil {
			return fmt.Errorf("ledger key %q: %w", key, err)
		}
		t.Uses += n
		t.LastUsed = time.Now().UTC().Format(time.DateOnly)
		if b, err = json.Marshal(t); err != nil {
			return err
		}
		writes = append(writes, store.LedgerEntry{Space: tokenSpace, Key: key, Value: b})
	}
	if len(writes) == 0 {
		return nil
	}
	return p.archive.LedgerWrite(ctx, writes)
}

// Private implements web.Library.
func (p *Publisher) Private() bool { return p.state.cfg.Access == accessToken }

// ForToken implements web.Library: the feed with the token in its own addresses,
// so that a reader which goes by them stays inside, and without a hub, which would
// hand the content to whoever asks.
func (p *Publisher) ForToken(f *web.Feed, token string) *web.Feed {
	base := p.state.base
	inside := func(rf render.Feed) *render.Feed {
		g := &rf.Paging
		for _, a := range []*render.Address{&rf.Self, &g.First, &g.Previous, &g.Next, &g.Last, &g.Current, &g.PrevArchive, &g.NextArchive} {
			rest, ok := strings.CutPrefix(string(*a), base+"/")
			if ok && (strings.HasPrefix(rest, "feeds/") || strings.HasPrefix(rest, "search.")) {
				*a = render.Address(base + "/t/" + token + "/" + rest)
			}
		}
		rf.Hubs = nil
		if rf.Search != nil {
			search := *rf.Search
			search.Description = "" // it is not for those who have no more than this token
			rf.Search = &search
		}
		return &rf
	}
	return p.document(&web.Feed{
		Name: f.Name, Feed: inside(*f.Feed), Formats: f.Formats, Version: digestOf(string(f.Version[:]), token),
		MaxAge: f.MaxAge, Immutable: f.Immutable, Private: true,
	}, func(ctx context.Context) (*render.Feed, error) {
		full, err := f.Load(ctx)
		if err != nil {
			return nil, err
		}
		return inside(*full), nil
	})
}
