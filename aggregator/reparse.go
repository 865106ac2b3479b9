package aggregator

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"chancery/aggregator/schedule"
	"chancery/feed"
	"chancery/feed/parse"
	"chancery/store"
)

// Reparse reads every document that the archive kept again, with today's parser
// and today's rules, oldest first. Where the entry of an item's newest revision reads
// differently the archive gets a revision of kind store.KindReparsed; an entry that
// was not understood before becomes a new item, first seen when its document came.
// A second run changes nothing. Documents that have an entry that was taken down are
// passed over. So are those that cannot be read; if they could be when they came, they
// are in the summary and the error is ErrBadData. progress, which may be nil, hears how
// far in the log it is.
func (a *Aggregator) Reparse(ctx context.Context, progress func(done, total int64)) (Summary, error) {
	start := time.Now()
	sum := Summary{Errors: []Failure{}}
	end, err := a.archive.End(ctx)
	if err != nil {
		return sum, err
	}
	sources := map[feed.SourceID]bool{}
	read := readBefore{}
	err = a.documents(ctx, end, func(doc store.Document, at store.Cursor) error {
		if progress != nil {
			progress(int64(at), int64(end))
		}
		sources[doc.Source] = true
		sum.Bytes += int64(len(doc.Body))
		_, err := a.reparse(ctx, doc, read, &sum)
		if fault, ok := errors.AsType[*unreadable](err); ok {
			if slices.Contains(doc.Repairs, store.Unreadable) {
				sum.Documents++
				return nil // as before
			}
			sum.Failed++
			sum.Errors = append(sum.Errors, Failure{Source: doc.Source, URL: doc.URL, Error: fmt.Sprintf("document at %d: %v", at, fault)})
			return nil
		}
		if err != nil {
			return fmt.Errorf("document at %d: %w", at, err)
		}
		sum.Documents++
		return nil
	})
	sum.Sources = len(sources)
	sum.Seconds = time.Since(start).Seconds()
	if err == nil && sum.Failed > 0 {
		err = ErrBadData
	}
	return sum, err
}

// documents gives the documents of the log up to end, in order. What is lost keeps none of
// the others back: it is the error at the end.
func (a *Aggregator) documents(ctx context.Context, end store.Cursor, each func(store.Document, store.Cursor) error) error {
	var lost error
	for at := store.Cursor(1); at <= end; at++ {
		doc, err := a.archive.Document(ctx, at)
		if errors.Is(err, store.ErrNotFound) {
			continue // another record, or one that was taken down in part
		}
		if err == nil {
			err = each(doc, at)
		}
		switch {
		case err == nil:
		case errors.Is(err, store.ErrLost):
			lost = cmp.Or(lost, err)
		default:
			return err
		}
	}
	return lost
}

// readBefore are the entries, by source and bytes, that a document read before
// carried: what is in several documents was taken in from the first of them.
type readBefore map[[12]byte]struct{}

// first reports whether an entry's bytes come for the first time.
func (r readBefore) first(src feed.SourceID, bytes feed.Digest) bool {
	d := feed.DigestOf(append(bytes[:], src...))
	k := [12]byte(d[:])
	_, before := r[k]
	r[k] = struct{}{}
	return !before
}

