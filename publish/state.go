package publish

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"chancery/feed"
	"chancery/publish/render"
	"chancery/publish/web"
	"chancery/store"
)

func newState(cfg Config, defs Definitions) (*state, error) {
	errs := []error{cfg.Validate(), defs.validate()}
	s := &state{
		cfg: cfg, base: cfg.base(), defs: defs, labels: map[feed.TopicID]string{}, rules: rulesOf(defs.Topics),
		fixed: map[string]*shelf{}, sources: map[string]*shelf{}, madeBy: map[string]*shelf{},
	}
	for _, t := range defs.Topics {
		s.labels[t.ID] = t.Name
		s.add(&shelf{
			name: string(t.ID), title: orElse(t.Name, string(t.ID)), about: orElse(t.Description, "Posts on "+orElse(t.Name, string(t.ID))+"."),
			home: "/topics/" + string(t.ID), pred: ofTopic(t.ID), selection: "topic",
		})
	}
	for _, f := range defs.Feeds {
		pred, err := ofFeed(f)
		errs = append(errs, err)
		sh := &shelf{
			name: f.ID, title: orElse(f.Title, f.ID), about: f.Description, language: f.Language,
			home: "/", limit: f.Limit, content: feedContent(f.Content), pred: pred,
			selection: fmt.Sprintf("%q %q %q", f.Query, f.Sources, f.Events),
		}
		for i, format := range render.Formats {
			sh.formats[i] = len(f.Formats) == 0 || slices.Contains(f.Formats, format.String())
		}
		s.add(sh)
	}
	s.add(&shelf{name: nameAll, title: "All posts", about: "Every post of every source.", home: "/", pred: allItems()})
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	for _, f := range s.fixed {
		f.minted = true
	}
	return s, nil
}

// address is that of a document below /feeds/, in each format.
func (s *state) address(name string) render.Address {
	return render.Address(s.base + "/feeds/" + name + ".{format}")
}

// feedContent is what the entries of a [[feed]] carry, by what it says.
func feedContent(said string) string {
	if said == contentSummary {
		return contentBrief
	}
	return said
}

func orElse(s, other string) string {
	if strings.TrimSpace(s) == "" {
		return other
	}
	return s
}

// add completes a shelf and keeps it as a fixed one.
func (s *state) add(f *shelf) {
	s.complete(f)
	s.fixed[f.name] = f
}

func (s *state) complete(f *shelf) {
	if f.limit == 0 {
		f.limit = s.cfg.Limit
	}
	if f.language == "" {
		f.language = s.cfg.Language
	}
	if f.content == "" {
		f.content = s.cfg.Content
	}
	if f.formats == [len(render.Formats)]bool{} {
		f.formats = [len(render.Formats)]bool{true, true, true}
	}
	f.define()
}

// retitle names the feed of a source as the source is called now. It reports
// whether that is another name, and then needs mu.
func (f *shelf) retitle(src render.Source) bool {
	title := orElse(src.Title, string(src.ID))
	if f.title == title {
		return false
	}
	f.title, f.about = title, "Posts of "+title+"."
	f.define()
	f.id = "" // to be looked up anew, with what changed
	return true
}

// define digests the definition.
func (f *shelf) define() {
	def, err := json.Marshal([]any{f.title, f.about, f.language, f.limit, f.content, f.formats})
	if err != nil {
		panic("publish: a definition cannot be hashed: " + err.Error()) // strings and numbers always can
	}
	f.digest = sha256.Sum256(def)
}

// all lists every shelf that can hold a window.
func (s *state) all() []*shelf {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]*shelf, 0, len(s.fixed)+len(s.sources)+len(s.madeBy))
	for _, f := range s.fixed {
		out = append(out, f)
	}
	for _, f := range s.sources {
		out = append(out, f)
	}
	for _, f := range s.madeBy {
		out = append(out, f)
	}
	return out
}

