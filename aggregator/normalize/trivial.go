package normalize

import (
	"bytes"
	"regexp"
	"slices"
	"unicode"
	"unicode/utf8"

	"chancery/feed"
	"chancery/feed/text"
)

// Trivial reports whether a version of a post says what the one before said, so that
// readers need not be told (RFC 4287 §4.2.15: a change that is not significant). Both
// versions are kept all the same. It is trivial when nothing differs but
//
//   - typography: case, punctuation, quotation marks, hyphens, diacritics, how words
//     are joined; markup; categories;
//   - numbers beside a word for comments, views, likes, shares or ages (PEERS part 5, 56);
//   - a line that blog software puts behind posts ("The post … appeared first on …");
//   - at most two misspelled words: one letter more, less, other, or two exchanged, in
//     words of six letters or more with the same first letter.
//
// Any other number or short word is substance: "20" and "30", "Iran" and "Iraq",
// "now" and "not". So are the address, links, authors and enclosures.
func Trivial(was, is *feed.Entry) bool {
	if canonicalOr(was.URL) != canonicalOr(is.URL) || !sameLists(was, is) {
		return false
	}
	a, b := PlainOf(was), PlainOf(is)
	typos := maxTypos
	return alike(a.Title, b.Title, &typos) && alike(a.Summary, b.Summary, &typos) && alike(a.Content, b.Content, &typos)
}

// maxTypos is how many words may have been corrected.
const maxTypos = 2

// sameLists reports whether links, authors and enclosures agree.
func sameLists(was, is *feed.Entry) bool {
	lists := func(e *feed.Entry) (links, rest []string) {
		for _, t := range []feed.Text{e.Summary, e.Content} {
			if t.Type == feed.HTML || t.Type == feed.XHTML {
				links = append(links, targets(t.Value)...)
			}
		}
		for _, a := range e.Authors {
			if !a.Inherited {
				rest = append(rest, fold(a.Name))
			}
		}
		for _, en := range e.Enclosures {
			rest = append(rest, canonicalOr(en.URL))
		}
		return links, rest
	}
	la, ra := lists(was)
	lb, rb := lists(is)
	return slices.Equal(la, lb) && slices.Equal(ra, rb)
}

// behind is what blog software puts at the end of posts.
var behind = regexp.MustCompile(`(?is)\s*(The post .{1,300} appeared first on .{1,200}\.?|Continue reading.{0,300}|Read (more|the rest).{0,200}|\[(…|\.\.\.)\]|Share this:.{0,200})\s*$`)

// withoutBehind looks only at the end: a long text costs no more.
func withoutBehind(s string) string {
	cut := max(0, len(s)-600)
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	if at := behind.FindStringIndex(s[cut:]); at != nil {
		return s[:cut+at[0]]
	}
	return s
}

// alike reports whether two texts say the same; corrected words are taken from typos.
func alike(was, is string, typos *int) bool {
	if was == is {
		return true
	}
	a, b := text.NewRow(withoutBehind(was)), text.NewRow(withoutBehind(is))
	if len(a.Words) != len(b.Words) { // joined or parted words
		return bytes.Equal(bytes.ReplaceAll(a.Folded(), []byte{' '}, nil), bytes.ReplaceAll(b.Folded(), []byte{' '}, nil))
	}
	for i := range a.Words {
		x, y := a.Word(i), b.Word(i)
		switch {
		case bytes.Equal(x, y):
		case number(x) && number(y) && counted(a, i) && counted(b, i):
		case misspelled(x, y) && *typos > 0:
			*typos--
		default:
			return false
		}
	}
	return true
}

func number(w []byte) bool {
	for _, r := range string(w) {
		if !unicode.IsDigit(r) {
			return false
		}
	}
	return len(w) > 0
}

// counters are words, folded, beside which a number is a counter's or an age.
var counters = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range []string{
		"comment", "comments", "reply", "replies", "response", "responses", "view", "views", "read", "reads", "reader", "readers",
		"hit", "hits", "visit", "visits", "visitor", "visitors", "like", "likes", "share", "shares", "vote", "votes", "retweets", "reactions", "ago",
		"kommentar", "kommentare", "aufrufe", "commentaire", "commentaires", "vues", "comentario", "comentarios", "visitas", "commenti", "reacties",
		"комментарий", "комментария", "комментариев", "просмотров", "تعليق", "تعليقات", "مشاهدة", "نظر", "نظرات", "بازدید", "yorum", "תגובות",
	} {
		m[text.Fold(w)] = true
	}
	return m
}()

// counted reports whether a word within two of word i counts something.
func counted(r *text.Row, i int) bool {
	for j := max(0, i-2); j <= min(len(r.Words)-1, i+2); j++ {
		if j != i && counters[string(r.Word(j))] {
			return true
		}
	}
	return false
}

// misspelled reports whether one word is the other with one slip of the hand.
func misspelled(x, y []byte) bool {
	a, b := []rune(string(x)), []rune(string(y))
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(a) < 6 || len(b)-len(a) > 1 || a[0] != b[0] {
		return false
	}
	if slices.ContainsFunc(b, unicode.IsDigit) {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	switch {
	case len(a) < len(b):
		return slices.Equal(a[i:], b[i+1:])
	case i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i]:
		return slices.Equal(a[i+2:], b[i+2:])
	}
	return slices.Equal(a[i+1:], b[i+1:])
}
