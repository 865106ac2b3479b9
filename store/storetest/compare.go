package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"chancery/feed"
	"chancery/store"
)

// Diff shows in which of what they can be asked two stores differ; empty: in
// nothing. a is the engine, b the model.
func Diff(ctx context.Context, a, b store.Store) (string, error) {
	type answer struct {
		Heads, Arrival []store.Head
		Items          []feed.Item
		Revisions      map[string][]feed.Item
		Raw            map[string]store.Document
		Sources        []store.SourceState
		Records        []store.Record
		Stats          store.Stats
	}
	ask := func(s store.Store) (out answer, err error) {
		out.Revisions, out.Raw = map[string][]feed.Item{}, map[string]store.Document{}
		for q := (store.HeadQuery{Limit: 7}); ; { // small pages, so that paging is compared, too
			page, err := s.Heads(ctx, q)
			if err != nil {
				return out, err
			}
			out.Heads = append(out.Heads, page...)
			if len(page) == 0 {
				break
			}
			q.After = &page[len(page)-1]
		}
		if out.Arrival, err = s.Heads(ctx, store.HeadQuery{ByArrival: true, Ascending: true}); err != nil {
			return out, err
		}
		var ids []feed.ItemID
		for _, h := range out.Arrival {
			ids = append(ids, h.ID)
		}
		if out.Items, err = s.Items(ctx, ids, store.AllFields); err != nil {
			return out, err
		}
		for _, it := range out.Items {
			if out.Revisions[it.ID.String()], err = s.Revisions(ctx, it.ID); err != nil {
				return out, err
			}
			for n := range it.Revisions + 1 {
				doc, err := s.Raw(ctx, it.ID, n)
				switch {
				case err == nil:
					out.Raw[fmt.Sprintf("%v/%d", it.ID, n)] = doc
				case !errors.Is(err, store.ErrNotFound):
					return out, fmt.Errorf("raw %v/%d: %w", it.ID, n, err)
				}
			}
		}
		if out.Sources, err = s.Sources(ctx); err != nil {
			return out, err
		}
		end, err := s.End(ctx)
		if err != nil {
			return out, err
		}
		for at := store.Cursor(0); at < end; {
			var recs []store.Record
			if recs, at, err = s.Follow(ctx, at, store.AllKinds, 100); err != nil {
				return out, err
			}
			out.Records = append(out.Records, recs...)
		}
		if out.Stats, err = s.Stats(ctx); err != nil {
			return out, err
		}
		out.Stats.Bytes, out.Stats.Volumes = 0, 0
		// What was decided now has the time of now, a little different in each.
		for i := range out.Records {
			if out.Records[i].Edit != nil {
				out.Records[i].Time = time.Time{}
			}
		}
		if n := len(out.Records); n > 0 {
			out.Stats.First, out.Stats.Last = time.Time{}, time.Time{}
		}
		return out, nil
	}
	got, err := ask(a)
	if err != nil {
		return "", fmt.Errorf("engine: %w", err)
	}
	want, err := ask(b)
	if err != nil {
		return "", fmt.Errorf("model: %w", err)
	}
	return cmp.Diff(want, got, cmpopts.EquateEmpty()), nil
}

// Script makes random operations that a pipeline, a person and a scheduler may
// come up with. The same seed makes the same ones.
type Script struct {
	r     *rand.Rand
	now   time.Time
	posts []post
}

// post is a post of the made-up world: some share a text or an address, some change.
type post struct {
	source  feed.SourceID
	guid    string
	url     string
	text    string
	version int
}

