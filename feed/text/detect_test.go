package text_test

import (
	"testing"

	"chancery/feed/text"
)

// The language of an item is detected where the feed does not say.
func TestDetect(t *testing.T) {
	for _, c := range []struct{ want, s string }{
		{"en", "The minister said that talks with the delegation would begin on Monday."},
		{"fr", "Le ministre a déclaré que les négociations avec la délégation commenceront lundi."},
		{"de", "Der Minister sagte, dass die Gespräche mit der Delegation am Montag beginnen."},
		{"es", "El ministro dijo que las conversaciones con la delegación comenzarán el lunes."},
		{"it", "Il ministro ha detto che i colloqui con la delegazione inizieranno lunedì."},
		{"pt", "O ministro disse que as conversas com a delegação não começam na segunda-feira."},
		{"nl", "De minister zei dat het overleg met de gasten op maandag begint."},
		{"sv", "Ministern sade att samtalen med delegationen ska börja på måndag och att det är bra."},
		{"tr", "Bakan, heyetle görüşmelerin pazartesi günü başlayacağını ve bu konuda bir açıklama olacağını söyledi."},
		{"pl", "Minister powiedział, że rozmowy z delegacją zaczną się w poniedziałek i nie będą długie."},
		{"ku", "Wezîr got ku civîn di roja duşemê de li bajêr dest pê dike û ji bo wê amade ne."},
		{"ru", "Министр заявил, что переговоры с делегацией начнутся в понедельник."},
		{"uk", "Міністр заявив, що переговори з делегацією почнуться у понеділок."},
		{"be", "Міністр заявіў, што перамовы з дэлегацыяй пачнуцца ў панядзелак."},
		{"mk", "Министерот изјави дека разговорите со делегацијата од сите земји и нивните барања ќе почнат во понеделник."},
		{"sr", "Министар је рекао да ће разговори са делегацијом почети у понедељак."},
		{"bg", "Министърът заяви, че преговорите с делегацията ще започнат в понеделник."},
		{"fa", "وزیر گفت گفتگو با هیئت از دوشنبه آغاز می\u200cشود."},
		{"fa", "وزير گفت گفتگو با هيئت از دوشنبه در شهر آغاز مي شود"},
		{"ar", "قال الوزير إن المحادثات مع الوفد ستبدأ يوم الاثنين."},
		{"ku", "وەزیر گوتی گفتوگۆ لەگەڵ شاندەکە رۆژی دووشەممە دەست پێدەکات."},
		{"ur", "وزیر نے کہا کہ وفد کے ساتھ بات چیت پیر سے شروع ہوگی۔"},
		{"he", "השר אמר כי השיחות עם המשלחת יתחילו ביום שני."},
		{"zh", "部长表示与代表团的会谈将于星期一开始。"},
		{"ja", "大臣は代表団との会談が月曜日に始まると述べた。"},
		{"ko", "장관은 대표단과의 회담이 월요일에 시작된다고 말했다."},
		{"el", "Ο υπουργός δήλωσε ότι οι συνομιλίες αρχίζουν τη Δευτέρα."},
		{"", ""},
		{"", "2009-01-02 12:00"},
		{"", "Foo bar"},
	} {
		if got := text.Detect(c.s); got != c.want {
			t.Errorf("Detect(%q) = %q, want %q", c.s, got, c.want)
		}
	}
}

// What the publisher declares holds, unless the script gives it the lie.
func TestLanguage(t *testing.T) {
	const persian = "وزیر گفت گفتگو با هیئت از دوشنبه آغاز می\u200cشود."
	for _, c := range []struct{ declared, title, body, want string }{
		{"en-US", "", persian, "fa"},
		{"fa-IR", "", persian, "fa"},
		{"de_AT", "Teheran", "", "de"},
		{"fr", "The minister said that the talks would begin", "", "fr"},
		{"iw", "", "", "he"},
		{"ckb", "", "", "ku"},
		{"zh-Hant-TW", "伊朗", "", "zh"},
		{"", "", persian, "fa"},
		{"no language", "", persian, "fa"},
		{"xx", "", persian, "xx"},
	} {
		if got := text.Language(c.declared, c.title, c.body); got != c.want {
			t.Errorf("Language(%q, %q, %q) = %q, want %q", c.declared, c.title, c.body, got, c.want)
		}
	}
}

// An inflected form has the stem of its word; other words have others.
func TestStem(t *testing.T) {
	for _, c := range []struct{ lang, a, b string }{
		{"en", "deport", "deported"},
		{"en", "deport", "deporting"},
		{"en", "Iranian", "Iranians"},
		{"en", "camp", "camps"},
		{"fr", "iranien", "iraniens"},
		{"fr", "expulser", "expulsés"},
		{"fr", "camp", "camps"},
		{"fr", "réfugié", "réfugiés"},
		{"de", "iranisch", "iranischen"},
		{"de", "Lager", "Lagern"},
		{"de", "Häuser", "Hauser"},
		{"de", "Gespräch", "Gespräche"},
		{"es", "iraquí", "iraquíes"},
		{"es", "refugiado", "refugiados"},
		{"es", "campamento", "campamentos"},
		{"it", "profugo", "profughi"},
		{"pt", "refugiado", "refugiados"},
		{"nl", "vluchteling", "vluchtelingen"},
		{"sv", "flykting", "flyktingar"},
		{"ru", "Иран", "Ирана"},
		{"ru", "Ирак", "Ираке"},
		{"ru", "иранский", "иранского"},
		{"ru", "лагерь", "лагеря"},
		{"ar", "العراق", "بالعراق"},
		{"ar", "عراق", "والعراق"},
		{"ar", "إيران", "لإيران"},
		{"ar", "بغداد", "لبغداد"},
		{"ar", "الإيراني", "الإيرانية"},
		{"ar", "عراقي", "العراقيين"},
		{"ar", "للعراق", "العراق"},
		{"fa", "کتاب", "کتاب\u200cهای"},
		{"fa", "کشور", "کشورها"},
		{"fa", "ایرانی", "ایرانیان"},
		{"fa", "بزرگ", "بزرگ\u200cترین"},
		{"fa", "ایران", "ایرانی"},
		{"he", "איראן", "באיראן"},
		{"he", "עיראק", "ובעיראק"},
		{"he", "איראני", "האיראנים"},
		{"he", "בגדאד", "לבגדאד"},
		{"tr", "kamp", "kamplar"},
	} {
		a, b := text.Stem(c.lang, text.Fold(c.a)), text.Stem(c.lang, text.Fold(c.b))
		if a != b {
			t.Errorf("%s: %q has stem %q, %q has %q", c.lang, c.a, a, c.b, b)
		}
	}
	for _, c := range []struct{ lang, a, b string }{
		{"en", "Iran", "Iraq"},
		{"ru", "Иран", "Ирак"},
		{"ar", "عراق", "عراقجي"},
		{"fa", "عراق", "عراقچی"},
		{"ar", "ايران", "عراق"},
		{"en", "Iran", "irate"},
		{"xx", "camp", "camps"},
	} {
		if a, b := text.Stem(c.lang, text.Fold(c.a)), text.Stem(c.lang, text.Fold(c.b)); a == b {
			t.Errorf("%s: %q and %q have one stem %q", c.lang, c.a, c.b, a)
		}
	}
}
