package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"chancery/feed"
	"chancery/store"
)

// Run holds an engine to the contract. open gives an empty store, which the test
// closes.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for name, f := range map[string]func(t *testing.T, s store.Store){
		"random operations":             func(t *testing.T, s store.Store) { RunScript(t, 7, 60, s, nil) },
		"closed set of errors":          errorsOf,
		"append is idempotent":          idempotent,
		"a lease is lost":               leaseLost,
		"leases in order of due":        leaseOrder,
		"two polls at once":             atOnce,
		"follow waits":                  followWaits,
		"a flipping post does not grow": flipping,
		"regenerated ids":               regenerated,
		"an id given to another post":   givenAgain,
		"a post under another id":       movedAlone,
		"one story in two sources":      oneStory,
		"forged origin":                 forged,
		"manual tags":                   manualTags,
		"ids come again":                idsAgain,
		"revised within the batch":      withinBatch,
		"documents read again":          reparsed,
		"unreadable documents":          unreadables,
		"trivial versions":              trivial,
		"documents are let go":          letGo,
		"withdrawn and back":            withdrawn,
		"a source with its first batch": addedWithBatch,
		"what an export says":           recorded,
		"a source is changed meanwhile": changedMeanwhile,
		"what is the caller's own":      callersOwn,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			f(t, s)
			if err := s.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
			if _, err := s.Sources(context.Background()); !errors.Is(err, store.ErrClosed) {
				t.Errorf("Sources after Close = %v, want ErrClosed", err)
			}
		})
	}
}

var day0 = time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)

// Source adds a source that is polled.
func Source(t testing.TB, s store.Store, id feed.SourceID) {
	t.Helper()
	err := s.Change(t.Context(), []store.Edit{{Kind: store.KindSource, Source: &store.Source{
		ID: id, URL: "https://" + string(id) + ".example/feed", Origin: "command",
	}}})
	if err != nil {
		t.Fatal(err)
	}
}

// Draft makes the draft of a simple post.
func Draft(guid, text string) store.Draft {
	return store.Draft{
		Entry: feed.Entry{
			ID: guid, Title: feed.Text{Value: text}, Content: feed.Text{Type: feed.HTML, Value: "<p>" + text + "</p>"},
			Published: feed.Date{Time: day0.Add(-time.Hour)},
		},
		Native: guid, Method: "guid", Keys: []store.Key{Hash(store.KeyGUID, guid)},
		Story:   []store.Key{Hash(store.KeyText, text)},
		Version: feed.DigestOf([]byte(text)), Part: -1,
	}
}

