package web

import (
	"errors"
	"strings"
	"unicode/utf8"

	"chancery/feed/query"
	"chancery/store"
)

// fault shows where a query is wrong.
type fault struct {
	Before, At, After string // the query around the place; At may be empty: the end
	Message           string
}

// faultOf describes what is wrong with a query as written; q is what was understood
// of it, or nil. It is nil if err is not about the query.
func faultOf(written string, q *query.Query, err error) *fault {
	if e, ok := errors.AsType[*query.SyntaxError](err); ok {
		f := place(written, e.Offset)
		f.Message = "Found " + e.Found + ", expected " + e.Want + "."
		return f
	}
	if e, ok := errors.AsType[*store.CostError](err); ok && !e.Busy {
		f := &fault{Message: "This takes " + e.What + ". Make it narrower, by a longer word, a date or a topic."}
		if e.Part != "" && q != nil {
			at := place(q.String(), e.Offset)
			at.Message = f.Message
			f = at
		}
		return f
	}
	return nil
}

// shown is how much of a query is shown on each side of a fault, in bytes.
const shown = 120

func place(s string, at int) *fault {
	at = max(0, min(at, len(s)))
	end := at
	for end < len(s) {
		r, n := utf8.DecodeRuneInString(s[end:])
		if end > at && strings.ContainsRune(" \t\n()", r) || end-at > shown {
			break
		}
		end += n
	}
	from, to := max(0, at-shown), min(len(s), end+shown)
	for from > 0 && !utf8.RuneStart(s[from]) {
		from--
	}
	for to < len(s) && !utf8.RuneStart(s[to]) {
		to++
	}
	clean := func(s string) string { return strings.ToValidUTF8(plainLine(s), "\uFFFD") }
	f := &fault{Before: clean(s[from:at]), At: clean(s[at:end]), After: clean(s[end:to])}
	if from > 0 {
		f.Before = "…" + f.Before
	}
	if to < len(s) {
		f.After += "…"
	}
	return f
}
