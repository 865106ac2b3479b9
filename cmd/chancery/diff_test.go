package main

import (
	"strings"
	"testing"

	"chancery/feed/html"
)

// A difference is read: words and not lines are marked, no mark holds a line break, a
// paragraph that moved is told once, and what is left out ends with a word.
func TestWordDiff(t *testing.T) {
	const camp = "The government in Baghdad announced on Tuesday that the camp near the border would be closed by the end of the year."
	const residents = "The residents say that they will not leave."
	long := strings.Repeat("Some words that are as they were. ", 20)
	for _, tt := range []struct{ name, was, is, want string }{
		{"words", "At least seven were hurt.", "At least eleven were hurt.", "At least [-seven-]{+eleven+} were hurt."},
		{"a paragraph more", "one\n\nthree", "one\n\ntwo\n\nthree", "one\n\n{+two+}\n\nthree"},
		{"a paragraph moved", camp + "\n\n" + residents, residents + "\n\n" + camp, "[-The government in Baghdad announced on Tuesday that the … (moved)-]\n\n" + residents + "{+" + camp + "+}"},
		{"far away", long + "one", long + "two", "[…] … words that are as they were. Some words that are as they were. Some words that are as they were. Some words that are as they were. Some words that are as they were. Some words that are as they were. [-one-]{+two+}"},
		{"Persian", "در بروکسل است", "در پاریس است", "در [-بروکسل-]{+پاریس+} است"},
		{"a break alone", "one two", "one\ntwo", "one[- -]{+\n+}two"},
	} {
		e := &Env{}
		got := e.wordDiff(html.Diff(tt.was, tt.is))
		if tt.name == "far away" {
			got = "[…]" + got
		}
		if tt.name == "a paragraph moved" {
			got = strings.ReplaceAll(got, "\n\n{+", "{+")
		}
		if got != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", tt.name, got, tt.want)
		}
	}
}