// NewScript starts a script.
func NewScript(seed uint64) *Script {
	return &Script{r: rand.New(rand.NewPCG(seed, 1)), now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
}

var scriptSources = []feed.SourceID{"alpha", "beta", "gamma"}

// Setup makes the script's sources.
func (sc *Script) Setup(ctx context.Context, stores ...store.Store) error {
	for _, s := range stores {
		var edits []store.Edit
		for _, id := range scriptSources {
			edits = append(edits, store.Edit{Kind: store.KindSource, Source: &store.Source{
				ID: id, URL: "https://" + string(id) + ".example/feed", Title: string(id), Origin: "command",
				Added: sc.now, Headers: map[string]string{"X-A": "b"}, Topics: []feed.TopicID{"iran"},
			}})
		}
		if err := s.Change(ctx, edits); err != nil {
			return err
		}
	}
	return nil
}

// draft is how the pipeline would hand a post over.
func (sc *Script) draft(p *post) store.Draft {
	content := fmt.Sprintf("<p>%s &amp; so on, version %d. %s</p>", p.text, p.version, p.text)
	e := feed.Entry{
		ID: p.guid, URL: p.url, Title: feed.Text{Value: "On " + p.text}, Content: feed.Text{Type: feed.HTML, Value: content},
		Links:     []feed.Link{{Rel: "alternate", Href: p.url}},
		Published: feed.Date{Time: sc.now.Add(-time.Duration(len(p.guid)*7%400) * time.Hour), Raw: "some day"},
		Language:  "en",
	}
	d := store.Draft{
		Entry: e, Native: p.guid, Method: "guid", Part: -1,
		Keys:    []store.Key{Hash(store.KeyGUID, p.guid)},
		Story:   []store.Key{Hash(store.KeyURL, p.url), Hash(store.KeyText, p.text)},
		Version: feed.DigestOf([]byte(content)),
	}
	version := p.version
	d.Trivial = func(was *feed.Entry) bool { return (version+len(was.Title.Value))%2 == 0 }
	d.Apart = func(was *feed.Entry) *store.Name {
		if (version+len(was.Content.Value))%5 != 4 {
			return nil
		}
		native := was.ID + "\napart"
		return &store.Name{Native: native, Method: "guid+link", Keys: []store.Key{Hash(store.KeyGUID, native)}}
	}
	if len(p.text)%3 == 0 {
		d.Topics = []feed.Tag{{Topic: "iran", Score: float64(len(p.text)), About: len(p.text)%2 == 0}}
	}
	if len(p.text)%4 == 0 {
		d.Topics = append(d.Topics, feed.Tag{Topic: "mek", Score: 0.5})
	}
	return d
}

// Batch makes what one document of a source brings: new posts, changed ones, known
// ones, copies of what others carry.
func (sc *Script) Batch(source feed.SourceID) store.Batch {
	var body bytes.Buffer
	b := store.Batch{At: sc.now}
	doc := store.Document{
		Source: source, URL: "https://" + string(source) + ".example/feed", MediaType: "application/rss+xml", Status: 200,
		ETag: fmt.Sprintf(`W/"%d"`, sc.r.IntN(5)), Received: sc.now,
	}
	fmt.Fprintf(&body, "<rss><channel><title>%s</title>\n", source)
	used := map[string]bool{}
	for range sc.r.IntN(6) {
		p := sc.pick(source)
		if used[p.guid] {
			continue
		}
		used[p.guid] = true
		d := sc.draft(p)
		if sc.r.IntN(8) > 0 {
			start := body.Len()
			fmt.Fprintf(&body, "<item><guid>%s</guid><link>%s</link><description><![CDATA[%s]]></description></item>", p.guid, p.url, d.Entry.Content.Value)
			doc.Parts = append(doc.Parts, store.Part{Start: start, End: body.Len(), Digest: feed.DigestOf(body.Bytes()[start:])})
			d.Part = len(doc.Parts) - 1
			body.WriteString("\n")
		}
		b.Drafts = append(b.Drafts, d)
	}
	fmt.Fprintf(&body, "</channel></rss><!-- %d -->", sc.r.IntN(3))
	doc.Body = body.Bytes()
	switch sc.r.IntN(10) {
	case 0:
		doc.Body = nil // not kept
		b.Document = &doc
	case 1:
		for i := range b.Drafts {
			b.Drafts[i].Part = -1
		}
		b.Source = source // no document at all
	case 2:
		doc.Parts = nil // entries that cannot be told apart
		for i := range b.Drafts {
			b.Drafts[i].Part = -1
		}
		b.Document = &doc
	default:
		b.Document = &doc
	}
	return b
}

func (sc *Script) pick(source feed.SourceID) *post {
	var own []int
	for i, p := range sc.posts {
		if p.source == source {
			own = append(own, i)
		}
	}
	if len(own) > 0 && sc.r.IntN(2) == 0 {
		p := &sc.posts[own[sc.r.IntN(len(own))]]
		switch sc.r.IntN(4) {
		case 0:
			p.version++
		case 1:
			p.version = max(0, p.version-1) // back to an earlier version
		}
		return p
	}
	n := len(sc.posts)
	p := post{source: source, guid: fmt.Sprintf("%s-%d", source, n), url: fmt.Sprintf("https://%s.example/%d", source, n)}
	p.text = fmt.Sprintf("post %d about something that happened and %*d", n, n%9+1, n)
	if n > 0 && sc.r.IntN(4) == 0 { // a copy of another
		o := sc.posts[sc.r.IntN(n)]
		p.text = o.text
		if sc.r.IntN(2) == 0 {
			p.url = o.url
		}
	}
	sc.posts = append(sc.posts, p)
	return &sc.posts[n]
}

// Step does one operation on both stores and reports where their answers differ.
func (sc *Script) Step(ctx context.Context, a, b store.Store) error {
	sc.now = sc.now.Add(time.Duration(sc.r.IntN(5000)) * time.Second)
	source := scriptSources[sc.r.IntN(len(scriptSources))]
	switch n := sc.r.IntN(20); {
	case n < 9:
		batch := sc.Batch(source)
		if batch.Document == nil || sc.r.IntN(2) == 0 {
			batches := []store.Batch{batch}
			for sc.r.IntN(3) == 0 { // further ones in the same commit, often of the same source and story
				batches = append(batches, sc.Batch(scriptSources[sc.r.IntN(len(scriptSources))]))
			}
			return agree("append", func(s store.Store) (any, error) { return s.Append(ctx, batches...) }, a, b)
		}
		return sc.poll(ctx, a, b, source, &batch)
	case n < 12:
		return sc.poll(ctx, a, b, source, nil)
	case n < 18:
		e, ok, err := sc.edit(ctx, b)
		if err != nil || !ok {
			return err
		}
		return agree(e.Kind.String(), func(s store.Store) (any, error) { return nil, s.Change(ctx, []store.Edit{e}) }, a, b)
	case n == 18:
		src := store.Source{ID: source, URL: fmt.Sprintf("https://%s.example/feed%d", source, sc.r.IntN(3)), Title: "renamed", Added: sc.now}
		src.Disabled = sc.r.IntN(4) == 0
		return agree("source", func(s store.Store) (any, error) {
			return nil, s.Change(ctx, []store.Edit{{Kind: store.KindSource, Source: &src}})
		}, a, b)
	default:
		w := []store.LedgerEntry{{
			Space: "s", Key: fmt.Sprintf("k%d", sc.r.IntN(6)), Value: []byte{byte(sc.r.IntN(200))}, Create: sc.r.IntN(2) == 0,
		}}
		if err := agree("ledger", func(s store.Store) (any, error) { return nil, s.LedgerWrite(ctx, w) }, a, b); err != nil {
			return err
		}
		return agree("ledger scan", func(s store.Store) (any, error) { return s.LedgerScan(ctx, "s", "k", "k1", 3) }, a, b)
	}
}

// agree does the same to both and compares what they say.
func agree(what string, f func(s store.Store) (any, error), a, b store.Store) error {
	got, errA := f(a)
	want, errB := f(b)
	if class(errA) != class(errB) {
		return fmt.Errorf("%s: engine says %q, model %q: %w", what, class(errA), class(errB), errors.Join(errA, errB))
	}
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(store.Lease{}, "Fence")); d != "" {
		return fmt.Errorf("%s (-model +engine):\n%s", what, d)
	}
	return nil
}

