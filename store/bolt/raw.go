package bolt

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"chancery/feed"
	"chancery/store"
)

func getSeq(v []byte) uint64 { return binary.BigEndian.Uint64(v) }

// Raw implements store.Archive.
func (s *Store) Raw(ctx context.Context, id feed.ItemID, revision int) (store.Document, error) {
	if err := ctxErr(ctx); err != nil {
		return store.Document{}, err
	}
	var seq uint64
	err := s.viewCatalog(func(c *catalogTx) error {
		r, ok, err := c.row(id)
		if err != nil {
			return err
		}
		if !ok || revision < 0 || revision > int(r.revisions) {
			return fmt.Errorf("item %v, revision %d: %w", id, revision, store.ErrNotFound)
		}
		seqs := c.revisions(id, &r)
		if revision == 0 {
			revision = len(seqs)
		}
		if revision > len(seqs) {
			return damaged(part("catalog"), fmt.Errorf("revision %d of item %v is missing", revision, id))
		}
		seq = seqs[revision-1]
		return nil
	})
	if err != nil {
		return store.Document{}, err
	}
	v, err := s.volume(seq)
	if err != nil {
		return store.Document{}, err
	}
	h, _, err := v.read(seq)
	if err != nil {
		return store.Document{}, err
	}
	if h.raw == 0 {
		return store.Document{}, fmt.Errorf("item %v, revision %d: the document it came in was not kept: %w", id, revision, store.ErrNotFound)
	}
	return s.Document(ctx, store.Cursor(h.raw))
}

// errGone: bytes that were taken down or expired.
var errGone = errors.New("not kept any more")

// errNoBytes: the record with an entry's own bytes is not known.
var errNoBytes = errors.New("no record has its bytes")

// Document implements store.Archive.
func (s *Store) Document(ctx context.Context, at store.Cursor) (store.Document, error) {
	if err := ctxErr(ctx); err != nil {
		return store.Document{}, err
	}
	s.mu.RLock()
	end := s.end
	s.mu.RUnlock()
	if at == 0 || uint64(at) > end {
		return store.Document{}, fmt.Errorf("document at %d: %w", at, store.ErrNotFound)
	}
	doc, _, err := s.document(uint64(at))
	if errors.Is(err, errGone) {
		return store.Document{}, fmt.Errorf("document at %d: bytes of it are %w: %w", at, err, store.ErrNotFound)
	}
	return doc, err
}

// DocumentOf implements store.Archive.
func (s *Store) DocumentOf(ctx context.Context, source feed.SourceID, body feed.Digest) (store.Document, error) {
	var at uint64
	err := s.viewCatalog(func(c *catalogTx) error {
		if src := c.source(source); src != nil {
			if v := c.b[bDocs].Get(shortRow(src.num, shorten(body))); v != nil {
				at = getSeq(v)
			}
		}
		return nil
	})
	if err != nil {
		return store.Document{}, err
	}
	return s.Document(ctx, store.Cursor(at))
}

// document puts a document together again and checks that it is what was received.
func (s *Store) document(seq uint64) (doc store.Document, from string, err error) {
	v, err := s.volume(seq)
	if err != nil {
		return doc, "", err
	}
	h, f, err := v.read(seq)
	if err != nil {
		return doc, "", err
	}
	if f.kind != store.KindRaw {
		return doc, "", fmt.Errorf("document at %d: it is a record of kind %v: %w", seq, f.kind, store.ErrNotFound)
	}
	plain, err := v.plain(seq, f)
	if err != nil {
		return doc, "", err
	}
	if plain == nil {
		return doc, "", errGone
	}
	r, err := decodeRaw(plain)
	if err != nil {
		return doc, "", damaged(v.at(seq), err)
	}
	doc = *r.doc
	doc.Source = h.source
	parts, err := r.inlined(&h)
	if err != nil {
		return doc, "", damaged(v.at(seq), err)
	}
	where := make([]uint64, len(h.parts))
	err = s.viewCatalog(func(c *catalogTx) error {
		src := c.source(h.source)
		if src == nil {
			return damaged(part("catalog"), fmt.Errorf("source %q is missing", h.source))
		}
		for i, d := range h.parts {
			p, _ := c.part(src.num, d)
			where[i] = p.seq
			if r, ok, err := c.row(p.item); err != nil {
				return err
			} else if ok && r.takenDown {
				return errGone
			}
		}
		return nil
	})
	if err != nil {
		return doc, "", err
	}
	for i := range parts {
		if parts[i] == nil {
			if parts[i], err = s.partBytes(nil, where[i], h.parts[i]); err != nil {
				if errors.Is(err, errGone) {
					return doc, "", err
				}
				return doc, "", damaged(part(fmt.Sprintf("record %d, part %d", seq, i)), err)
			}
		}
	}
	part := func(i int) ([]byte, error) {
		if i >= len(parts) {
			return nil, fmt.Errorf("it has no part %d", i)
		}
		return parts[i], nil
	}
	size := 0
	if err := cook(r.recipe, part, func(b []byte) { size += len(b) }); err != nil {
		return doc, "", damaged(v.at(seq), err)
	}
	doc.Body = make([]byte, 0, size)
	if err := cook(r.recipe, part, func(b []byte) { doc.Body = append(doc.Body, b...) }); err != nil {
		return doc, "", damaged(v.at(seq), err)
	}
	if feed.DigestOf(doc.Body) != h.doc {
		return doc, "", damaged(v.at(seq), errors.New("the document is not what was received"))
	}
	err = r.places(len(doc.Body), func(start, end int) {
		doc.Parts = append(doc.Parts, store.Part{Start: start, End: end, Digest: feed.DigestOf(doc.Body[start:end])})
	})
	if err != nil {
		return doc, "", damaged(v.at(seq), err)
	}
	return doc, r.from, nil
}

