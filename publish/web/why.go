package web

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"chancery/feed"
	"chancery/feed/query"
	"chancery/publish/render"
)

// reasons is why an item has a topic.
type reasons struct {
	ID, Label string
	About     bool
	Manual    bool
	Score     float64
	Threshold float64 // from which score on it mentions the topic, or is about it; 0 is not known
	// Stale: today's rule would not tag it; the tag is of an older one, or the rule is
	// gone.
	Stale bool
	Found []evidence
	More  int // places that are not listed

	terms []*query.Term
}

// evidence is a term that counted, with the first place where it stands.
type evidence struct {
	Term                string
	Count               int
	Field               string
	Before, Hit, After  string
	OpenLeft, OpenRight bool // there is more text on that side
	Points              float64
}

// Bounds of what a page tells of evidence: nobody reads more.
const (
	maxEvidence   = 8
	evidenceBytes = 60 // of context on each side
)

// why recomputes the evidence of an item's topics from the rules in force: the archive
// keeps the verdict alone.
func (s *Server) why(d *query.Doc, it *feed.Item, topics []render.Topic) []*reasons {
	manual := map[feed.TopicID]bool{}
	for _, t := range it.Topics {
		manual[t.Topic] = t.Manual
	}
	var out []*reasons
	for _, t := range topics {
		w := &reasons{ID: string(t.ID), Label: t.Label, About: t.About, Score: t.Score, Manual: manual[t.ID]}
		out = append(out, w)
		rule := s.lib.Rule(t.ID)
		if rule == nil {
			w.Stale = !w.Manual
			continue
		}
		if w.Threshold = rule.Threshold; w.About {
			w.Threshold = rule.About
		}
		// A rule has no relative dates, so there is no present.
		m, ok := rule.Query.Match(d, time.Time{})
		if !ok || m.Score < rule.Threshold {
			w.Stale = !w.Manual
			continue
		}
		w.explain(d, m.Evidence)
	}
	return out
}

// explain lists the terms that counted, those that gave most first.
func (w *reasons) explain(d *query.Doc, list []query.Evidence) {
	at := map[*query.Term]int{}
	for _, ev := range list {
		if ev.Points <= 0 {
			continue
		}
		i, ok := at[ev.Term]
		if !ok {
			i = len(w.Found)
			at[ev.Term] = i
			before, hit, after := d.Snippet(ev.Place, evidenceBytes)
			text := d.Field(ev.Field)
			w.Found = append(w.Found, evidence{
				Term: ev.Term.String(), Field: fieldName(ev.Field), Before: folded(before), Hit: folded(hit), After: folded(after),
				OpenLeft: ev.Start-len(before) > 0, OpenRight: ev.End+len(after) < len(text),
			})
			w.terms = append(w.terms, ev.Term)
		}
		w.Found[i].Count++
		w.Found[i].Points += ev.Points
	}
	slices.SortStableFunc(w.Found, func(a, b evidence) int { return cmp.Compare(b.Points, a.Points) })
	if n := len(w.Found); n > maxEvidence {
		w.Found, w.More = w.Found[:maxEvidence], n-maxEvidence
	}
}

func fieldName(f query.Field) string {
	return map[query.Field]string{
		query.Title: "title", query.Text: "text", query.Author: "author", query.Source: "source", query.Category: "category", query.URL: "address",
	}[f]
}

// folded is s on one line, with a space at an end kept.
func folded(s string) string {
	f := strings.Join(strings.Fields(s), " ")
	if s != "" && f != "" {
		if strings.ContainsAny(s[:1], " \n\t") {
			f = " " + f
		}
		if strings.ContainsAny(s[len(s)-1:], " \n\t") {
			f += " "
		}
	}
	return f
}

// termsOf are the terms to mark: of one topic, or of "all".
func termsOf(why []*reasons, topic string) []*query.Term {
	var terms []*query.Term
	for _, w := range why {
		if topic == "all" || topic == w.ID {
			terms = append(terms, w.terms...)
		}
	}
	return terms
}

// spans are the places of terms in a text, in order and without overlap.
func spans(text string, terms []*query.Term, lang string) [][2]int {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	d := query.NewTextDoc("", text, lang)
	var list [][2]int
	for _, t := range terms {
		if t.Field != query.Anywhere && t.Field != query.Title && t.Field != query.Text {
			continue
		}
		for _, p := range d.Places(t) {
			if p.Field == query.Text {
				list = append(list, [2]int{p.Start, p.End})
			}
		}
	}
	slices.SortFunc(list, func(a, b [2]int) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(b[1], a[1])) })
	var out [][2]int
	for _, x := range list {
		if n := len(out); n > 0 && x[0] < out[n-1][1] {
			out[n-1][1] = max(out[n-1][1], x[1])
			continue
		}
		out = append(out, x)
	}
	return out
}

// markLine cuts a line at the places of terms.
func markLine(text string, terms []*query.Term, lang string) []piece {
	var out []piece
	at := 0
	for _, x := range spans(text, terms, lang) {
		if x[0] > at {
			out = append(out, piece{Text: text[at:x[0]]})
		}
		out = append(out, piece{Text: text[x[0]:x[1]], Mark: true})
		at = x[1]
	}
	if at < len(text) || len(out) == 0 {
		out = append(out, piece{Text: text[at:]})
	}
	return out
}

// markHTML puts mark elements around the places of terms in sanitized HTML. A phrase
// that markup divides is not marked.
func markHTML(markup string, terms []*query.Term, lang string) string {
	if len(terms) == 0 || markup == "" {
		return markup
	}
	nodes, err := html.ParseFragment(strings.NewReader(markup), &html.Node{Type: html.ElementNode, Data: "div", DataAtom: atom.Div})
	if err != nil {
		return markup
	}
	var b strings.Builder
	for _, n := range nodes {
		// A node without a parent cannot have siblings put before it.
		root := &html.Node{Type: html.ElementNode, Data: "div", DataAtom: atom.Div}
		root.AppendChild(n)
		markNode(root, terms, lang)
		for c := range root.ChildNodes() {
			if err := html.Render(&b, c); err != nil {
				return markup
			}
		}
	}
	return b.String()
}

// markNode marks in the texts below n.
func markNode(n *html.Node, terms []*query.Term, lang string) {
	var texts []*html.Node
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			texts = append(texts, d)
		}
	}
	for _, t := range texts {
		found := spans(t.Data, terms, lang)
		if len(found) == 0 {
			continue
		}
		at := 0
		put := func(s string) {
			if s != "" {
				t.Parent.InsertBefore(&html.Node{Type: html.TextNode, Data: s}, t)
			}
		}
		for _, x := range found {
			put(t.Data[at:x[0]])
			m := &html.Node{Type: html.ElementNode, Data: "mark", DataAtom: atom.Mark}
			m.AppendChild(&html.Node{Type: html.TextNode, Data: t.Data[x[0]:x[1]]})
			t.Parent.InsertBefore(m, t)
			at = x[1]
		}
		put(t.Data[at:])
		t.Parent.RemoveChild(t)
	}
}
