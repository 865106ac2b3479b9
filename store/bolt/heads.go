package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"

	"go.etcd.io/bbolt"

	"chancery/feed"
	"chancery/store"
)

// maxHeads is how many heads one call gives.
const maxHeads = 1000

// Heads implements store.Archive.
func (s *Store) Heads(ctx context.Context, q store.HeadQuery) ([]store.Head, error) {
	if err := ctxErr(ctx); err != nil {
		return nil, err
	}
	if q.Limit <= 0 || q.Limit > maxHeads {
		q.Limit = maxHeads
	}
	var out []store.Head
	err := s.viewCatalog(func(c *catalogTx) (err error) {
		out, err = c.heads(ctx, &q)
		return err
	})
	return out, err
}

func (c *catalogTx) heads(ctx context.Context, q *store.HeadQuery) ([]store.Head, error) {
	topic := c.mem.topics[q.Topic] // 0: none is asked for
	if q.Topic != "" && topic == 0 {
		return nil, nil
	}
	num := uint32(0)
	if q.Source != "" {
		src := c.source(q.Source)
		if src == nil {
			return nil, nil
		}
		num = src.num
	}
	var out []store.Head
	// add takes an item that the range brought; false ends the scan.
	add := func(id feed.ItemID) (bool, error) {
		r, err := c.mustRow(id)
		if err != nil {
			return false, err
		}
		if num != 0 && r.source != num || !q.Story.IsZero() && r.story != q.Story || topic != 0 && !r.carries(topic) || !inTime(q, r.effective) {
			return true, nil
		}
		out = append(out, c.head(id, &r))
		return len(out) < q.Limit, nil
	}
	switch {
	case !q.Story.IsZero():
		return c.sortedHeads(q, c.members(q.Story), num, topic)
	case q.ByArrival && num != 0:
		var ids []feed.ItemID
		cur := c.b[bBySource].Cursor()
		p := num4(num)
		for k, _ := cur.Seek(p); bytes.HasPrefix(k, p); k, _ = cur.Next() {
			ids = append(ids, feed.ItemID(k[12:]))
		}
		return c.sortedHeads(q, ids, num, topic)
	case q.ByArrival:
		var after []byte
		if q.After != nil {
			after = q.After.ID[:]
		}
		err := scan(ctx, c.b[bItems], q.Ascending, nil, after, func(k, _ []byte) (bool, error) { return add(feed.ItemID(k)) })
		return out, err
	case num != 0:
		var after []byte
		if q.After != nil {
			after = sourceDateKey(num, nanos(q.After.Effective), q.After.ID)
		}
		err := scan(ctx, c.b[bBySource], q.Ascending, num4(num), after, func(k, _ []byte) (bool, error) {
			if in, more := bound(q, unsortable(k[4:12])); !in {
				return more, nil
			}
			return add(feed.ItemID(k[12:]))
		})
		return out, err
	}
	var after []byte
	if q.After != nil {
		after = dateKey(nanos(q.After.Effective), q.After.Source, q.After.ID)
	} else if q.Ascending && !q.From.IsZero() {
		t := sortable(nanos(q.From))
		after = t[:] // shorter than any key of that instant, so it comes before them
	} else if !q.Ascending && !q.To.IsZero() {
		t := sortable(nanos(q.To))
		after = t[:]
	}
	err := scan(ctx, c.b[bByDate], q.Ascending, nil, after, func(k, v []byte) (bool, error) {
		if in, more := bound(q, unsortable(k[:8])); !in {
			return more, nil
		}
		if topic != 0 && !hasNumber(v, topic) {
			return true, nil
		}
		return add(feed.ItemID(k[len(k)-16:]))
	})
	return out, err
}

