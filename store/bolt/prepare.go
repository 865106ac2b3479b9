package bolt

import (
	"bytes"
	"encoding/binary"

	"chancery/feed"
	"chancery/store"
)

// intake is a batch on its way in: what could be computed before the writer has it.
type intake struct {
	source feed.SourceID
	batch  *store.Batch
	seen   []int
	add    *store.Edit // adds the source if it is not there, or nil

	doc     feed.Digest // of the whole body
	drafts  []ready     // by draft
	raw     *packed     // nil: the document is there already, or not kept
	rawPlan rawPlan
	content feed.Digest // of raw
	volume  uint32      // for whose dictionary all was packed
	created int         // items that it has made so far; the writer's
	held    bool        // a version was one too many for a day; the writer's
}

// ready is the body of a draft, packed; pack is nil when the draft seemed to
// bring nothing new.
type ready struct {
	pack    *packed
	content feed.Digest
	kept    bool // the entry's own bytes are in it

	against uint64      // record that the draft was compared with, as its version before
	trivial bool        // and says the same
	apart   *store.Name // and is another post
	name    *store.Name // what the draft is known by instead of what it says, or nil
}

// rawPlan says where the parts of a document are: inline holds the numbers of
// those that its own record must carry.
type rawPlan struct {
	digests []short
	inline  []int
}

