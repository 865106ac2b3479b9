package aggregator

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"sync"
	"time"

	"chancery/aggregator/identify"
	"chancery/aggregator/normalize"
	"chancery/aggregator/schedule"
	"chancery/feed"
	"chancery/feed/html"
	"chancery/feed/parse"
	"chancery/feed/query"
	"chancery/feed/text"
	"chancery/store"
)

// intake is what one document brings, ready for the archive.
type intake struct {
	batch   store.Batch
	seen    []int      // parts whose bytes were known
	head    *feed.Feed // without the entries that were known
	entries int        // in the document
	known   int        // of them, in the archive before
	dates   []time.Time
}

// unreadable: a complete document that is no feed, or a broken one.
type unreadable struct{ err error }

func (u *unreadable) Error() string { return u.err.Error() }
func (u *unreadable) Unwrap() error { return u.err }

// tell passes to schedule what the document showed.
func (in *intake) tell(out *schedule.Outcome) {
	out.Parsed = true
	out.Hints = in.head.Hints
	out.Entries, out.Known, out.New = in.entries, in.known, in.entries-in.known
	out.Published = in.dates
}

// read takes a document apart: only entries whose bytes the source has not carried
// before are parsed, normalized, identified and tagged. It updates what the poll
// state remembers of documents. The error is *unreadable if it is the document's
// fault.
func (a *Aggregator) read(ctx context.Context, src store.Source, st *store.PollState, doc store.Document) (intake, error) {
	a.reading <- struct{}{}
	defer func() { <-a.reading }()
	d, err := parse.Open(doc.Body, parse.Options{ContentType: doc.MediaType, URL: doc.URL})
	if err != nil {
		return intake{}, &unreadable{err}
	}
	in := intake{entries: d.Len()}
	parts := d.Parts()
	digests := make([]feed.Digest, len(parts))
	for i, p := range parts {
		digests[i] = p.Digest
		doc.Parts = append(doc.Parts, store.Part{Start: p.Start, End: p.End, Digest: p.Digest})
	}
	var old []bool
	if len(parts) > 0 {
		if old, err = a.archive.Known(ctx, src.ID, digests); err != nil {
			return in, err
		}
	}
	partOf := make(map[feed.Digest]int, len(parts))
	for i, p := range parts {
		if old[i] {
			in.seen = append(in.seen, i)
		}
		if _, twice := partOf[p.Digest]; !twice {
			partOf[p.Digest] = i
		}
	}
	in.head, err = d.Feed(func(i int) bool { return i >= len(old) || !old[i] })
	if err != nil {
		return in, &unreadable{err}
	}
	doc.Repairs, st.Repairs = in.head.Repairs, in.head.Repairs

	drafts, colliding := a.drafts(src, in.head, st.Colliding, partOf)
	st.Colliding = colliding
	if err := a.countKnown(ctx, src.ID, drafts, &in); err != nil {
		return in, err
	}
	in.dates = datesOf(in.head)

	// A document is worth keeping when the list of its entries is another one than
	// last time: a head that only says when it was built is not.
	if list := partsHash(digests, doc.Body); list == st.PartsHash && len(drafts) == 0 {
		doc.Body = nil
	} else {
		st.PartsHash = list
	}
	if doc.Body != nil || len(in.seen) > 0 {
		in.batch = store.Batch{Source: src.ID, Document: &doc, Drafts: drafts}
	}
	return in, nil
}

func datesOf(f *feed.Feed) (dates []time.Time) {
	for i := range f.Entries {
		if e := &f.Entries[i]; !e.Published.IsZero() {
			dates = append(dates, e.Published.Time)
		}
	}
	return dates
}

// keep is the intake of a document that no parser could read: it waits in the
// archive for a newer one (CONFORMANCE F-09).
func keep(doc store.Document) intake {
	doc.Parts, doc.Repairs = nil, []string{store.Unreadable}
	return intake{batch: store.Batch{Source: doc.Source, Document: &doc}}
}

// countKnown counts the entries that the archive has, by their bytes or by their keys.
func (a *Aggregator) countKnown(ctx context.Context, src feed.SourceID, drafts []store.Draft, in *intake) error {
	in.known = len(in.seen)
	if len(drafts) == 0 {
		return nil
	}
	keys := make([][]store.Key, len(drafts))
	for i := range drafts {
		keys[i] = drafts[i].Keys
	}
	ids, err := a.archive.Lookup(ctx, src, keys)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if !id.IsZero() {
			in.known++
		}
	}
	return nil
}

