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

func fieldText(e *feed.Entry, field uint64) (string, bool) {
	switch field {
	case fieldContent:
		return e.Content.Value, true
	case fieldSummary:
		return e.Summary.Value, true
	case fieldTitle:
		return e.Title.Value, true
	case fieldID:
		return e.ID, true
	case fieldURL:
		return e.URL, true
	case fieldPublished:
		return e.Published.Raw, true
	case fieldUpdated:
		return e.Updated.Raw, true
	case fieldAuthor:
		if len(e.Authors) > 0 {
			return e.Authors[0].Name, true
		}
		return "", true
	}
	return "", false
}

// escapers are the ways in which publishers write a text into a document, in the
// order of their numbers in the format.
var escapers = []func(string) string{
	func(s string) string { return s },
	strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace,
	strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace,
	strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;").Replace,
	strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#39;").Replace,
	strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&apos;").Replace,
	func(s string) string { return jsonString(s, false, false, false) },
	func(s string) string { return jsonString(s, true, false, false) },
	func(s string) string { return jsonString(s, false, true, false) },
	func(s string) string { return jsonString(s, false, false, true) },
}

// jsonString is s inside a JSON string: with \/, with <, > and & as \u003c…, with
// all that is not ASCII as \u….
func jsonString(s string, slash, html, ascii bool) string {
	const hex = "0123456789abcdef"
	b := make([]byte, 0, len(s)+len(s)/8)
	u16 := func(n uint32) {
		b = append(b, '\\', 'u', hex[n>>12&15], hex[n>>8&15], hex[n>>4&15], hex[n&15])
	}
	for _, r := range s {
		switch {
		case r == '"' || r == '\\' || (slash && r == '/'):
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, '\\', 'n')
		case r == '\r':
			b = append(b, '\\', 'r')
		case r == '\t':
			b = append(b, '\\', 't')
		case r < 0x20, html && (r == '<' || r == '>' || r == '&'):
			u16(uint32(r))
		case html && (r == 0x2028 || r == 0x2029):
			u16(uint32(r))
		case r < 0x80 || !ascii:
			b = append(b, string(r)...)
		case r < 0x10000:
			u16(uint32(r))
		default:
			r -= 0x10000
			u16(0xd800 + uint32(r>>10))
			u16(0xdc00 + uint32(r&0x3ff))
		}
	}
	return string(b)
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
	for field := fieldContent; field <= fieldAuthor; field++ {
		text, _ := fieldText(e, uint64(field))
		if len(text) < leastShort || field <= fieldTitle && len(text) < leastCut || field == fieldSummary && text == e.Content.Value {
			continue
		}
		// The first bytes decide which escapings are worth making of the whole.
		probe := text[:strings.LastIndexByte(text[:min(len(text), 64)], ' ')+1]
		for i, esc := range escapers {
			if probe != "" && !bytes.Contains(own, []byte(esc(probe))) {
				continue
			}
			s := esc(text)
			if i > 0 && s == text {
				continue // nothing to escape: it is the verbatim one
			}
			// Where it stands in a text that was found before, as a summary does in the
			// content that it begins, it is looked for behind.
			at, from := bytes.Index(own, []byte(s)), 0
			for at >= 0 {
				in := slices.IndexFunc(places, func(p place) bool { return at < p.end && at+len(s) > p.start })
				if in < 0 {
					break
				}
				from = places[in].end
				if at = bytes.Index(own[from:], []byte(s)); at >= 0 {
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

// cook makes the bytes of a recipe. entry is that of the same record, part gives
// the bytes of a part; either may be nil where the recipe has no use for it.
func cook(recipe []byte, entry *feed.Entry, part func(i int) ([]byte, error)) ([]byte, error) {
	var out []byte
	if entry != nil { // most recipes are an entry's texts and little else
		out = make([]byte, 0, len(recipe)+len(entry.Content.Value)+len(entry.Content.Value)/16+len(entry.Summary.Value)+256)
	}
	for len(recipe) > 0 {
		op := recipe[0]
		recipe = recipe[1:]
		switch op {
		case opBytes:
			b, rest, err := takeBytes(recipe)
			if err != nil {
				return nil, err
			}
			out, recipe = append(out, b...), rest
		case opField:
			if len(recipe) < 2 || entry == nil || int(recipe[1]) >= len(escapers) {
				return nil, errShort
			}
			text, ok := fieldText(entry, uint64(recipe[0]))
			if !ok {
				return nil, fmt.Errorf("recipe names text %d", recipe[0])
			}
			out, recipe = append(out, escapers[recipe[1]](text)...), recipe[2:]
		case opPart:
			i, rest, err := takeUvarint(recipe)
			if err != nil {
				return nil, err
			}
			if part == nil {
				return nil, errors.New("recipe names a part")
			}
			b, err := part(int(i))
			if err != nil {
				return nil, err
			}
			out, recipe = append(out, b...), rest
		default:
			return nil, fmt.Errorf("recipe has operation %d", op)
		}
		if len(out) > maxBody {
			return nil, errors.New("recipe makes too much")
		}
	}
	return out, nil
}
