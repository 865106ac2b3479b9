package fetch

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// header reads "Name: value" lines.
func header(lines string) http.Header {
	h := http.Header{}
	for line := range strings.SplitSeq(lines, "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			h.Add(strings.TrimSpace(name), strings.TrimSpace(value))
		}
	}
	return h
}

// How long a response is good, by the cases that caches are tested with.
func TestFreshness(t *testing.T) { // F-17 F-18 F-19 F-20 F-21 F-24 F-25
	const now = "Thu, 01 Jan 2026 12:00:00 GMT"
	received, _ := http.ParseTime(now)
	for _, c := range []struct {
		name, lines string
		seconds     int
	}{
		// cc-freshness
		{"nothing", "", 0},
		{"max-age", "Cache-Control: max-age=3600", 3600},
		{"max-age zero", "Cache-Control: max-age=0", 0},
		{"max-age with Age", "Cache-Control: max-age=3600\nAge: 1800", 1800},
		{"max-age less than Age", "Cache-Control: max-age=3600\nAge: 12000", 0},
		{"max-age equal to Age", "Cache-Control: max-age=3600\nAge: 3600", 0},
		{"max-age and Expires, the first longer", "Cache-Control: max-age=3600\nDate: " + now + "\nExpires: Thu, 01 Jan 2026 12:00:10 GMT", 3600},
		{"max-age and Expires in the past", "Cache-Control: max-age=3600\nDate: " + now + "\nExpires: Thu, 01 Jan 2015 12:00:10 GMT", 3600},
		{"max-age and bad Expires", "Cache-Control: max-age=3600\nExpires: 0", 3600},
		{"max-age zero and Expires ahead", "Cache-Control: max-age=0\nExpires: Thu, 01 Jan 2026 18:00:00 GMT", 0},
		{"s-maxage is not ours", "Cache-Control: s-maxage=3600", 0},
		{"s-maxage shorter", "Cache-Control: s-maxage=1, max-age=3600", 3600},
		{"largest", "Cache-Control: max-age=2147483647", 1<<31 - 1},
		{"larger", "Cache-Control: max-age=2147483648", 1<<31 - 1},
		{"far larger", "Cache-Control: max-age=99999999999999999999999999", 1<<31 - 1},
		{"no-cache", "Cache-Control: no-cache", 0},
		{"no-cache wins", "Cache-Control: no-cache, max-age=3600", 0},
		{"no-cache wins, other order", "Cache-Control: max-age=3600, No-Cache", 0},
		{"no-store wins", "Cache-Control: max-age=3600, no-store", 0},
		{"no-store on another line", "Cache-Control: max-age=3600\nCache-Control: no-store", 0},
		{"must-revalidate alone", "Cache-Control: must-revalidate", 0},
		{"must-revalidate is about stale ones", "Cache-Control: max-age=3600, must-revalidate", 3600},
		{"private", "Cache-Control: private, max-age=60", 60},
		{"heuristic is never used", "Last-Modified: Thu, 01 Jan 2015 12:00:00 GMT\nDate: " + now, 0},
		{"Date in the past counts as age", "Cache-Control: max-age=3600\nDate: Thu, 01 Jan 2026 11:30:00 GMT", 1800},
		{"Date far in the past is a wrong clock", "Cache-Control: max-age=3600\nDate: Thu, 01 Jan 2015 11:30:00 GMT", 3600},
		{"Date in the future", "Cache-Control: max-age=3600\nDate: Thu, 01 Jan 2026 12:30:00 GMT", 3600},
		// cc-parse
		{"case", "Cache-Control: MaX-aGe=3600", 3600},
		{"leading zeros", "Cache-Control: max-age=0003600", 3600},
		{"two, same line", "Cache-Control: max-age=1800, max-age=3600", 1800},
		{"two lines", "Cache-Control: max-age=1800\nCache-Control: max-age=3600", 1800},
		{"zero second", "Cache-Control: max-age=3600, max-age=0", 0},
		{"inside a quoted extension", `Cache-Control: extension="max-age=3600"`, 0},
		{"inside a quoted extension, then itself", `Cache-Control: extension="max-age=3600", max-age=1`, 1},
		{"escaped quote in an extension", `Cache-Control: extension="a\", max-age=3600", max-age=1`, 1},
		{"quoted", `Cache-Control: max-age="3600"`, 3600},
		{"single quoted", "Cache-Control: max-age='3600'", 0},
		{"negative", "Cache-Control: max-age=-3600", 0},
		{"decimal", "Cache-Control: max-age=3600.0", 0},
		{"letters after", "Cache-Control: max-age=3600a", 0},
		{"letters before", "Cache-Control: max-age=a3600", 0},
		{"no value", "Cache-Control: max-age", 0},
		{"empty value", "Cache-Control: max-age=", 0},
		{"space before equals", "Cache-Control: max-age =3600", 0},
		{"space after equals", "Cache-Control: max-age= 3600", 0},
		{"empty members", "Cache-Control: ,,max-age=3600,,", 3600},
		{"tabs", "Cache-Control: \tfoo,\tmax-age=3600", 3600},
		{"another name that ends so", "Cache-Control: xmax-age=3600", 0},
		{"invalid value does not fall back to Expires", "Cache-Control: max-age=x\nExpires: Thu, 01 Jan 2026 18:00:00 GMT", 0},
		// age-parse
		{"Age zero", "Cache-Control: max-age=3600\nAge: 0", 3600},
		{"Age negative", "Cache-Control: max-age=3600\nAge: -7200", 3600},
		{"Age decimal", "Cache-Control: max-age=3600\nAge: 7200.0", 3600},
		{"Age text", "Cache-Control: max-age=3600\nAge: abc", 3600},
		{"Age leading zeros", "Cache-Control: max-age=3600\nAge: 000100", 3500},
		{"Age huge", "Cache-Control: max-age=3600\nAge: 99999999999999999999", 0},
		{"Age list, first old", "Cache-Control: max-age=3600\nAge: 7200, 0", 0},
		{"Age list, first new", "Cache-Control: max-age=3600\nAge: 0, 7200", 3600},
		{"Age two lines", "Cache-Control: max-age=3600\nAge: 600\nAge: 0", 3000},
		{"Age with parameter", "Cache-Control: max-age=3600\nAge: 7200;foo=bar", 3600},
		{"Age empty", "Cache-Control: max-age=3600\nAge:", 3600},
		// expires
		{"Expires ahead", "Date: " + now + "\nExpires: Thu, 01 Jan 2026 13:00:00 GMT", 3600},
		{"Expires without Date", "Expires: Thu, 01 Jan 2026 13:00:00 GMT", 3600},
		{"Expires past", "Date: " + now + "\nExpires: Thu, 01 Jan 2026 11:00:00 GMT", 0},
		{"Expires equal to Date", "Date: " + now + "\nExpires: " + now, 0},
		{"Expires by a skewed clock", "Date: Thu, 01 Jan 2015 12:00:00 GMT\nExpires: Thu, 01 Jan 2015 13:00:00 GMT", 3600},
		{"Expires with Age", "Date: " + now + "\nExpires: Thu, 01 Jan 2026 13:00:00 GMT\nAge: 600", 3000},
		{"Expires ahead, Age over it", "Date: " + now + "\nExpires: Thu, 01 Jan 2026 13:00:00 GMT\nAge: 25000", 0},
		{"Expires with no-cache", "Cache-Control: no-cache\nExpires: Thu, 01 Jan 2026 13:00:00 GMT", 0},
		// expires-parse
		{"Expires 0", "Expires: 0", 0},
		{"Expires -1", "Expires: -1", 0},
		{"Expires empty", "Expires:", 0},
		{"Expires text", "Expires: never", 0},
		{"Expires RFC 850", "Date: " + now + "\nExpires: Thursday, 01-Jan-26 13:00:00 GMT", 3600},
		{"Expires asctime", "Date: " + now + "\nExpires: Thu Jan  1 13:00:00 2026", 3600},
		{"Expires UTC is no HTTP-date", "Date: " + now + "\nExpires: Thu, 01 Jan 2026 13:00:00 UTC", 0},
		{"Expires with an offset is no HTTP-date", "Date: " + now + "\nExpires: Thu, 01 Jan 2026 13:00:00 +0100", 0},
		{"Expires one digit day", "Date: " + now + "\nExpires: Thu, 1 Jan 2026 13:00:00 GMT", 0},
		{"Expires ISO", "Date: " + now + "\nExpires: 2026-01-01T13:00:00Z", 0},
		{"Expires twice", "Date: " + now + "\nExpires: Thu, 01 Jan 2026 13:00:00 GMT\nExpires: 0", 3600},
	} {
		if got := FreshnessOf(header(c.lines), received); got.For != time.Duration(c.seconds)*time.Second {
			t.Errorf("%s: fresh for %v (%s), want %d s", c.name, got.For, got.Why, c.seconds)
		}
	}
}

