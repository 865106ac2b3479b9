package normalize

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"chancery/feed"
	"chancery/feed/text"
)

// Trivial reports whether a version of a post says what the one before said, so that
// readers need not be told (RFC 4287 §4.2.15: a change that is not significant). Both
// versions are kept all the same. It is trivial when nothing differs but
//
//   - whether the feed carries the beginning of the text beside it;
//   - typography: case, punctuation, quotation marks, hyphens, diacritics, how words
//     are joined; markup; categories;
//   - numbers of comments, views, likes and shares, and ages, which make no version by
//     themselves (see [Version]); pictures;
//   - a line that blog software puts behind posts ("The post … appeared first on …");
//   - at most two misspelled words: one letter more, less, other, or two exchanged, in
//     words of six letters or more with the same first letter.
//
// Any other number or short word is substance: "20" and "30", "Iran" and "Iraq",
// "now" and "not". So are the address, links, authors and enclosures; but https, a "www."
// or a slash at the end of an address are not.
func Trivial(was, is *feed.Entry) bool {
	if addressOr(was.URL) != addressOr(is.URL) || !sameLists(was, is) {
		return false
	}
	a, b := PlainOf(was), PlainOf(is)
	typos := maxTypos
	return alike(a.Title, b.Title, &typos) && alike(a.Body(), b.Body(), &typos) && sameBeside(a, b, &typos)
}

// sameBeside compares what stands beside the bodies. A beginning of the body says nothing
// by itself: feeds begin to carry one, or cease to.
func sameBeside(a, b Plain, typos *int) bool {
	was, is := a.beside(), b.beside()
	return beginsWith(a.Body(), was) && beginsWith(b.Body(), is) || alike(was, is, typos)
}

// beside is the shorter of summary and content.
func (p Plain) beside() string {
	if len(p.Summary) > len(p.Content) {
		return p.Content
	}
	return p.Summary
}

// beginsWith reports whether a text begins with the words of another.
func beginsWith(body, excerpt string) bool {
	words := text.Fold(withoutBehind(excerpt))
	if words == "" {
		return true
	}
	rest, ok := strings.CutPrefix(text.Fold(body[:min(len(body), 2*len(excerpt)+100)]), words)
	return ok && (rest == "" || rest[0] == ' ')
}

// maxTypos is how many words may have been corrected.
const maxTypos = 2

// addressOr is an address in the form in which a move to https is none, or what is no
// address as it is.
func addressOr(raw string) string {
	if a := Address(raw); a != "" {
		return a
	}
	return raw
}

// sameLists reports whether links, authors and enclosures agree.
func sameLists(was, is *feed.Entry) bool {
	lists := func(e *feed.Entry) (links, rest []string) {
		for _, t := range []feed.Text{e.Summary, e.Content} {
			if t.Type == feed.HTML || t.Type == feed.XHTML {
				for _, l := range targets(t.Value) {
					links = append(links, addressOr(l))
				}
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
	a, b := text.NewRow(steady(withoutBehind(was))), text.NewRow(steady(withoutBehind(is)))
	if len(a.Words) != len(b.Words) { // joined or parted words
		return bytes.Equal(bytes.ReplaceAll(a.Folded(), []byte{' '}, nil), bytes.ReplaceAll(b.Folded(), []byte{' '}, nil))
	}
	for i := range a.Words {
		x, y := a.Word(i), b.Word(i)
		switch {
		case bytes.Equal(x, y):
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