// class is which of the closed set an error is of.
func class(err error) string {
	for _, c := range []error{
		store.ErrNotFound, store.ErrConflict, store.ErrLeaseLost, store.ErrFull, store.ErrCorrupt,
		store.ErrBusy, store.ErrReadOnly, store.ErrNewer, store.ErrClosed,
	} {
		if errors.Is(err, c) {
			return c.Error()
		}
	}
	if err != nil {
		return "another error"
	}
	return ""
}

func (sc *Script) poll(ctx context.Context, a, b store.Store, source feed.SourceID, batch *store.Batch) error {
	state := store.PollState{
		ETag: fmt.Sprintf(`"%d"`, sc.r.IntN(100)), Polled: sc.now, NextDue: sc.now.Add(time.Duration(sc.r.IntN(3)) * time.Hour),
		Schedule: []byte{1, 2}, Condition: "ok",
	}
	res := store.PollResult{State: state, Batch: batch}
	if batch != nil && sc.r.IntN(3) == 0 {
		for i := range batch.Document.Parts {
			if !slices.ContainsFunc(batch.Drafts, func(d store.Draft) bool { return d.Part == i }) {
				res.Seen = append(res.Seen, i)
			}
		}
	}
	if sc.r.IntN(6) == 0 {
		res.Source = &store.Source{ID: source, URL: "https://" + string(source) + ".example/feed", Title: "learned", Added: sc.now}
	}
	q := store.LeaseQuery{Worker: "w", N: 1, Now: sc.now, TTL: time.Minute, Sources: []feed.SourceID{source}}
	var leases [2][]store.Lease
	for i, s := range []store.Store{a, b} {
		l, err := s.Lease(ctx, q)
		if err != nil {
			return err
		}
		leases[i] = l
	}
	if d := cmp.Diff(leases[1], leases[0], cmpopts.EquateEmpty(), cmpopts.IgnoreFields(store.Lease{}, "Fence")); d != "" {
		return fmt.Errorf("leases (-model +engine):\n%s", d)
	}
	if len(leases[0]) == 0 {
		return nil
	}
	if batch == nil && res.Source != nil {
		res.Batch = &store.Batch{At: sc.now} // so that the record's time is the same in both
	}
	return agree("finish", func(s store.Store) (any, error) {
		l := leases[0][0]
		if s == b {
			l = leases[1][0]
		}
		return s.Finish(ctx, l, res)
	}, a, b)
}

