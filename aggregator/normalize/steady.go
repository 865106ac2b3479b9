package normalize

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"chancery/feed/text"
)

// Counters and ages stand in lines or sentences of few words: "12 comments", "Posted by
// A. Writer | 3 hours ago". In longer ones a number is substance.
const (
	maxAside      = 96 // bytes of such a line
	maxAsideWords = 8
)

// steady is a text without what moves by itself (PEERS part 5, 56): numbers of comments,
// views, likes and shares, ages, and the time at which a page was made. Only lines that
// are short, sentences that are, and parts of them between bars and dots are looked at.
func steady(s string) string {
	var out []byte
	copied := 0 // of s
	for i := nextDigit(s, 0); i < len(s); i = nextDigit(s, i) {
		from := breakBefore(s, i, copied)
		end, whole := breakBehind(s, i)
		if from < 0 || !whole || end-from > maxAside {
			i = max(end, i+1) // nothing up to the next break counts
			for i < len(s) && !utf8.RuneStart(s[i]) {
				i++
			}
			continue
		}
		if kept, ok := settled(s[from:end]); ok {
			out = append(append(out, s[copied:from]...), kept...)
			copied = end
		}
		i = end
	}
	if copied == 0 {
		return s
	}
	return string(append(out, s[copied:]...))
}

// nextDigit is where the next digit stands at i or behind it, or len(s).
func nextDigit(s string, i int) int {
	const (
		ones  = 0x0101010101010101
		highs = 0x8080808080808080
	)
	for i < len(s) {
		ahead := 8
		for i+8 <= len(s) { // a look at eight bytes: none of "0" to "?", none beyond ASCII
			w := uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
				uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
			x := w&(0xf0*ones) ^ 0x30*ones
			if w&highs != 0 {
				ahead = 64 // another script: one by one for a while
				break
			}
			if (x-ones)&^x&highs != 0 {
				break
			}
			i += 8
		}
		for n := min(i+ahead, len(s)); i < n; i++ {
			switch c := s[i]; {
			case '0' <= c && c <= '9':
				return i
			case c < 0xd9 || i+1 == len(s):
			case c == 0xd9 && 0xa0 <= s[i+1] && s[i+1] <= 0xa9, c == 0xdb && 0xb0 <= s[i+1] && s[i+1] <= 0xb9: // Arabic, Persian
				return i
			case c == 0xef && i+2 < len(s) && s[i+1] == 0xbc && 0x90 <= s[i+2] && s[i+2] <= 0x99: // full width
				return i
			}
		}
	}
	return len(s)
}

// breakBefore is where the line, the sentence or the part begins in which i stands, not
// before least; -1 if that is too far away.
func breakBefore(s string, i, least int) int {
	for at := i - 1; at >= max(least, i-maxAside); at-- {
		if mayBreak[s[at]] {
			if n := breakAt(s, at); n > 0 && at+n <= i {
				return at + n
			}
		}
	}
	if i-maxAside <= least {
		return least
	}
	return -1
}

// breakBehind is where that ends; false if it is too long.
func breakBehind(s string, i int) (int, bool) {
	for at := i; at < len(s); at++ {
		if mayBreak[s[at]] && breakAt(s, at) > 0 {
			return at, true
		}
		if at-i > maxAside {
			return at, false
		}
	}
	return len(s), true
}

// mayBreak are the bytes with which a break begins.
var mayBreak = func() (t [256]bool) {
	for _, c := range []byte{'\n', '|', '.', '!', '?', 0xc2, 0xd8, 0xdb, 0xe2, 0xe3} {
		t[c] = true
	}
	return t
}()

// breakAt is how many bytes at i part a line from what follows.
func breakAt(s string, i int) int {
	switch s[i] {
	case '\n', '|':
		return 1
	case '.', '!', '?':
		if i+1 < len(s) && (s[i+1] == ' ' || s[i+1] == '\n') {
			return 2
		}
	case 0xc2, 0xd8, 0xdb, 0xe2, 0xe3:
		switch r, n := utf8.DecodeRuneInString(s[i:]); r {
		case '·', '•', '–', '—', '…', '。', '؟', '۔':
			return n
		}
	}
	return 0
}

// settled is a line without counters and ages, in folded words, if it has any.
func settled(line string) (string, bool) {
	if m := made.FindStringSubmatchIndex(line); m != nil {
		return line[:m[2]] + clock.ReplaceAllString(line[m[2]:m[3]], "") + line[m[3]:], true
	}
	words := text.Words(line)
	if len(words) > maxAsideWords {
		return "", false
	}
	gone := make([]bool, len(words))
	dropAge(words, gone)
	for i, w := range words {
		if !counters[w] {
			continue
		}
		near := []int{i - 1, i + 1}
		if commentWords[w] && i == 2 {
			near = append(near, 0) // "12 new comments"
		}
		for _, j := range near {
			if j >= 0 && j < len(words) && !gone[j] && isCount(words[j]) && (len(words) <= 4 || commentWords[w] || shareBar(words)) {
				dropNumber(words, gone, j)
				gone[i] = true
				break
			}
		}
	}
	var kept []string
	for i, w := range words {
		if !gone[i] {
			kept = append(kept, w)
		}
	}
	return strings.Join(kept, " "), len(kept) < len(words)
}

