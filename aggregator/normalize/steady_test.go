package normalize

import (
	"strings"
	"testing"
	"time"

	"chancery/feed"
	"chancery/feed/feedtest"
)

// P-72, PEERS part 5, 56: what moves by itself makes no version, in the languages of most
// blogs; numbers that say something do.
func TestSteady(t *testing.T) {
	for _, tc := range []struct {
		was, is string
		same    bool
	}{
		{"The text. 12 comments", "The text. 131 comments", true},
		{"The text\n\n1 Comment", "The text\n\n2 Comments", true},
		{"12条评论", "15条评论", true},
		{"The text\n\n2 Comments", "The text\n\n3 Comments", true},
		{"The text\n\nComments (12)", "The text\n\nComments (1,204)", true},
		{"Posted by A. Writer | 3 comments | 1,204 views", "Posted by A. Writer | 4 comments | 1,377 views", true},
		{"12 new comments\n\nThe text", "13 new comments\n\nThe text", true},
		{"12 Responses to Roses", "14 Responses to Roses", true},
		{"Tweet 12 Like 5 Share 7", "Tweet 14 Like 9 Share 8", true},
		{"34 shares", "35 shares", true},
		{"3.4k views", "3.5k views", true},
		{"posted 3 hours ago", "posted 4 hours ago", true},
		{"posted about 59 minutes ago", "posted about 2 hours ago", true},
		{"vor 3 Stunden", "vor 4 Stunden", true},
		{"il y a 3 heures", "il y a 4 heures", true},
		{"hace 3 horas", "hace 4 horas", true},
		{"3 часа назад", "5 часов назад", true},
		{"منذ 3 ساعات", "منذ 4 ساعات", true},
		{"۳ ساعت پیش", "۴ ساعت پیش", true},
		{"3小时前", "4小时前", true},
		{"3 saat önce", "4 saat önce", true},
		{"۱۲ نظر", "۱۳ نظر", true},
		{"بازدید: ۱۲۰۴", "بازدید: ۱۲۰۹", true},
		{"12 تعليق", "15 تعليق", true},
		{"15 комментариев", "16 комментариев", true},
		{"Просмотров: 100", "Просмотров: 120", true},
		{"评论 12", "评论 13", true},
		{"Last updated: 14:05", "Last updated: 15:10", true},
		{"Updated on 03/04/2009 at 14:05", "Updated on 04/04/2009 at 09:15", true},
		{"Page generated in 0.034 seconds", "Page generated in 1.2 seconds", true},

		{"20 were killed in Baghdad.", "30 were killed in Baghdad.", false},
		{"The motion was carried with 20 votes.", "The motion was carried with 30 votes.", false},
		{"Conservatives: 20 votes", "Conservatives: 30 votes", false},
		{"He bought 40,000 shares of the bank in the year before.", "He bought 50,000 shares of the bank in the year before.", false},
		{"Bank of Iran bought 40,000 shares", "Bank of Iran bought 50,000 shares", false},
		{"In 2009 comments were closed to all of the 40.", "In 2009 comments were closed to all of the 50.", false},
		{"The war began 3 years ago and cost the country 20 lives, among them two of the ministers.", "The war began 4 years ago and cost the country 20 lives, among them two of the ministers.", false},
		{"Updated: 20 dead", "Updated: 30 dead", false},
		{"Update 3: talks end", "Update 4: talks end", false},
		{"Last updated 14:05 with the names of two", "Last updated 14:05 with the names of three", false},
		{"Chapter 12", "Chapter 13", false},
		{"The #1 rule: reply to the customer", "The #2 rule: reply to the customer", false},
		{"12 commentators", "13 commentators", false},
		{"3 men", "4 men", false},
	} {
		if got := steady(tc.was) == steady(tc.is); got != tc.same {
			t.Errorf("%q and %q: the same %v, want %v: %q, %q", tc.was, tc.is, got, tc.same, steady(tc.was), steady(tc.is))
		}
	}
	for _, s := range []string{"", "no digits", "A long text with 12 in it.", "1", "\xff1\xd9", "٣"} {
		if got := steady(s); got != s {
			t.Errorf("steady(%q) = %q", s, got)
		}
	}
}