// Retry-After in all its forms.
func TestRetryAfter(t *testing.T) { // F-50
	received := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name, lines string
		want        time.Duration
		ok          bool
	}{
		{"absent", "", 0, false},
		{"seconds", "Retry-After: 120", 2 * time.Minute, true},
		{"zero", "Retry-After: 0", 0, true},
		{"white space", "Retry-After:   120  ", 2 * time.Minute, true},
		{"negative", "Retry-After: -120", 0, false},
		{"decimal", "Retry-After: 1.5", 0, false},
		{"text", "Retry-After: soon", 0, false},
		{"quoted", `Retry-After: "120"`, 0, false},
		{"years are clamped to what can be told apart", "Retry-After: 99999999999999", maxDelta * time.Second, true},
		{"IMF date", "Retry-After: Thu, 01 Jan 2026 13:00:00 GMT", time.Hour, true},
		{"RFC 850 date", "Retry-After: Thursday, 01-Jan-26 13:00:00 GMT", time.Hour, true},
		{"asctime date", "Retry-After: Thu Jan  1 13:00:00 2026", time.Hour, true},
		{"past date", "Retry-After: Thu, 01 Jan 2026 11:00:00 GMT", 0, true},
		{"date of a skewed clock", "Date: Thu, 01 Jan 2026 09:00:00 GMT\nRetry-After: Thu, 01 Jan 2026 10:00:00 GMT", time.Hour, true},
	} {
		got, ok := RetryAfter(header(c.lines), received)
		if got != c.want || ok != c.ok {
			t.Errorf("%s: %v, %t; want %v, %t", c.name, got, ok, c.want, c.ok)
		}
	}
}

// FuzzFreshness: any header gives a bound between nothing and what can be told apart.
func FuzzFreshness(f *testing.F) {
	f.Add("max-age=1", "0", "12", "Thu, 01 Jan 2026 13:00:00 GMT")
	f.Add(`a="\`, "", ",", "x")
	f.Fuzz(func(t *testing.T, cc, expires, age, retry string) {
		h := http.Header{"Cache-Control": {cc}, "Expires": {expires}, "Age": {age}, "Retry-After": {retry}}
		now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
		if got := FreshnessOf(h, now).For; got < 0 {
			t.Errorf("fresh for %v", got)
		}
		if got, _ := RetryAfter(h, now); got < 0 {
			t.Errorf("retry after %v", got)
		}
	})
}