// inlined gives the parts of a document that its own record has, by their numbers among
// all; the others are nil.
func (r *rawBody) inlined(h *header) ([][]byte, error) {
	if len(r.inline) != len(h.inline) {
		return nil, errors.New("parts of the document are missing")
	}
	parts := make([][]byte, len(h.parts))
	for i, n := range h.inline {
		if n >= len(parts) {
			return nil, fmt.Errorf("it has no part %d", n)
		}
		parts[n] = r.inline[i]
	}
	return parts, nil
}

// places calls f for each part with its place in a document of size bytes.
func (r *rawBody) places(size int, f func(start, end int)) error {
	pos := 0
	for spans := r.spans; len(spans) > 0; {
		gap, rest, err := takeUvarint(spans)
		var n uint64
		if err == nil {
			n, rest, err = takeUvarint(rest)
		}
		left := uint64(size - pos)
		if err != nil || gap > left || n > left-gap {
			return errors.New("places of parts are wrong")
		}
		start := pos + int(gap)
		pos = start + int(n)
		f(start, pos)
		spans = rest
	}
	return nil
}

// partBytes gives an entry's own bytes from the record that has them, in the room of dst
// if it is large enough.
func (s *Store) partBytes(dst []byte, seq uint64, d short) ([]byte, error) {
	if seq == 0 {
		return nil, errNoBytes
	}
	v, err := s.volume(seq)
	if err != nil {
		return nil, err
	}
	h, f, err := v.read(seq)
	if err != nil {
		return nil, err
	}
	plain, err := v.plain(seq, f)
	if err != nil {
		return nil, err
	}
	return partOf(dst, &h, plain, d)
}

// partOf gives an entry's own bytes from the plain body of the record that has them.
func partOf(dst []byte, h *header, plain []byte, d short) ([]byte, error) {
	if plain == nil {
		return nil, errGone
	}
	var own []byte
	if h.kind == store.KindRaw {
		r, err := decodeRaw(plain)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(h.inline, func(n int) bool { return n < len(h.parts) && h.parts[n] == d })
		if i < 0 || i >= len(r.inline) {
			return nil, fmt.Errorf("record %d has not its bytes", h.seq)
		}
		own = r.inline[i]
	} else {
		var err error
		if own, err = ownBytes(dst[:0], plain); err != nil {
			return nil, err
		}
	}
	if shorten(feed.DigestOf(own)) != d {
		return nil, fmt.Errorf("record %d has other bytes", h.seq)
	}
	return own, nil
}

// editOf is the decision that a record holds.
func (v *volume) editOf(h *header, f framed) (*store.Edit, error) {
	b, err := v.editBody(h.seq, f)
	if err != nil {
		return nil, err
	}
	before := time.Time{}
	if b.Before != nil {
		before = *b.Before
	}
	at := time.Time{}
	if b.At != nil {
		at = *b.At
	}
	return &store.Edit{
		At: at, Before: before, Documents: len(h.records),
		Kind: f.kind, Source: b.Source, State: b.State, Items: h.items, Topics: h.tags, Rules: b.Rules,
		Digest: h.rules, Reason: b.Reason, By: b.By, Undo: b.Undo, First: b.First,
	}, nil
}

func (v *volume) editBody(seq uint64, f framed) (editBody, error) {
	var b editBody
	plain, err := v.plain(seq, f)
	if err != nil || plain == nil {
		return b, err
	}
	if err := json.Unmarshal(plain, &b); err != nil {
		return b, damaged(v.at(seq), err)
	}
	return b, nil
}