// Nobody's text costs more than its length: numbers without end, with and without breaks.
func TestSteadyHostile(t *testing.T) {
	for name, s := range map[string]string{
		"digits": strings.Repeat("1 ", 1<<19), "lines": strings.Repeat("1 comments\n", 1<<16), "dots": strings.Repeat("1. ", 1<<18), "bars": strings.Repeat("|1", 1<<19),
		"Persian": strings.Repeat("۱ نظر ", 1<<16), "one": strings.Repeat("1", 1<<20),
	} {
		before := feedtest.CPU(t)
		out := steady(s)
		if took := feedtest.CPU(t) - before; took > 2*time.Second {
			t.Errorf("%s: %v for %d bytes", name, took, len(s))
		}
		if len(out) > len(s) {
			t.Errorf("%s grew to %d bytes", name, len(out))
		}
	}
}

// P-72: links and pictures, and what in them is another with each request.
func TestVersionOfLinks(t *testing.T) {
	of := func(markup string) feed.Digest {
		return version(feed.Entry{Content: feed.Text{Type: feed.HTML, Value: "<p>text</p>" + markup}})
	}
	for _, tc := range []struct {
		name, was, is string
		same          bool
	}{
		{"a session", `<a href="https://b.example/p;jsessionid=A1?x=1&PHPSESSID=aa">`, `<a href="https://b.example/p;jsessionid=B2?x=1&PHPSESSID=bb">`, true},
		{"a nonce", `<a href="https://b.example/p?_wpnonce=1a2b&amp;p=3">`, `<a href="https://b.example/p?_wpnonce=3c4d&amp;p=3">`, true},
		{"an address that was signed", `<a href="https://s3.example/f.pdf?Expires=1&Signature=x&X-Amz-Date=1">`, `<a href="https://s3.example/f.pdf?Expires=2&Signature=y&X-Amz-Date=2">`, true},
		{"advertising", `<a href="http://ads.pheedo.com/click?s=1"><img src="http://ads.pheedo.com/1.gif"></a>`, `<a href="http://ads.pheedo.com/click?s=2"><img src="http://ads.pheedo.com/2.gif"></a>`, true},
		{"FeedBurner's flares", `<a href="http://feeds.b.example/~ff/b?a=1:2"><img src="http://feeds.b.example/~ff/b?i=1"></a>`, `<a href="http://feeds.b.example/~ff/b?a=3:4"><img src="http://feeds.b.example/~ff/b?i=2"></a>`, true},
		{"another article of one site", `<a href="https://b.example/modules.php?sid=1">`, `<a href="https://b.example/modules.php?sid=2">`, false},
		{"a link more", ``, `<a href="https://b.example/">`, false},
		{"another picture", `<img src="https://b.example/2009/camp.jpg">`, `<img src="https://b.example/2009/gate.jpg">`, false},
		{"a picture less", `<img src="https://b.example/2009/camp.jpg">`, ``, false},
		{"a picture of another size", `<img src="https://b.example/2009/camp-300x200.jpg?w=300">`, `<img src="https://b.example/2009/camp-1024x768.jpg">`, true},
		{"a picture from another host", `<img src="https://i0.wp.example/b.example/camp.jpg?ssl=1">`, `<img src='//i2.wp.example/b.example/camp.jpg'>`, true},
		{"a counter of readers", `<img src="https://b.example/pixel.gif?r=1">`, `<img src="https://b.example/count?r=2">`, true},
	} {
		if got := of(tc.was) == of(tc.is); got != tc.same {
			t.Errorf("%s: the same version %v, want %v", tc.name, got, tc.same)
		}
	}
}