// reparse reads what a document was the first to bring again, and gives it.
func (a *Aggregator) reparse(ctx context.Context, doc store.Document, read readBefore, sum *Summary) (*feed.Feed, error) {
	src, err := a.archive.Source(ctx, doc.Source)
	if err != nil {
		return nil, err
	}
	d, err := parse.Open(doc.Body, parse.Options{ContentType: doc.MediaType, URL: doc.URL})
	if err != nil {
		return nil, &unreadable{err}
	}
	parts := d.Parts()
	wanted := make([]bool, len(parts))
	for i, p := range parts {
		wanted[i] = read.first(doc.Source, p.Digest)
	}
	f, err := d.Feed(func(i int) bool { return i >= len(wanted) || wanted[i] })
	if err != nil {
		return nil, &unreadable{err}
	}
	sum.Seen += len(f.Entries)
	// The parts as they were kept: the archive has their bytes by these digests.
	partOf := make(map[feed.Digest]int, len(doc.Parts))
	for i, p := range doc.Parts {
		if _, twice := partOf[p.Digest]; !twice {
			partOf[p.Digest] = i
		}
	}
	drafts, _ := a.drafts(src.Source, f, slices.Clone(src.State.Colliding), partOf)
	drafts, err = a.newest(ctx, doc, drafts)
	if err != nil || len(drafts) == 0 {
		return f, err
	}
	outcomes, err := a.archive.Append(ctx, store.Batch{Source: doc.Source, Document: &doc, Drafts: drafts, Reparsed: true})
	if err != nil {
		return f, err
	}
	sum.count(outcomes)
	return f, nil
}

// readKept reads the document that came last, which could not be read then, with the
// parser of today, and takes in what it finds. It gives the feed, nil if there is
// none, and the state from which the poll goes on; if the document was not kept that
// is st, and the poll asks for it again.
func (a *Aggregator) readKept(ctx context.Context, src store.Source, st store.PollState) (*feed.Feed, store.PollState, error) {
	digest, err := feed.ParseDigest(st.BodyHash)
	if err != nil {
		return nil, st, nil // a state of long ago: nothing to look for
	}
	doc, err := a.archive.DocumentOf(ctx, src.ID, digest)
	if errors.Is(err, store.ErrNotFound) {
		return nil, st, nil
	} else if err != nil {
		return nil, st, err
	}
	a.reading <- struct{}{}
	defer func() { <-a.reading }()
	var sum Summary
	f, err := a.reparse(ctx, doc, readBefore{}, &sum)
	if fault, ok := errors.AsType[*unreadable](err); ok {
		a.log.LogAttrs(ctx, slog.LevelInfo, "still not readable", slog.String("source", string(src.ID)), slog.Any("error", fault))
		return nil, schedule.Reread(st, parse.Version, false), nil
	} else if err != nil {
		return nil, st, err
	}
	a.log.LogAttrs(ctx, slog.LevelInfo, "a document that could not be read when it came is read",
		slog.String("source", string(src.ID)), slog.Time("received", doc.Received), slog.Int("new", sum.New))
	return f, schedule.Reread(st, parse.Version, true), nil
}

// newest leaves of a document's drafts those that the archive would have had from
// it last: entries of items whose newest revision was read from the same bytes, and
// entries that are no item yet. What came later stays as it is.
func (a *Aggregator) newest(ctx context.Context, doc store.Document, drafts []store.Draft) ([]store.Draft, error) {
	keys := make([][]store.Key, len(drafts))
	for i := range drafts {
		keys[i] = drafts[i].Keys
	}
	ids, err := a.archive.Lookup(ctx, doc.Source, keys)
	if err != nil {
		return nil, err
	}
	known := make(map[feed.ItemID]feed.Item, len(ids))
	for part := range slices.Chunk(ids, 1000) {
		items, err := a.archive.Items(ctx, slices.DeleteFunc(slices.Clone(part), feed.ItemID.IsZero), 0)
		if err != nil {
			return nil, err
		}
		for _, it := range items {
			known[it.ID] = it
		}
	}
	out := drafts[:0]
	for i := range drafts {
		it, ok := known[ids[i]]
		if !ok {
			drafts[i].FirstSeen = doc.Received
			out = append(out, drafts[i])
			continue
		}
		mine := it.Bytes == drafts[i].Entry.Bytes
		if mine && it.Bytes.IsZero() { // no bytes of its own: the whole document says it
			was, err := a.archive.Raw(ctx, it.ID, 0)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return nil, err
			}
			mine = err == nil && bytes.Equal(was.Body, doc.Body)
		}
		if mine {
			out = append(out, drafts[i])
		}
	}
	return out, nil
}