// drafts normalizes, identifies and tags the entries of a document, oldest first:
// what is committed together then has ids in the order in which it was published.
func (a *Aggregator) drafts(src store.Source, f *feed.Feed, colliding []string, partOf map[feed.Digest]int) ([]store.Draft, []string) {
	if len(f.Entries) == 0 {
		return nil, colliding
	}
	bodies := borrowRows(len(f.Entries))
	defer returnRows(bodies)
	posts := make([]identify.Post, len(f.Entries))
	plains := make([]normalize.Plain, len(f.Entries))
	for i := range f.Entries {
		e := &f.Entries[i]
		if e.Language == "" {
			e.Language = cmp.Or(f.Language, src.Language)
		}
		plains[i] = normalize.PlainOf(e)
		(*bodies)[i].Set(plains[i].Body())
		posts[i] = postOf(e, plains[i], &(*bodies)[i])
	}
	home := normalize.Address(cmp.Or(f.URL, src.Site))
	ids, colliding := identify.Document(posts, home, colliding)

	out := make([]store.Draft, len(f.Entries))
	for i := range f.Entries {
		e := &f.Entries[i]
		part, ok := partOf[e.Bytes]
		if !ok || e.Bytes.IsZero() {
			part = -1
		}
		out[i] = store.Draft{
			Entry: *e, Native: ids[i].Native, Method: ids[i].Method, Keys: ids[i].Keys,
			Story: ids[i].Story, Sketch: ids[i].Sketch, Version: normalize.Version(e, plains[i]), Part: part,
		}
		out[i].Texts = &store.Texts{Title: plains[i].Title, Summary: plains[i].Summary, Content: plains[i].Content}
		out[i].Topics = a.tag(src, e, plains[i], &(*bodies)[i])
		out[i].RuleSet = a.topics.Digest()
		out[i].Trivial = func(was *feed.Entry) bool { return normalize.Trivial(was, e) }
		if ids[i].Method == "guid" {
			out[i].Apart = func(was *feed.Entry) *store.Name { return apart(was, e) }
		}
	}
	oldestFirst(out)
	return out, colliding
}

// apart is what an entry is known by that is another post than the one that has its id.
func apart(was, is *feed.Entry) *store.Name {
	if normalize.Address(was.URL) == normalize.Address(is.URL) { // as nearly always
		return nil
	}
	post := func(e *feed.Entry) *identify.Post {
		p := normalize.PlainOf(e)
		post := postOf(e, p, text.NewRow(p.Body()))
		return &post
	}
	return identify.Apart(post(was), post(is))
}

// postOf is what identify needs of an entry.
func postOf(e *feed.Entry, p normalize.Plain, body *text.Row) identify.Post {
	canonical := normalize.CanonicalURL(e.URL)
	post := identify.Post{
		Entry: e, Title: p.Title, Body: body,
		Canonical: canonical, Address: normalize.AddressOf(canonical), Alias: normalize.Alias(e.ID),
	}
	if own, quoted := p.Own(e); quoted {
		post.Own = text.NewRow(own)
	}
	return post
}

// rows are lent from document to document: the words of its entries are the largest
// thing that a document is taken apart into, and are needed for a moment only.
var rows = sync.Pool{New: func() any { return new([]text.Row) }}

// maxRows is how many entries' rows are kept for the next document.
const maxRows = 64

func borrowRows(n int) *[]text.Row {
	r := rows.Get().(*[]text.Row)
	*r = slices.Grow((*r)[:0], n)[:n]
	return r
}

func returnRows(r *[]text.Row) {
	for i := range *r {
		(*r)[i].Text = ""
	}
	if cap(*r) <= maxRows {
		rows.Put(r)
	}
}

// tag gives the entry its topics: those the rules find, and those the operator
// gave the whole source.
func (a *Aggregator) tag(src store.Source, e *feed.Entry, p normalize.Plain, body *text.Row) []feed.Tag {
	it := feed.Item{Source: src.ID, Entry: *e}
	doc := query.NewDocOf(&it, src.Title, p.Title, p.Summary, p.Content)
	doc.Use(body)
	tags := a.topics.Tag(doc)
	for _, id := range src.Topics {
		if !slices.ContainsFunc(tags, func(t feed.Tag) bool { return t.Topic == id }) {
			tags = append(tags, feed.Tag{Topic: id, Score: 1})
		}
	}
	slices.SortFunc(tags, func(x, y feed.Tag) int { return cmp.Compare(x.Topic, y.Topic) })
	return tags
}

// oldestFirst orders drafts by date when all have one, else against the order of
// the document, whose newest post stands on top nearly always.
func oldestFirst(drafts []store.Draft) {
	slices.Reverse(drafts)
	date := func(d store.Draft) time.Time {
		if !d.Entry.Published.IsZero() {
			return d.Entry.Published.Time
		}
		return d.Entry.Updated.Time
	}
	if slices.ContainsFunc(drafts, func(d store.Draft) bool { return date(d).IsZero() }) {
		return
	}
	slices.SortStableFunc(drafts, func(x, y store.Draft) int {
		// Versions of one post in one document follow each other by updated (RFC 4287 §4.1.1).
		return cmp.Or(date(x).Compare(date(y)), x.Entry.Updated.Time.Compare(y.Entry.Updated.Time))
	})
}

// partsHash is a hash of a document's list of entries, or of its body where they
// could not be told apart.
func partsHash(digests []feed.Digest, body []byte) string {
	h := sha256.New()
	if len(digests) == 0 {
		h.Write(body)
	}
	for _, d := range digests {
		h.Write(d[:])
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}

func plainTitle(t feed.Text) string { return html.Plain(t) }

// headOf reads what a document says of itself, without its entries.
func headOf(body []byte) (*feed.Feed, error) {
	d, err := parse.Open(body, parse.Options{})
	if err != nil {
		return nil, err
	}
	return d.Feed(func(int) bool { return false })
}

// cut reports whether a document broke off, so that what stood behind is missing.
func (in *intake) cut() bool { return in.head != nil && slices.Contains(in.head.Repairs, "truncated") }