// made is a line that says when or how fast a page was made.
var made = regexp.MustCompile(`(?i)^\s*(?:last updated|last modified|updated|page generated|generated|rendered|served|aktualisiert|stand|mis à jour|actualizado|aggiornato|обновлено|آخر تحديث|به.?روز.?رسانی)\b?(?: on| at| am| le| el| в)?:?(.{0,60}?\d.{0,40})$`)

// clock is a time of the day, a date in numbers, or how long something took.
var clock = regexp.MustCompile(`(?i)\d{1,2}:\d{2}(?::\d{2})?(?: ?[ap]\.?m\.?)?|\d{1,4}[./-]\d{1,2}[./-]\d{1,4}|\d+(?:\.\d+)? ?(?:ms|milliseconds|seconds|queries)`)

// isCount reports whether a word is a number, as "12" or "3k".
func isCount(w string) bool {
	w = strings.TrimSuffix(w, "k")
	return w != "" && number([]byte(w))
}

// dropNumber drops the number of which word i is a part: "1,204" is two words.
func dropNumber(words []string, gone []bool, i int) {
	from := i
	for from > 0 && isCount(words[from-1]) {
		from--
	}
	for ; from < len(words) && isCount(words[from]); from++ {
		gone[from] = true
	}
}

// shareBar reports whether a line is one of buttons with their numbers: "Tweet 12 Like 5".
func shareBar(words []string) bool {
	for _, w := range words {
		if !counters[w] && !isCount(w) {
			return false
		}
	}
	return true
}

// dropAge drops an age: "about 3 hours ago", "vor 3 Stunden", "منذ 3 ساعات", "3小时前".
func dropAge(words []string, gone []bool) {
	marked, at := false, -1
	for i, w := range words {
		marked = marked || ageMarks[w]
		if isCount(w) && (i+1 < len(words) && ageUnits[words[i+1]]) {
			at = i
		}
	}
	if !marked || at < 0 {
		return
	}
	for i, w := range words {
		if ageMarks[w] || ageUnits[w] || i == at || ageFillers[w] {
			gone[i] = true
		}
	}
}

var (
	// commentWords are words, folded, for comments in the languages of most blogs.
	commentWords = foldedSet("comment", "comments", "reply", "replies", "response", "responses", "kommentar", "kommentare", "kommentarer", "commentaire", "commentaires",
		"comentario", "comentarios", "comentários", "commento", "commenti", "reactie", "reacties", "комментарий", "комментария", "комментариев", "коментарів",
		"تعليق", "تعليقات", "تعليقا", "نظر", "نظرات", "دیدگاه", "yorum", "תגובות", "评", "σχόλια", "komentarzy", "komentarze")
	// counters are these and others beside which a number counts something that happens to a post.
	counters = union(commentWords, foldedSet("view", "views", "pageviews", "reads", "like", "likes", "share", "shares", "tweet", "tweets", "retweet", "retweets", "reactions",
		"论", "pin", "pins", "facebook", "twitter", "linkedin", "aufrufe", "vues", "visitas", "visualizzazioni", "просмотров", "просмотра", "مشاهدة", "مشاهدات", "بازدید", "görüntüleme", "צפיות"))
	ageMarks = foldedSet("ago", "vor", "hace", "il", "fa", "назад", "тому", "منذ", "قبل", "پیش", "önce", "לפני", "前", "geleden", "há", "sedan", "siden", "temu")
	ageUnits = foldedSet("second", "seconds", "sec", "secs", "minute", "minutes", "min", "mins", "hour", "hours", "hr", "hrs", "day", "days", "week", "weeks", "month", "months", "year", "years",
		"sekunden", "minuten", "stunde", "stunden", "tag", "tagen", "woche", "wochen", "monat", "monaten", "jahr", "jahren", "seconde", "secondes", "heure", "heures", "jour", "jours",
		"semaine", "semaines", "mois", "an", "ans", "segundos", "minuto", "minutos", "hora", "horas", "día", "días", "semana", "semanas", "mes", "meses", "año", "años", "minuti", "ora", "ore", "giorno", "giorni",
		"секунд", "минут", "минуты", "минуту", "час", "часа", "часов", "день", "дня", "дней", "неделю", "недели", "недель", "месяц", "месяца", "месяцев", "год", "года", "лет",
		"ثانية", "ثواني", "دقيقة", "دقائق", "ساعة", "ساعات", "يوم", "أيام", "أسبوع", "أسابيع", "شهر", "أشهر", "سنة", "سنوات",
		"ثانیه", "دقیقه", "ساعت", "روز", "هفته", "ماه", "سال", "dakika", "saat", "gün", "hafta", "ay", "yıl", "דקות", "שעות", "ימים",
		"秒", "分", "钟", "小", "时", "天", "周", "个", "月", "年", "時", "間", "日", "uur", "dagen", "minutter", "timer", "godzin", "dni")
	ageFillers = foldedSet("about", "over", "almost", "less", "than", "y", "a", "hace", "circa", "около", "حدود")
)

func foldedSet(words ...string) map[string]bool {
	m := make(map[string]bool, len(words))
	for _, w := range words {
		m[text.Fold(w)] = true
	}
	return m
}

func union(sets ...map[string]bool) map[string]bool {
	m := map[string]bool{}
	for _, s := range sets {
		for w := range s {
			m[w] = true
		}
	}
	return m
}