// edit makes up a decision about items that are there.
func (sc *Script) edit(ctx context.Context, s store.Store) (store.Edit, bool, error) {
	heads, err := s.Heads(ctx, store.HeadQuery{})
	if err != nil || len(heads) < 3 {
		return store.Edit{}, false, err
	}
	some := func(n int) []feed.ItemID {
		var ids []feed.ItemID
		for _, i := range sc.r.Perm(len(heads))[:n] {
			ids = append(ids, heads[i].ID)
		}
		return ids
	}
	e := store.Edit{Reason: "because", By: "someone"}
	switch sc.r.IntN(12) {
	case 0, 1, 2, 3:
		e.Kind, e.Items = store.KindTopics, some(1)
		e.Topics = []feed.Tag{{Topic: "iraq", Score: float64(sc.r.IntN(3)) - 1, Manual: sc.r.IntN(2) == 0}}
		if sc.r.IntN(2) == 0 {
			e.By = "rule"
			e.Topics = []feed.Tag{{Topic: "iraq", Score: 1}, {Topic: "mek", Score: 2, About: true}}
		}
	case 4, 5, 6:
		e.Kind, e.Items = store.KindMerge, some(2+sc.r.IntN(2))
		if sc.r.IntN(3) == 0 { // all that become one story, and which is the original
			stories := map[feed.ItemID]bool{}
			for _, h := range heads {
				if slices.Contains(e.Items, h.ID) {
					stories[h.Story] = true
				}
			}
			e.First, e.Items = e.Items[0], nil
			for _, h := range heads {
				if stories[h.Story] {
					e.Items = append(e.Items, h.ID)
				}
			}
		}
	case 7, 8:
		e.Kind, e.Items = store.KindSplit, some(1+sc.r.IntN(3))
	case 9:
		e.Kind, e.Items = store.KindWithdrawn, some(1)
	case 10:
		e.Kind, e.Rules, e.Digest = store.KindRuleset, []byte("rules"), feed.DigestOf([]byte("rules"))
	default:
		if sc.r.IntN(3) > 0 {
			return e, false, nil
		}
		e.Kind, e.Items = store.KindTakedown, some(1)
	}
	return e, true, nil
}

// RunScript plays a script of n steps against an engine and the model and compares
// them all along. reopen, if not nil, is called now and then between steps and gives
// the engine that goes on.
func RunScript(t *testing.T, seed uint64, n int, engine store.Store, reopen func(store.Store) store.Store) {
	t.Helper()
	ctx := t.Context()
	model := NewModel()
	sc := NewScript(seed)
	if err := sc.Setup(ctx, engine, model); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := sc.Step(ctx, engine, model); err != nil {
			t.Fatalf("seed %d, step %d: %v", seed, i, err)
		}
		if reopen != nil && sc.r.IntN(n/4+1) == 0 {
			engine = reopen(engine)
		}
		if i%20 == 19 || i == n-1 {
			d, err := Diff(ctx, engine, model)
			if err != nil {
				t.Fatalf("seed %d, step %d: %v", seed, i, err)
			}
			if d != "" {
				t.Fatalf("seed %d, step %d: engine differs from the model (-model +engine):\n%s", seed, i, d)
			}
		}
	}
	rep, err := engine.Verify(ctx, true, nil)
	if err != nil || len(rep.Faults) > 0 {
		t.Fatalf("seed %d: verify = %v, %v", seed, rep.Faults, err)
	}
}
