package normalize

import (
	"strings"
	"testing"

	"chancery/feed"
)

// PEERS part 5, 56; PUB-16: what an edit is worth.
func TestTrivial(t *testing.T) {
	post := func(title, content string) *feed.Entry {
		return &feed.Entry{URL: "https://a.example/1", Title: feed.Text{Value: title}, Content: feed.Text{Type: feed.HTML, Value: content}}
	}
	for name, c := range map[string]struct {
		was, is string
		want    bool
	}{
		"quotation marks":      {`He said "no" - twice`, `He said “no” – twice`, true},
		"case, accents":        {"the iranian regime in teheran, café", "The Iranian Regime in Teheran, cafe", true},
		"markup":               {"<p>one two</p>", "<div><b>one</b> two</div>", true},
		"a hyphen":             {"the co operation of states", "the co-operation of states", true},
		"joined words":         {"a counter terrorism law", "a counterterrorism law", true},
		"a typo":               {"the governent of Iraq", "the government of Iraq", true},
		"exchanged letters":    {"the govrenment of Iraq", "the government of Iraq", true},
		"three typos":          {"governent minitser parlament", "government minister parliament", false},
		"a counter":            {"A post. 12 comments", "A post. 131 comments", true},
		"an age":               {"seen 5 minutes ago", "seen 8 minutes ago", true},
		"a counter, Persian":   {"متن ۵ نظر", "متن ۹ نظر", true},
		"a number":             {"20 were killed in Baghdad", "30 were killed in Baghdad", false},
		"a year":               {"in 2009 comments were closed to all of the 40", "in 2009 comments were closed to all of the 50", false},
		"another country":      {"talks with Iran", "talks with Iraq", false},
		"a short word":         {"they will now leave", "they will not leave", false},
		"another word":         {"he accepted the offer", "he rejected the offer", false},
		"a word more":          {"he accepted the offer", "he never accepted the offer", false},
		"a sentence more":      {"one sentence.", "one sentence. Update: it was denied.", false},
		"a line of software":   {"the text", "the text The post Title appeared first on Blog.", true},
		"a link":               {`<a href="https://b.example/">the text</a>`, `<a href="https://c.example/">the text</a>`, false},
		"another first letter": {"the affected states", "the effected states", false},
	} {
		if got := Trivial(post("t", c.was), post("t", c.is)); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
		if got := Trivial(post("t", c.is), post("t", c.was)); got != c.want {
			t.Errorf("%s, backwards: %v, want %v", name, got, c.want)
		}
	}
	a, b := post("t", "x"), post("t", "x")
	b.URL = "https://a.example/2"
	if Trivial(a, b) {
		t.Error("another address is trivial")
	}
	b = post("t", "x")
	b.Authors = []feed.Person{{Name: "Somebody"}}
	if Trivial(a, b) {
		t.Error("another author is trivial")
	}
	b = post("t", "x")
	b.Categories = []feed.Category{{Term: "news"}}
	if !Trivial(a, b) {
		t.Error("another category is not trivial")
	}
	// The same text, with its beginning beside it, in another place, and with something else.
	text := "One two three four. Five six seven."
	summed := func(summary, content string) *feed.Entry {
		e := post("t", content)
		e.Summary.Value = summary
		return e
	}
	for name, c := range map[string]struct {
		was, is *feed.Entry
		want    bool
	}{
		"a beginning beside it":  {summed("", text), summed("One two three […]", text), true},
		"in the other place":     {summed(text, ""), summed("", text), true},
		"in both":                {summed(text, ""), summed(text, text), true},
		"another summary":        {summed("In short", text), summed("In other words", text), false},
		"a summary of its own":   {summed("", text), summed("In short", text), false},
		"the beginning alone":    {summed("", text), summed("One two three […]", ""), false},
		"no whole word":          {summed("", text), summed("One two thr", text), false},
		"another text behind it": {summed("One two", text), summed("One two", text+" Eight."), false},
	} {
		if got := Trivial(c.was, c.is); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	// Hostile sizes cost little.
	long := strings.Repeat("The post ", 200_000)
	if Trivial(post("t", long+"a"), post("t", long+"b")) {
		t.Error("another last word is trivial")
	}
}
