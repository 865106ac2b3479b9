package index

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf8"

	"chancery/feed/query"
	"chancery/store"
)

const (
	// snippetBytes is how long a piece of text is at least, if there is so much:
	// three lines of a page in Latin script.
	snippetBytes = 280
	lead         = 60 // bytes before the first place that matched
	cutWithin    = 40 // bytes within which a space to cut at is looked for
)

// snippets fills in what stands around the places that matched.
func (s *search) snippets(ctx context.Context, shown []uint32) error {
	if err := s.read(ctx, shown); err != nil {
		return err
	}
	for i, n := range shown {
		d := s.items[n]
		if d == nil {
			continue // taken down since
		}
		var found query.Match
		if s.q != nil {
			found, _ = s.q.Match(d.doc, s.now)
		}
		h := &s.page.Hits[i]
		h.Title = snippet(d.doc.Field(query.Title), marks(found.Evidence, query.Title), 0)
		h.Text = snippet(d.doc.Field(query.Text), marks(found.Evidence, query.Text), snippetBytes)
	}
	return nil
}

type mark struct {
	from, to int
	term     *query.Term
}

// marks are the places of a field that count for a match, in order and apart.
func marks(evidence []query.Evidence, f query.Field) []mark {
	var out []mark
	for _, e := range evidence {
		if e.Field != f || e.Weight < 0 {
			continue
		}
		if k := len(out) - 1; k >= 0 && e.Start < out[k].to {
			out[k].to = max(out[k].to, e.End)
			continue
		}
		out = append(out, mark{e.Start, e.End, e.Term})
	}
	return out
}

// snippet cuts the piece that has places of the most terms; length 0 is all.
func snippet(text string, found []mark, length int) store.Snippet {
	from, to := 0, len(text)
	if length > 0 && len(text) > length {
		from, to = window(text, found, length)
	}
	out := store.Snippet{Text: text[from:to], Before: from > 0, After: to < len(text)}
	for _, m := range found {
		if m.from >= from && m.to <= to {
			out.Marks = append(out.Marks, [2]int{m.from - from, m.to - from})
		}
	}
	return out
}

func window(text string, found []mark, length int) (from, to int) {
	best, start := -1, 0
	for i, m := range found {
		terms := map[*query.Term]bool{}
		n := 0
		for _, o := range found[i:] {
			if o.to > m.from-lead+length {
				break
			}
			n++
			terms[o.term] = true
		}
		if score := len(terms)*1000 + min(n, 999); score > best {
			best, start = score, m.from
		}
	}
	end := start // of the first place, which must not be cut
	for _, m := range found {
		if m.from == start {
			end = m.to
		}
	}
	from = forward(text, max(0, min(start-lead, len(text)-length)), start)
	to = backward(text, min(len(text), max(from+length, end)), max(end, from))
	return from, to
}

// forward moves a cut to after a space close by, or at least between characters.
func forward(text string, at, limit int) int {
	if at == 0 {
		return 0
	}
	for at < limit && !utf8.RuneStart(text[at]) {
		at++
	}
	if i := strings.IndexFunc(text[at:min(limit, at+cutWithin)], unicode.IsSpace); i >= 0 {
		_, n := utf8.DecodeRuneInString(text[at+i:])
		return at + i + n
	}
	return at
}

// backward is forward for the end.
func backward(text string, at, limit int) int {
	if at == len(text) {
		return at
	}
	for at > limit && !utf8.RuneStart(text[at]) {
		at--
	}
	if i := strings.LastIndexFunc(text[max(limit, at-cutWithin):at], unicode.IsSpace); i >= 0 {
		return max(limit, at-cutWithin) + i
	}
	return at
}