// shelf finds a feed by its name as in a URL. The error is of the closed set of
// publish/web: not found, gone, moved.
func (p *Publisher) shelf(ctx context.Context, name string) (*shelf, error) {
	if p.sources.Load() == nil { // asked before Run came so far
		if err := p.readSources(ctx); err != nil {
			return nil, err
		}
	}
	s := p.state
	if f := s.ready(name); f != nil {
		return f, nil
	}
	if id, ok := strings.CutPrefix(name, nameSource+"/"); ok {
		return p.sourceShelf(ctx, feed.SourceID(id))
	}
	if to := s.cfg.Renamed[name]; to != "" {
		return nil, &web.MovedError{Name: to, Renamed: true}
	}
	if slices.Contains(s.cfg.Gone, name) {
		return nil, web.ErrGone
	}
	e, err := parseExpression(name)
	if err != nil {
		return nil, web.ErrNotFound
	}
	if err := s.known(e); err != nil {
		return nil, err
	}
	if canonical := e.String(); canonical != strings.ReplaceAll(name, " ", "+") {
		return nil, &web.MovedError{Name: canonical}
	} else if f := s.ready(canonical); f != nil {
		return f, nil
	}
	f := &shelf{
		name:  e.String(),
		title: e.title(func(id string) string { return s.fixed[id].title }),
		about: "Posts on " + e.title(func(id string) string { return s.fixed[id].title }) + ".",
		home:  "/",
		pred:  ofExpression(e, func(id string) predicate { return s.fixed[id].pred }),
	}
	s.complete(f)
	return s.keep(f), nil
}

// known gives the error of a combination of feeds that are not all there: what one of
// them is called now, or that one was removed, or that nobody knows it (PUB-74).
func (s *state) known(e expression) error {
	var err error
	renamed := e.rename(func(id string) string {
		switch to := s.cfg.Renamed[id]; {
		case s.fixed[id] != nil:
		case to != "":
			return to
		case slices.Contains(s.cfg.Gone, id):
			err = cmp.Or(err, web.ErrGone)
		default:
			err = web.ErrNotFound
		}
		return id
	})
	if err == nil && renamed.String() != e.String() {
		return &web.MovedError{Name: renamed.String(), Renamed: true}
	}
	return err
}

// ready is a feed that is kept, or nil.
func (s *state) ready(name string) *shelf {
	if f := s.fixed[name]; f != nil {
		return f
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if f := s.sources[name]; f != nil {
		return f
	}
	return s.madeBy[name]
}

// madeUp reports whether a feed is one of those that keep takes in.
func (s *state) madeUp(name string) bool {
	return s.fixed[name] == nil && !strings.HasPrefix(name, nameSource+"/")
}

// keep takes in a boolean feed and lets the oldest ones go. The one kept may be
// another's, made at the same time.
func (s *state) keep(f *shelf) *shelf {
	s.mu.Lock()
	defer s.mu.Unlock()
	if other := s.madeBy[f.name]; other != nil {
		return other
	}
	for len(s.order) >= s.cfg.Expressions {
		delete(s.madeBy, s.order[0])
		s.order = s.order[1:]
	}
	s.madeBy[f.name] = f
	s.order = append(s.order, f.name)
	return f
}

// sourceShelf is the feed of a source.
func (p *Publisher) sourceShelf(ctx context.Context, id feed.SourceID) (*shelf, error) {
	if !feed.ValidID(string(id)) {
		return nil, web.ErrNotFound
	}
	src, ok := (*p.sources.Load())[id]
	if !ok {
		// Run may not have seen it yet.
		if err := p.readSources(ctx); err != nil {
			return nil, err
		}
		if src, ok = (*p.sources.Load())[id]; !ok {
			return nil, web.ErrNotFound
		}
	}
	f := &shelf{
		name: nameSource + "/" + string(id), language: src.Language,
		home: "/sources/" + string(id), pred: ofSource(id), perItem: true, minted: true,
	}
	s := p.state
	s.complete(f)
	f.retitle(src)
	s.mu.Lock()
	defer s.mu.Unlock()
	if other := s.sources[f.name]; other != nil {
		return other, nil
	}
	s.sources[f.name] = f
	return f, nil
}

// ledgerSpace is where publish keeps what must not be lost and is not in the log.
const ledgerSpace = "publish"

// minted is what the ledger keeps of a feed.
type minted struct {
	ID      string      `json:"id"`
	Digest  feed.Digest `json:"digest"`
	Changed int64       `json:"changed"` // Unix seconds: when the definition changed last
	Seeded  int64       `json:"seeded"`  // Unix milliseconds: see window.seeded; 0 not known yet
}

// createOnce writes a value unless there is one, and gives what is there then.
func (p *Publisher) createOnce(ctx context.Context, key string, value []byte) ([]byte, error) {
	got, err := p.archive.LedgerGet(ctx, ledgerSpace, key)
	if !errors.Is(err, store.ErrNotFound) {
		return got, err
	}
	err = p.archive.LedgerWrite(ctx, []store.LedgerEntry{{Space: ledgerSpace, Key: key, Value: value, Create: true}})
	if errors.Is(err, store.ErrConflict) {
		return p.archive.LedgerGet(ctx, ledgerSpace, key)
	}
	return value, err
}
