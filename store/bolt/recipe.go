package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"chancery/feed"
)

// Operations of a recipe: how bytes are made of others that are kept anyway.
const (
	opBytes = 0 // these bytes
	opField = 1 // a text of the same record's entry, escaped
	opPart  = 2 // a part of the same document, by its number
)

// Texts of an entry that its own bytes may repeat.
const (
	fieldContent = 1
	fieldSummary = 2
	fieldTitle   = 3
	// What else varies from entry to entry, so that the rest is the same in all
	// entries of a feed, and packs to next to nothing.
	fieldID        = 4
	fieldURL       = 5
	fieldPublished = 6 // as written
	fieldUpdated   = 7 // as written
	fieldAuthor    = 8 // the first one's name
)

func fieldText(e *feed.Entry, field int) string {
	switch field {
	case fieldContent:
		return e.Content.Value
	case fieldSummary:
		return e.Summary.Value
	case fieldTitle:
		return e.Title.Value
	case fieldID:
		return e.ID
	case fieldURL:
		return e.URL
	case fieldPublished:
		return e.Published.Raw
	case fieldUpdated:
		return e.Updated.Raw
	case fieldAuthor:
		if len(e.Authors) > 0 {
			return e.Authors[0].Name
		}
	}
	return ""
}

// leastCut and leastShort: a shorter text, or another field, is not worth an operation.
const (
	leastCut   = 24
	leastShort = 6
)

// cut makes the recipe of an entry's own bytes: where they repeat one of the
// entry's texts, verbatim or escaped, the text is referred to.
func cut(own []byte, e *feed.Entry) []byte {
	type place struct {
		start, end    int
		field, escape int
	}
	var places []place
	var s []byte
	for field := fieldContent; field <= fieldAuthor; field++ {
		text := fieldText(e, field)
		if len(text) < leastShort || field <= fieldTitle && len(text) < leastCut || field == fieldSummary && text == e.Content.Value {
			continue
		}
		// The first bytes decide which escapings are worth making of the whole.
		probe := text[:strings.LastIndexByte(text[:min(len(text), 64)], ' ')+1]
		for i := range escapes {
			if s = escape(s[:0], i, probe); !bytes.Contains(own, s) {
				continue
			}
			s = escape(s[:0], i, text)
			if i > 0 && string(s) == text {
				continue // nothing to escape: it is the verbatim one
			}
			// Where it stands in a text that was found before, as a summary does in the
			// content that it begins, it is looked for behind.
			at, from := bytes.Index(own, s), 0
			for at >= 0 {
				in := slices.IndexFunc(places, func(p place) bool { return at < p.end && at+len(s) > p.start })
				if in < 0 {
					break
				}
				from = places[in].end
				if at = bytes.Index(own[from:], s); at >= 0 {
					at += from
				}
			}
			if at >= 0 {
				places = append(places, place{at, at + len(s), field, i})
				break
			}
			if from > 0 {
				break
			}
		}
	}
	out := make([]byte, 0, 256)
	literal := func(b []byte) {
		if len(b) > 0 {
			out = binary.AppendUvarint(append(out, opBytes), uint64(len(b)))
			out = append(out, b...)
		}
	}
	pos := 0
	for len(places) > 0 {
		first := 0
		for i := range places {
			if places[i].start < places[first].start {
				first = i
			}
		}
		p := places[first]
		literal(own[pos:p.start])
		out = append(out, opField, byte(p.field), byte(p.escape))
		pos = p.end
		places = append(places[:first], places[first+1:]...)
	}
	literal(own[pos:])
	return out
}

// operation is one of a recipe.
type operation struct {
	op            byte
	bytes         []byte // opBytes
	field, escape byte   // opField
	part          int    // opPart
}

// takeOperation reads an operation from the front of a recipe.
func takeOperation(recipe []byte) (o operation, rest []byte, err error) {
	o.op, rest = recipe[0], recipe[1:]
	switch o.op {
	case opBytes:
		o.bytes, rest, err = takeBytes(rest)
	case opField:
		if len(rest) < 2 || int(rest[1]) >= escapes {
			return o, nil, errShort
		}
		o.field, o.escape, rest = rest[0], rest[1], rest[2:]
	case opPart:
		var i uint64
		if i, rest, err = takeUvarint(rest); i > maxBody {
			return o, nil, fmt.Errorf("recipe names part %d", i)
		}
		o.part = int(i)
	default:
		err = fmt.Errorf("recipe has operation %d", o.op)
	}
	return o, rest, err
}

var errTooMuch = errors.New("recipe makes too much")

// cook gives the bytes of a document's recipe, piece by piece; part gives those of its parts.
func cook(recipe []byte, part func(i int) ([]byte, error), piece func(b []byte)) error {
	size := 0
	for len(recipe) > 0 {
		o, rest, err := takeOperation(recipe)
		switch {
		case err != nil:
		case o.op == opPart:
			o.bytes, err = part(o.part)
		case o.op == opField:
			err = errors.New("recipe of a document names a text")
		}
		if size += len(o.bytes); err == nil && size > maxBody {
			err = errTooMuch
		}
		if err != nil {
			return err
		}
		piece(o.bytes)
		recipe = rest
	}
	return nil
}

// ownBytes appends an entry's own bytes to dst, as the recipe in the plain body of its
// record makes them.
func ownBytes(dst, plain []byte) ([]byte, error) {
	var t texts
	var recipe []byte
	err := fields(plain, func(tag uint64, v []byte) error {
		switch tag {
		case 3:
			t.read(v)
		case 4:
			recipe = v
		}
		return nil
	})
	for err == nil && len(recipe) > 0 {
		var o operation
		if o, recipe, err = takeOperation(recipe); err != nil {
			break
		}
		switch {
		case o.op == opBytes:
			dst = append(dst, o.bytes...)
		case o.op == opField && o.field > 0 && int(o.field) < len(t):
			dst = escape(dst, int(o.escape), t[o.field])
		case o.op == opField:
			err = fmt.Errorf("recipe names text %d", o.field)
		default:
			err = errors.New("recipe of an entry names a part")
		}
		if len(dst) > maxBody {
			err = errTooMuch
		}
	}
	if err != nil {
		return nil, err
	}
	return dst, nil
}

// texts are those of fieldText, by their numbers, where they stand in the message of
// an entry: what entryFields would read, without its copies.
type texts [fieldAuthor + 1][]byte

func (t *texts) read(entry []byte) {
	authors := 0
	_ = fields(entry, func(tag uint64, v []byte) error { // a damaged end: as in decode
		switch tag {
		case 1:
			t[fieldID] = v
		case 3:
			t[fieldURL] = v
		case 4:
			t.within(fieldTitle, v, 2)
		case 5:
			t.within(fieldSummary, v, 2)
		case 6:
			t.within(fieldContent, v, 2)
		case 10:
			if authors++; authors == 1 {
				t.within(fieldAuthor, v, 1)
			}
		case 14:
			t.within(fieldPublished, v, 2)
		case 15:
			t.within(fieldUpdated, v, 2)
		}
		return nil
	})
}

// within reads a text that is a field of a nested message.
func (t *texts) within(field int, message []byte, tag uint64) {
	_ = fields(message, func(got uint64, v []byte) error {
		if got == tag {
			t[field] = v
		}
		return nil
	})
}