func appendTo(t testing.TB, s store.Store, source feed.SourceID, at time.Time, drafts ...store.Draft) []store.Outcome {
	t.Helper()
	out, err := s.Append(t.Context(), store.Batch{Source: source, Drafts: drafts, At: at})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func wantStates(t testing.TB, out []store.Outcome, want ...store.State) {
	t.Helper()
	if len(out) != len(want) {
		t.Fatalf("%d outcomes, want %d", len(out), len(want))
	}
	for i, o := range out {
		if o.State != want[i] {
			t.Errorf("draft %d is %v, want %v", i, o.State, want[i])
		}
	}
}

// What is not there, or not possible, is one of the closed set, and nothing is written.
func errorsOf(t *testing.T, s store.Store) {
	ctx := t.Context()
	Source(t, s, "a")
	end, _ := s.End(ctx)
	for what, c := range map[string]struct {
		err  error
		want error
	}{
		"source":    {second(s.Source(ctx, "none")), store.ErrNotFound},
		"append":    {second(s.Append(ctx, store.Batch{Source: "none"})), store.ErrNotFound},
		"revisions": {second(s.Revisions(ctx, feed.ItemID{1})), store.ErrNotFound},
		"raw":       {second(s.Raw(ctx, feed.ItemID{1}, 0)), store.ErrNotFound},
		"document":  {second(s.Document(ctx, end)), store.ErrNotFound},
		"ledger":    {second(s.LedgerGet(ctx, "x", "y")), store.ErrNotFound},
		"lease":     {second(s.Lease(ctx, store.LeaseQuery{Sources: []feed.SourceID{"none"}})), store.ErrNotFound},
		"finish":    {second(s.Finish(ctx, store.Lease{Source: store.Source{ID: "a"}, Fence: 9}, store.PollResult{})), store.ErrLeaseLost},
		"edit":      {s.Change(ctx, []store.Edit{{Kind: store.KindWithdrawn, Items: []feed.ItemID{{1}}}}), store.ErrNotFound},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v, want %v", what, c.err, c.want)
		}
	}
	for what, err := range map[string]error{
		"no keys":     second(s.Append(ctx, store.Batch{Source: "a", Drafts: []store.Draft{{Part: -1}}})),
		"no part":     second(s.Append(ctx, store.Batch{Source: "a", Drafts: []store.Draft{{Keys: Draft("x", "x").Keys, Part: 3}}})),
		"wrong kind":  s.Change(ctx, []store.Edit{{Kind: store.KindItem}}),
		"bad source":  s.Change(ctx, []store.Edit{{Kind: store.KindSource, Source: &store.Source{ID: "Not Valid"}}}),
		"many ids":    second(s.Items(ctx, make([]feed.ItemID, 1001), 0)),
		"wrong bytes": second(s.Append(ctx, store.Batch{Document: &store.Document{Source: "a", Body: []byte("abc"), Parts: []store.Part{{Start: 0, End: 2}}}})),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	if now, _ := s.End(ctx); now != end {
		t.Errorf("the log grew from %d to %d", end, now)
	}
}

func second[T any](_ T, err error) error { return err }

// Appending the same batch again changes nothing but last-seen times.
func idempotent(t *testing.T, s store.Store) {
	Source(t, s, "a")
	sc := NewScript(3)
	b := sc.Batch("a")
	for len(b.Drafts) < 3 || b.Document == nil {
		b = sc.Batch("a")
	}
	first, err := s.Append(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	end, _ := s.End(t.Context())
	b.At = b.At.Add(time.Hour)
	again, err := s.Append(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	for i := range again {
		if again[i].State != store.Same || again[i].ID != first[i].ID {
			t.Errorf("draft %d again: %+v, first %+v", i, again[i], first[i])
		}
	}
	if now, _ := s.End(t.Context()); now != end {
		t.Errorf("the log grew from %d to %d", end, now)
	}
	it, err := s.Items(t.Context(), []feed.ItemID{first[0].ID}, 0)
	if err != nil || !it[0].LastSeen.Equal(b.At) {
		t.Errorf("last seen %v, want %v (%v)", it[0].LastSeen, b.At, err)
	}
}

// A lease that ran out and was given to another cannot be finished; one that only ran out can.
func leaseLost(t *testing.T, s store.Store) {
	ctx := t.Context()
	Source(t, s, "a")
	lease := func(now time.Time) []store.Lease {
		l, err := s.Lease(ctx, store.LeaseQuery{N: 1, TTL: time.Minute, Now: now})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	first := lease(day0)
	if again := lease(day0.Add(time.Second)); len(again) != 0 {
		t.Fatalf("a leased source was leased again: %v", again)
	}
	other := lease(day0.Add(2 * time.Minute))
	if _, err := s.Finish(ctx, first[0], store.PollResult{}); !errors.Is(err, store.ErrLeaseLost) {
		t.Errorf("Finish of the first = %v, want ErrLeaseLost", err)
	}
	if _, err := s.Finish(ctx, other[0], store.PollResult{State: store.PollState{ETag: `"e"`, NextDue: day0.Add(time.Hour)}}); err != nil {
		t.Errorf("Finish of the second = %v", err)
	}
	if _, err := s.Finish(ctx, other[0], store.PollResult{}); !errors.Is(err, store.ErrLeaseLost) {
		t.Errorf("Finish twice = %v, want ErrLeaseLost", err)
	}
	if st, _ := s.Source(ctx, "a"); st.State.ETag != `"e"` {
		t.Errorf("ETag = %q", st.State.ETag)
	}
	if l := lease(day0.Add(30 * time.Minute)); len(l) != 0 {
		t.Errorf("leased before it is due: %v", l)
	}
	late := lease(day0.Add(time.Hour))
	if err := s.Release(ctx, late[0]); err != nil {
		t.Errorf("Release = %v", err)
	}
	if l := lease(day0.Add(time.Hour)); len(l) != 1 {
		t.Errorf("%d leases after Release, want 1", len(l))
	}
}

// A batch can bring its source with it, in one commit; one that is there stays.
func addedWithBatch(t *testing.T, s store.Store) {
	ctx := t.Context()
	before, err := s.Changes(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for i, title := range []string{"First", "Second"} {
		out, err := s.Append(ctx, store.Batch{
			Source: "new", Drafts: []store.Draft{Draft(fmt.Sprint(i), "text "+title)}, Add: &store.Source{ID: "new", Title: title, Origin: "import"},
		})
		if err != nil || len(out) != 1 || out[0].State != store.New {
			t.Fatalf("%v, %v", out, err)
		}
	}
	got, err := s.Source(ctx, "new")
	if err != nil || got.Title != "First" || got.Items != 2 {
		t.Errorf("source %+v with %d items, %v", got.Source, got.Items, err)
	}
	if after, err := s.Changes(ctx); err != nil || after != before+1 {
		t.Errorf("%d changes of sources, %v; want one", after-before, err)
	}
	for _, bad := range []*store.Source{{ID: "Not Valid"}, {ID: "other"}} {
		if _, err := s.Append(ctx, store.Batch{Source: "none", Drafts: []store.Draft{Draft("x", "text")}, Add: bad}); err == nil {
			t.Errorf("a batch added source %q", bad.ID)
		}
	}
}

// Sources are leased earliest due first; NotBefore holds even for those named.
func leaseOrder(t *testing.T, s store.Store) {
	ctx := t.Context()
	for i, id := range []feed.SourceID{"c", "a", "b", "d"} {
		err := s.Change(ctx, []store.Edit{{
			Kind: store.KindSource, Source: &store.Source{ID: id, URL: "https://x.example/" + string(id)},
			State: &store.PollState{NextDue: day0.Add(time.Duration(i) * time.Minute)},
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Change(ctx, []store.Edit{{
		Kind: store.KindSource, Source: &store.Source{ID: "e", URL: "https://x.example/e"},
		State: &store.PollState{NotBefore: day0.Add(24 * time.Hour)},
	}}); err != nil {
		t.Fatal(err)
	}
	l, err := s.Lease(ctx, store.LeaseQuery{N: 3, Now: day0.Add(2 * time.Minute)})
	if got := fmt.Sprint(ids(l)); err != nil || got != "[c a b]" {
		t.Errorf("leased %v, %v; want [c a b]", got, err)
	}
	l, err = s.Lease(ctx, store.LeaseQuery{Sources: []feed.SourceID{"d", "e"}, Now: day0})
	if got := fmt.Sprint(ids(l)); err != nil || got != "[d]" {
		t.Errorf("leased by name %v, %v; want [d]", got, err)
	}
}

func ids(l []store.Lease) (out []feed.SourceID) {
	for _, x := range l {
		out = append(out, x.Source.ID)
	}
	return out
}

// The same post from two sources at the same moment is new once.
func atOnce(t *testing.T, s store.Store) {
	const n = 8
	for i := range n {
		Source(t, s, feed.SourceID(fmt.Sprint("s", i)))
	}
	var wg sync.WaitGroup
	states := make([]store.State, n)
	for i := range n {
		wg.Go(func() {
			out, err := s.Append(context.Background(), store.Batch{
				Source: feed.SourceID(fmt.Sprint("s", i)), Drafts: []store.Draft{Draft(fmt.Sprint("g", i), "the same words everywhere")}, At: day0,
			})
			if err == nil {
				states[i] = out[0].State
			}
		})
	}
	wg.Wait()
	count := map[store.State]int{}
	for _, st := range states {
		count[st]++
	}
	if count[store.New] != 1 || count[store.Duplicate] != n-1 {
		t.Errorf("states %v, want one new", states)
	}
}

// Follow waits for a record and ends with its context.
func followWaits(t *testing.T, s store.Store) {
	end, _ := s.End(t.Context())
	got := make(chan []store.Record)
	go func() {
		r, _, _ := s.Follow(context.Background(), end, store.KindsOf(store.KindItem), 10)
		got <- r
	}()
	Source(t, s, "a") // passed over
	appendTo(t, s, "a", day0, Draft("1", "one"))
	if r := <-got; len(r) != 1 || r[0].Item == nil || r[0].Item.Native != "1" {
		t.Errorf("followed %v", r)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	cancel(why)
	end, _ = s.End(t.Context())
	if _, _, err := s.Follow(ctx, end, store.AllKinds, 1); !errors.Is(err, why) {
		t.Errorf("Follow after its context = %v, want the cause", err)
	}
}

// A post that changes to and fro between two versions does not grow (PEERS part 5, 56).
func flipping(t *testing.T, s store.Store) {
	Source(t, s, "a")
	var last []store.Outcome
	for i := range 20 {
		last = appendTo(t, s, "a", day0.Add(time.Duration(i)*time.Hour), Draft("1", []string{"one", "two"}[i%2]))
	}
	if last[0].State != store.Same || last[0].Revision != 2 {
		t.Errorf("after 20 polls %v with %d revisions, want same with 2", last[0].State, last[0].Revision)
	}
}

// CONFORMANCE P-70: a post of two sources is one story, and both are kept.
func oneStory(t *testing.T, s store.Store) {
	Source(t, s, "a")
	Source(t, s, "b")
	x := appendTo(t, s, "a", day0, Draft("1", "what happened"))
	y := appendTo(t, s, "b", day0.Add(time.Hour), Draft("7", "what happened"))
	wantStates(t, y, store.Duplicate)
	if y[0].Story != x[0].ID || y[0].ID == x[0].ID {
		t.Errorf("outcome %+v, want the story of %v", y[0], x[0].ID)
	}
	it, err := s.Items(t.Context(), []feed.ItemID{x[0].ID, y[0].ID}, store.AllFields)
	if err != nil || len(it) != 2 || len(it[0].AlsoIn) != 1 || it[0].AlsoIn[0].Source != "b" || it[1].AlsoIn[0].ID != x[0].ID {
		t.Errorf("items %+v, %v", it, err)
	}
	if err := s.Change(t.Context(), []store.Edit{{Kind: store.KindSplit, Items: []feed.ItemID{y[0].ID}, Reason: "a quotation"}}); err != nil {
		t.Fatal(err)
	}
	h, err := s.Heads(t.Context(), store.HeadQuery{Story: x[0].ID})
	if err != nil || len(h) != 1 {
		t.Errorf("story has %d members after the split, %v", len(h), err)
	}
}

// CONFORMANCE SEC-31: who carries an entry with another's id and origin never overwrites it.
func forged(t *testing.T, s store.Store) {
	Source(t, s, "genuine")
	Source(t, s, "forger")
	x := appendTo(t, s, "genuine", day0, Draft("tag:genuine,1", "the truth"))
	d := Draft("tag:genuine,1", "a lie")
	d.Entry.Origin = &feed.Origin{ID: "https://genuine.example/", Self: "https://genuine.example/feed"}
	y := appendTo(t, s, "forger", day0.Add(time.Hour), d)
	wantStates(t, y, store.New)
	it, err := s.Items(t.Context(), []feed.ItemID{x[0].ID}, store.AllFields)
	if err != nil || it[0].Title.Value != "the truth" || it[0].Revisions != 1 {
		t.Errorf("the genuine post is %q with %d revisions, %v", it[0].Title.Value, it[0].Revisions, err)
	}
}

// What a person tagged stays when a rule or a revision says otherwise (PEERS part 5, 64).
func manualTags(t *testing.T, s store.Store) {
	Source(t, s, "a")
	d := Draft("1", "one")
	d.Topics = []feed.Tag{{Topic: "iran", Score: 2}}
	id := appendTo(t, s, "a", day0, d)[0].ID
	edit := func(by string, tags ...feed.Tag) {
		if err := s.Change(t.Context(), []store.Edit{{Kind: store.KindTopics, Items: []feed.ItemID{id}, Topics: tags, By: by}}); err != nil {
			t.Fatal(err)
		}
	}
	edit("someone", feed.Tag{Topic: "iran", Score: -1, Manual: true})
	edit("rule", feed.Tag{Topic: "iran", Score: 5}, feed.Tag{Topic: "mek", Score: 1})
	d = Draft("1", "one, edited")
	d.Topics = []feed.Tag{{Topic: "iran", Score: 3}}
	appendTo(t, s, "a", day0.Add(time.Hour), d)
	it, err := s.Items(t.Context(), []feed.ItemID{id}, 0)
	if err != nil || it[0].Has("iran") {
		t.Errorf("topics %v, %v: a person's removal was undone", it[0].Topics, err)
	}
	for topic, want := range map[feed.TopicID]int{"iran": 0, "mek": 0} {
		if h, err := s.Heads(t.Context(), store.HeadQuery{Topic: topic}); err != nil || len(h) != want {
			t.Errorf("%d heads of %s, %v; want %d", len(h), topic, err, want)
		}
	}
}

// CONFORMANCE P-74: the same batches with their times of record give the same ids.
func idsAgain(t *testing.T, s store.Store) {
	Source(t, s, "a")
	m := NewModel()
	Source(t, m, "a")
	for i := range 5 {
		at := day0.Add(time.Duration(i) * time.Hour)
		var drafts []store.Draft
		for j := range i + 2 {
			drafts = append(drafts, Draft(fmt.Sprint(j), fmt.Sprint("post ", j)))
		}
		a, b := appendTo(t, s, "a", at, drafts...), appendTo(t, m, "a", at, drafts...)
		for j := range a {
			if a[j].ID != b[j].ID {
				t.Errorf("batch %d, draft %d: %v and %v", i, j, a[j].ID, b[j].ID)
			}
		}
	}
}

// Two entries of one document with one identity are one item (PEERS part 5, 55).
func withinBatch(t *testing.T, s store.Store) {
	Source(t, s, "a")
	out := appendTo(t, s, "a", day0, Draft("1", "one"), Draft("1", "one"), Draft("1", "other"))
	wantStates(t, out, store.New, store.Same, store.Revised)
	wantStates(t, appendTo(t, s, "a", day0.Add(time.Hour), Draft("1", "one"), Draft("1", "other")), store.Same, store.Same)
}

// A document that no parser could read is kept for a newer one (CONFORMANCE F-09),
// until an item of its source is taken down: it may be in it.
func unreadables(t *testing.T, s store.Store) {
	ctx := t.Context()
	Source(t, s, "a")
	Source(t, s, "b")
	put := func(source feed.SourceID, body string) {
		t.Helper()
		l, err := s.Lease(ctx, store.LeaseQuery{Sources: []feed.SourceID{source}, Now: day0})
		if err != nil || len(l) != 1 {
			t.Fatalf("%d leases, %v", len(l), err)
		}
		b := store.Batch{At: day0, Document: &store.Document{Source: source, Body: []byte(body), Received: day0, Repairs: []string{store.Unreadable}}}
		if _, err := s.Finish(ctx, l[0], store.PollResult{State: store.PollState{ETag: body}, Batch: &b}); err != nil {
			t.Fatal(err)
		}
	}
	want := func(source feed.SourceID, body string, kept bool) {
		t.Helper()
		doc, err := s.DocumentOf(ctx, source, feed.DigestOf([]byte(body)))
		if kept && (err != nil || string(doc.Body) != body || doc.Source != source || !slices.Contains(doc.Repairs, store.Unreadable)) {
			t.Errorf("%s of %s: %+v, %v", body, source, doc, err)
		}
		if !kept && !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s of %s: %q is there, %v", body, source, doc.Body, err)
		}
	}
	put("a", "<rss secret")
	put("b", "<rss secret")
	want("a", "<rss secret", true)
	want("b", "<rss secret", true)
	want("none", "<rss secret", false)
	out := appendTo(t, s, "a", day0, Draft("1", "secret"))
	if err := s.Change(ctx, []store.Edit{{Kind: store.KindTakedown, Items: []feed.ItemID{out[0].ID}, Reason: "asked"}}); err != nil {
		t.Fatal(err)
	}
	want("a", "<rss secret", false)
	put("a", "<rss secret again")
	want("a", "<rss secret again", false)
	want("b", "<rss secret", true)
	if rep, err := s.Verify(ctx, true, nil); err != nil || len(rep.Faults) > 0 {
		t.Errorf("verify: %v, %v", rep.Faults, err)
	}
}

// What a newer parser reads in a kept document is recorded as such, and the document
// is not kept again.
func reparsed(t *testing.T, s store.Store) {
	ctx := t.Context()
	Source(t, s, "a")
	body := []byte("<rss><item>one</item></rss>")
	batch := store.Batch{At: day0, Document: &store.Document{
		Source: "a", Body: body, Received: day0, Parts: []store.Part{{Start: 5, End: 21, Digest: feed.DigestOf(body[5:21])}},
	}}
	d := Draft("1", "badly read")
	d.Part = 0
	batch.Drafts = []store.Draft{d}
	first, err := s.Append(ctx, batch)
	if err != nil {
		t.Fatal(err)
	}
	recs, _, err := s.Follow(ctx, 0, store.KindsOf(store.KindRaw), 10)
	if err != nil || len(recs) != 1 {
		t.Fatalf("%d raw records, %v", len(recs), err)
	}
	doc, err := s.Document(ctx, recs[0].Seq)
	if err != nil || string(doc.Body) != string(body) || len(doc.Parts) != 1 {
		t.Fatalf("document %+v, %v", doc, err)
	}
	d = Draft("1", "well read")
	d.Part = 0
	out, err := s.Append(ctx, store.Batch{Document: &doc, Drafts: []store.Draft{d}, At: day0.Add(time.Hour), Reparsed: true})
	if err != nil {
		t.Fatal(err)
	}
	wantStates(t, out, store.Revised)
	recs, _, err = s.Follow(ctx, recs[0].Seq, store.KindsOf(store.KindReparsed, store.KindRevision, store.KindRaw), 10)
	if err != nil || len(recs) != 1 || recs[0].Kind != store.KindReparsed || recs[0].Item.Title.Value != "well read" {
		t.Errorf("records %+v, %v; want one reparsed", recs, err)
	}
	// The same again is nothing; a date alone is something, and other keys are the same item.
	again := func(d store.Draft) []store.Outcome {
		t.Helper()
		out, err := s.Append(ctx, store.Batch{Document: &doc, Drafts: []store.Draft{d}, At: day0.Add(2 * time.Hour), Reparsed: true})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	wantStates(t, again(d), store.Same)
	d.Entry.Published = feed.Date{Time: day0.Add(-3 * time.Hour)}
	wantStates(t, again(d), store.Revised)
	other := Draft("2", "well read")
	other.Part, other.Entry.ID, other.Entry.Published = 0, d.Entry.ID, d.Entry.Published
	other.Entry.URL = d.Entry.URL
	if out := again(other); out[0].ID != first[0].ID || out[0].State == store.New {
		t.Errorf("under another id: %+v, want item %v", out[0], first[0].ID)
	}
	if items, err := s.Items(ctx, []feed.ItemID{first[0].ID}, 0); err != nil || len(items) != 1 || !items[0].LastSeen.Equal(day0) {
		t.Errorf("last seen %+v, %v; want %v: a kept document is no sighting", items, err, day0)
	}
	for _, n := range []int{1, 2, 3} {
		if doc, err := s.Raw(ctx, first[0].ID, n); err != nil || string(doc.Body) != string(body) {
			t.Errorf("revision %d came in %q, %v", n, doc.Body, err)
		}
	}
}