// scan walks the keys of a bucket with a prefix, in either direction, behind after.
// f's false ends it.
func scan(ctx context.Context, b *bbolt.Bucket, ascending bool, prefix, after []byte, f func(k, v []byte) (bool, error)) error {
	cur := b.Cursor()
	var k, v []byte // of the first key in range
	next := cur.Next
	if ascending {
		start := after
		if start == nil {
			start = prefix
		}
		if k, v = cur.Seek(start); after != nil && bytes.Equal(k, after) {
			k, v = cur.Next()
		}
	} else {
		next = cur.Prev
		switch {
		case after != nil:
			if k, _ = cur.Seek(after); k == nil {
				k, v = cur.Last()
			}
			for k != nil && bytes.Compare(k, after) >= 0 {
				k, v = cur.Prev()
			}
		case prefix != nil:
			if end := successor(prefix); end == nil {
				k, v = cur.Last()
			} else if k, _ = cur.Seek(end); k == nil {
				k, v = cur.Last()
			} else {
				k, v = cur.Prev()
			}
		default:
			k, v = cur.Last()
		}
	}
	for n := 0; k != nil && bytes.HasPrefix(k, prefix); k, v = next() {
		if n++; n%4096 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		more, err := f(k, v)
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// successor is the least key above all that begin with p; nil if there is none.
func successor(p []byte) []byte {
	p = slices.Clone(p)
	for i := len(p) - 1; i >= 0; i-- {
		if p[i]++; p[i] != 0 {
			return p[:i+1]
		}
	}
	return nil
}

func hasNumber(list []byte, n uint16) bool {
	for ; len(list) >= 2; list = list[2:] {
		if binary.BigEndian.Uint16(list) == n {
			return true
		}
	}
	return false
}

func (r *row) carries(topic uint16) bool {
	for _, t := range r.tags {
		if t.topic == topic {
			return t.score >= 0
		}
	}
	return false
}

func (c *catalogTx) head(id feed.ItemID, r *row) store.Head {
	return store.Head{
		ID: id, Story: r.story, Source: c.sourceName(r.source), Effective: instant(r.effective), FirstSeen: instant(r.firstSeen),
		Revised: instant(r.revised), Revision: int(r.revisions), Topics: tagsOf(r, c.label), Language: r.language,
		Withdrawn: r.withdrawn, TakenDown: r.takenDown,
	}
}

// sortedHeads answers from a list of ids that is not in the order asked for.
func (c *catalogTx) sortedHeads(q *store.HeadQuery, ids []feed.ItemID, num uint32, topic uint16) ([]store.Head, error) {
	type at struct {
		key []byte
		id  feed.ItemID
	}
	var list []at
	for _, id := range ids {
		r, ok, err := c.row(id)
		if err != nil {
			return nil, err
		}
		if !ok || num != 0 && r.source != num || !q.Story.IsZero() && r.story != q.Story ||
			topic != 0 && !r.carries(topic) || !inTime(q, r.effective) {
			continue
		}
		k := id[:]
		if !q.ByArrival {
			k = dateKey(r.effective, c.sourceName(r.source), id)
		}
		list = append(list, at{slices.Clone(k), id})
	}
	var after []byte
	if q.After != nil {
		after = q.After.ID[:]
		if !q.ByArrival {
			after = dateKey(nanos(q.After.Effective), q.After.Source, q.After.ID)
		}
	}
	slices.SortFunc(list, func(a, b at) int {
		if q.Ascending {
			return bytes.Compare(a.key, b.key)
		}
		return bytes.Compare(b.key, a.key)
	})
	var out []store.Head
	for _, l := range list {
		if cmp := bytes.Compare(l.key, after); after != nil && (q.Ascending && cmp <= 0 || !q.Ascending && cmp >= 0) {
			continue
		}
		r, err := c.mustRow(l.id)
		if err != nil {
			return nil, err
		}
		if out = append(out, c.head(l.id, &r)); len(out) == q.Limit {
			break
		}
	}
	return out, nil
}

func inTime(q *store.HeadQuery, effective int64) bool {
	in, _ := bound(q, effective)
	return in
}

// bound reports whether an effective instant is asked for, and if not, whether
// later ones of the scan may be.
func bound(q *store.HeadQuery, effective int64) (in, more bool) {
	if !q.From.IsZero() && effective < nanos(q.From) {
		return false, q.Ascending
	}
	if !q.To.IsZero() && effective >= nanos(q.To) {
		return false, !q.Ascending
	}
	return true, true
}