// prepare does all that needs no decision: encoding, cutting, compressing and
// hashing, in the caller's goroutine. It guesses from a snapshot of the catalog what
// will be new, and is made good under the writer where it guessed wrong.
func (s *Store) prepare(in *intake) error {
	if in.batch == nil {
		return nil
	}
	if err := in.batch.Check(in.seen); err != nil {
		return err
	}
	if len(in.batch.Drafts) == 0 && in.batch.Document == nil {
		return nil
	}
	in.drafts = make([]ready, len(in.batch.Drafts))
	doc := in.batch.Document
	if doc != nil {
		in.rawPlan.digests = make([]short, len(doc.Parts))
		for i, p := range doc.Parts {
			in.rawPlan.digests[i] = shorten(p.Digest)
		}
		if doc.Body != nil {
			in.doc = feed.DigestOf(doc.Body)
		}
	}
	live := s.live()
	in.volume = live.number
	guess := make([]sighting, len(in.batch.Drafts))
	var haveDoc bool
	var stored []bool
	err := s.viewCatalog(func(c *catalogTx) error {
		num := uint32(0)
		if src := c.source(in.source); src != nil {
			num = src.num
		}
		if doc != nil && doc.Body != nil {
			haveDoc = c.b[bDocs].Get(shortRow(num, shorten(in.doc))) != nil
			stored = make([]bool, len(doc.Parts))
			for i, d := range in.rawPlan.digests {
				p, _ := c.part(num, d)
				stored[i] = p.seq > 0
			}
		}
		for i := range in.batch.Drafts {
			var err error
			if guess[i], err = c.find(num, &in.batch.Drafts[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i := range in.batch.Drafts {
		d := &in.batch.Drafts[i]
		if g := &guess[i]; in.batch.Reparsed && !g.id.IsZero() && !g.row.takenDown {
			if g.same, err = s.sameEntry(g.row.last, d); err != nil {
				return err
			}
		}
		if guess[i].same {
			if guess[i].row.takenDown && d.Part >= 0 && doc.Body != nil {
				stored[d.Part] = true
			}
			continue
		}
		if g := &guess[i]; !g.id.IsZero() && !in.batch.Reparsed {
			r := &in.drafts[i]
			if err := s.weigh(r, d, g.row.last); err != nil {
				return err
			}
			if r.name = r.apart; r.name != nil {
				g.id = feed.ItemID{} // or another one, which may be packed whole
			}
		}
		base := uint64(0)
		if !guess[i].id.IsZero() && guess[i].row.revisions%wholeEvery != 0 {
			base = guess[i].row.last
		}
		in.packDraft(i, live, base)
		if d.Part >= 0 && doc.Body != nil {
			stored[d.Part] = true
			for j, p := range in.rawPlan.digests { // the same bytes twice in one document
				stored[j] = stored[j] || p == in.rawPlan.digests[d.Part]
			}
		}
	}
	if doc != nil && doc.Body != nil && !haveDoc {
		in.packRaw(live, stored)
	}
	return nil
}

// compare says whether a draft is a trivial change to a version, or another post.
func (r *ready) compare(d *store.Draft, was *feed.Entry) {
	r.apart = nil
	if d.Apart != nil {
		r.apart = d.Apart(was)
	}
	r.trivial = r.apart == nil && d.Trivial != nil && d.Trivial(was)
}

// weigh compares a draft with the version in a record.
func (s *Store) weigh(r *ready, d *store.Draft, last uint64) error {
	r.against, r.trivial, r.apart = last, false, nil
	if d.Trivial == nil && d.Apart == nil {
		return nil
	}
	v, err := s.volume(last)
	if err != nil {
		return err
	}
	_, f, err := v.read(last)
	if err != nil {
		return s.passing(err)
	}
	plain, err := v.plain(last, f)
	if err != nil || plain == nil {
		return s.passing(err)
	}
	was, err := decodeBody(plain)
	if err != nil {
		return damaged(v.at(last), err)
	}
	r.compare(d, &was.entry)
	return nil
}

// sameEntry reports whether the entry of a record is that of a draft in all its
// fields, or was read from other bytes, which are newer then. What was repaired on
// the way is no field: words for it change.
func (s *Store) sameEntry(seq uint64, d *store.Draft) (bool, error) {
	v, err := s.volume(seq)
	if err != nil {
		return false, err
	}
	h, f, err := v.read(seq)
	if err != nil {
		return false, s.passing(err)
	}
	plain, err := v.plain(seq, f)
	if err != nil || plain == nil {
		return false, s.passing(err)
	}
	old, err := decodeBody(plain)
	if err != nil {
		return false, damaged(v.at(seq), err)
	}
	old.entry.Bytes = h.bytesOr(old.entry.Bytes)
	now := d.Entry
	if old.entry.Bytes != now.Bytes {
		return true, nil
	}
	old.entry.Repairs, now.Repairs = nil, nil
	return bytes.Equal(encode(&old.entry, entryFields), encode(&now, entryFields)), nil
}

// wholeEvery: so often a revision is kept whole, not as a difference to the one before.
const wholeEvery = 16

// packDraft packs the body of draft i for a volume; base is the record of the
// revision before, to be kept as the difference to it, or 0.
func (in *intake) packDraft(i int, v *volume, base uint64) {
	d := &in.batch.Drafts[i]
	b := body{native: d.Native, method: d.Method, entry: d.Entry}
	b.entry.Bytes = feed.Digest{} // the header has it: noise, which packs badly
	r := &in.drafts[i]
	if r.name != nil {
		b.native, b.method = r.name.Native, r.name.Method
	}
	if doc := in.batch.Document; d.Part >= 0 && doc.Body != nil {
		p := doc.Parts[d.Part]
		b.recipe = cut(doc.Body[p.Start:p.End], &d.Entry)
		r.kept = true
	}
	plain := b.encode()
	if base >= v.first && base > 0 && len(plain) >= leastBase {
		if _, f, err := v.read(base); err == nil {
			if old, err := v.plain(base, f); err == nil && len(old) >= leastBase {
				if p, digest, ok := packDelta(plain, old, base); ok {
					r.pack, r.content = p, digest
					return
				}
			}
		}
	}
	r.pack, r.content = pack(plain, v.dictionary())
}

func (v *volume) dictionary() *coders {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.dicts[v.newest]
}

// packRaw packs the record of a document whose parts are kept elsewhere where
// stored says so.
func (in *intake) packRaw(v *volume, stored []bool) {
	doc := in.batch.Document
	in.rawPlan.inline = nil
	var recipe []byte
	literal := func(b []byte) {
		if len(b) > 0 {
			recipe = binary.AppendUvarint(append(recipe, opBytes), uint64(len(b)))
			recipe = append(recipe, b...)
		}
	}
	pos := 0
	var spans []byte
	inlined := map[short]bool{}
	for i, p := range doc.Parts {
		literal(doc.Body[pos:p.Start])
		spans = binary.AppendUvarint(spans, uint64(p.Start-pos))
		spans = binary.AppendUvarint(spans, uint64(p.End-p.Start))
		pos = p.End
		recipe = binary.AppendUvarint(append(recipe, opPart), uint64(i))
		if d := in.rawPlan.digests[i]; !stored[i] && !inlined[d] {
			inlined[d] = true
			in.rawPlan.inline = append(in.rawPlan.inline, i)
		}
	}
	literal(doc.Body[pos:])
	r := rawBody{doc: doc, from: in.batch.From, spans: spans, recipe: recipe}
	for _, i := range in.rawPlan.inline {
		r.inline = append(r.inline, doc.Body[doc.Parts[i].Start:doc.Parts[i].End])
	}
	in.raw, in.content = pack(r.encode(), v.dictionary())
}

// rawBody is the plain body of a raw record.
type rawBody struct {
	doc    *store.Document // without Source, Body and Parts
	from   string
	spans  []byte   // of the parts
	recipe []byte   // of the document
	inline [][]byte // parts that are kept here, in the order of the header's field 23
}

func (r *rawBody) fields(c *coder) {
	c.str(1, &r.doc.URL)
	c.str(2, &r.doc.MediaType)
	c.number(3, &r.doc.Status)
	c.str(4, &r.doc.ETag)
	c.str(5, &r.doc.Modified)
	c.time(6, &r.doc.Received)
	c.strs(7, &r.doc.Repairs)
	c.str(10, &r.from)
}

func (r *rawBody) encode() []byte {
	var c coder
	doc := *r.doc
	cp := *r
	cp.doc = &doc
	cp.fields(&c)
	b := c.out
	if len(r.spans) > 0 {
		b = putField(b, 8, r.spans)
	}
	b = putField(b, 9, r.recipe)
	for _, p := range r.inline {
		b = putField(b, 11, p)
	}
	return b
}

func decodeRaw(plain []byte) (rawBody, error) {
	r := rawBody{doc: &store.Document{}}
	c := coder{reading: true}
	err := fields(plain, func(tag uint64, v []byte) error {
		switch tag {
		case 8:
			r.spans = v
		case 9:
			r.recipe = v
		case 11:
			r.inline = append(r.inline, v)
		default:
			c.tag, c.val = tag, v
			r.fields(&c)
		}
		return nil
	})
	return r, err
}
