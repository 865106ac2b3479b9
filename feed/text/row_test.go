package text

import (
	"strings"
	"testing"
)

// A row says of a text what Scan, Tokens and Fold say, whatever it held before.
func TestRow(t *testing.T) {
	r := &Row{}
	for _, s := range []string{
		"", "  ", "one", "Two words.", "Straße und Mojāhedin-e Khalq, 2024!", "й и\u0306 ＡＢＣ ﷺ", "イラン、伊朗",
		"\u200b \u200bx", "a\xffb \u0301", strings.Repeat("long ", 5000), "خانهٔ می\u200cروم ١٢٣", "x",
	} {
		r.Set(s)
		if got, want := string(r.Folded()), Fold(s); got != want {
			t.Errorf("Folded of %q is %q, Fold %q", s, got, want)
		}
		want, _ := Scan(s, 0, make([]Word, 0, len(s)+1))
		tokens := Tokens(s)
		if len(r.Words) != len(want) || len(tokens) != len(want) {
			t.Fatalf("%q has %d words, Scan finds %d, Tokens %d", s, len(r.Words), len(want), len(tokens))
		}
		for i, w := range want {
			if r.Words[i] != w || string(r.Word(i)) != tokens[i].Text {
				t.Errorf("word %d of %q is %+v %q, want %+v %q", i, s, r.Words[i], r.Word(i), w, tokens[i].Text)
			}
		}
	}
}

func FuzzRow(f *testing.F) {
	f.Add("Two words, é и\u0306")
	f.Fuzz(func(t *testing.T, s string) {
		r := NewRow(s)
		if string(r.Folded()) != Fold(s) {
			t.Errorf("Folded of %q is %q, Fold %q", s, r.Folded(), Fold(s))
		}
		tokens := Tokens(s)
		if len(tokens) != len(r.Words) {
			t.Fatalf("%d words, %d tokens", len(r.Words), len(tokens))
		}
		for i, k := range tokens {
			if r.Words[i].Start != k.Start || r.Words[i].End != k.End || string(r.Word(i)) != k.Text {
				t.Errorf("word %d of %q is %+v %q, token %+v", i, s, r.Words[i], r.Word(i), k)
			}
		}
	})
}
