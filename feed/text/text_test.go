package text_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"chancery/feed/text"
)

// What readers take for the same word folds to the same text (PEERS part 5,
// number 70: folding comes before splitting).
func TestFold(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"Mojāhedin-e Khalq", "mojahedin e khalq"},
		{"mujahedin_e_khalq.jpg", "mujahedin e khalq jpg"},
		{"ايران", "ايران"},
		{"ایران", "ايران"},
		{"إيران", "ايران"},
		{"إيران", "ايران"},         // hamza below, decomposed
		{"ﺍﻳﺮﺍﻥ", "ايران"},         // presentation forms
		{"ایـــران", "ايران"},      // tatweel
		{"اِیران", "ايران"},        // harakat
		{"کتاب\u200cها", "كتابها"}, // zero-width non-joiner
		{"رئیس", "رييس"},
		{"كربلاء", "كربلا"},
		{"الإيرانية", "الايرانيه"},
		{"ئێران", "ييران"},
		{"۱۳۸۸ ١٣٨٨ 1388", "1388 1388 1388"},
		{"Straße", "strasse"},
		{"STRASSE", "strasse"},
		{"İran'ın", "iran in"},
		{"Iraklı", "irakli"},
		{"People’s", "people s"},
		{"People's", "people s"},
		{"Peopleʼs", "people s"},
		{"d'Iran l’Irak", "d iran l irak"},
		{"Daʿwa", "dawa"},
		{"ÉLISE Élise", "elise elise"},
		{"Łódź Ðuro Þór œuvre", "lodz duro thor oeuvre"},
		{"ﬁnal", "final"},
		{"ｉｒａｎ", "iran"},
		{"российский й", "российский й"},
		{"Ёлка", "елка"},
		{"Σίσυφος", "σισυφοσ"},
		{"伊朗 核", "伊 朗 核"},
		{"イラン", "イ ラ ン"},
		{"ｲﾗﾝ ﾊﾞ", "イ ラ ン バ"},
		{"バ", "バ"},
		{"מוג'אהדין", "מוג אהדינ"},
		{"אִירָאן", "איראנ"},
		{"soft\u00adhyphen", "softhyphen"},
		{"\u200fIran\u200e.", "iran"},
		{"a\xffb", "a b"},
		{"½ m²", "m2"},
		{"𝐈𝐫𝐚𝐧 𝟗", "iran 9"},
		{"", ""},
		{"!?… —", ""},
	} {
		if got := text.Fold(c.in); got != c.want {
			t.Errorf("Fold(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

// Every character folds to something that folds to itself, also beside others.
func TestFoldIsIdempotentForEveryCharacter(t *testing.T) {
	for r := rune(0); r <= 0x1FFFF; r++ {
		s := "a" + string(r) + "b"
		once := text.Fold(s)
		if twice := text.Fold(once); twice != once {
			t.Errorf("%U: Fold = %q, Fold of that = %q", r, once, twice)
		}
	}
}

// Tokens say where they stand in the text as it was written.
func TestTokensPointIntoTheText(t *testing.T) {
	const s = "«Téhéran» , l’Iran\u200f; 伊朗"
	want := []text.Token{{"teheran", 2, 11}, {"l", 16, 17}, {"iran", 20, 27}, {"伊", 29, 32}, {"朗", 32, 35}}
	if got := text.Tokens(s); !slices.Equal(got, want) {
		t.Errorf("Tokens(%q) = %v, want %v", s, got, want)
	}
}

// A text of one endless word costs linear time and one token.
func TestTenMegabytesOfOneLetter(t *testing.T) {
	s := strings.Repeat("é", 5<<20)
	tokens := text.Tokens(s)
	if len(tokens) != 1 || tokens[0].End != len(s) || len(tokens[0].Text) != 5<<20 {
		t.Errorf("got %d tokens", len(tokens))
	}
	if got := text.Stem("en", tokens[0].Text); got != tokens[0].Text {
		t.Errorf("an endless word was stemmed to %d bytes", len(got))
	}
}

// Folding is idempotent, offsets are valid and in order, the hash is that of the
// folded word, and the three ways to read a text agree.
func FuzzFold(f *testing.F) {
	for _, s := range []string{"Mojāhedin-e Khalq", "ايران ایـران", "й й ё", "ﾊﾞ バ が", "a\u0301\u200db\xff", "\u0306и\u0306\u0306", "العـ\u064bراق", "क़ ä̈"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once := text.Fold(s)
		if twice := text.Fold(once); twice != once {
			t.Fatalf("Fold(%q) = %q, folded again %q", s, once, twice)
		}
		if !utf8.ValidString(once) {
			t.Fatalf("Fold(%q) = %q is not UTF-8", s, once)
		}
		tokens := text.Tokens(s)
		var buf [4]text.Word
		i, end := 0, 0
		for at := 0; at < len(s); {
			var words []text.Word
			words, at = text.Scan(s, at, buf[:0])
			for _, w := range words {
				tok := tokens[i]
				i++
				if w.Start < end || w.End <= w.Start || w.End > len(s) || w.Start != tok.Start || w.End != tok.End {
					t.Fatalf("%q: word %v, token %v, after %d", s, w, tok, end)
				}
				end = w.End
				if tok.Text == "" || w.Hash != text.Hash(tok.Text) {
					t.Fatalf("%q: hash of %q differs", s, tok.Text)
				}
			}
		}
		if i != len(tokens) || strings.Join(text.Words(s), " ") != once {
			t.Fatalf("%q: %d words, %d tokens, fold %q", s, i, len(tokens), once)
		}
	})
}
