package selfscore

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// script is how one pretend site behaves.
type script struct {
	name   string
	what   string // for the table
	answer func(visit) answer
	paths  []string // addresses besides /feed that may be asked for
	plain  bool     // http
	byHand bool     // a person refreshes it now and then
	// again is how long after the last request without validators another one may
	// come although there are some (F-13); 0 is never.
	again time.Duration
	// stopped: /feed may not be asked for any more.
	stopped func(since time.Duration) bool
}

// document is a feed that has one post for each step, the last 20 of them.
func document(host string, start time.Time, since, step time.Duration, extra string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel><title>%s</title><link>https://%s/</link><description>pretend</description>%s`, host, host, extra)
	last := int(since/step) + 40 // it had posts before it was found
	for n := last; n > last-20; n-- {
		at := start.Add(time.Duration(n-40) * step)
		fmt.Fprintf(&b, `<item><title>Post %d of %s</title><link>https://%s/post/%d</link><guid isPermaLink="false">%s-%d</guid><pubDate>%s</pubDate><description>The text of post %d, which is of %s.</description></item>`,
			n, host, host, n, host, n, at.UTC().Format(time.RFC1123Z), n, host)
	}
	b.WriteString("</channel></rss>")
	return b.String()
}

// good answers as a sound server with a post every step does.
func good(step time.Duration) func(visit) answer {
	return func(v visit) answer {
		n := int(v.since / step)
		return v.unchanged(answer{
			status: 200, body: v.document(step, ""), etag: fmt.Sprintf(`"v%d"`, n),
			date: v.now.Add(-v.since % step).UTC().Truncate(time.Second).Format(http.TimeFormat),
		})
	}
}

func (v visit) document(step time.Duration, extra string) string {
	return document(v.URL.Hostname(), v.now.Add(-v.since), v.since, step, extra)
}

// unchanged turns an answer into a 304 when the request asks with its validators.
func (v visit) unchanged(a answer) answer {
	inm, ims := v.Header.Get("If-None-Match"), v.Header.Get("If-Modified-Since")
	same := inm != "" && inm == a.etag || inm == "" && a.etag == "" && ims != "" && ims == a.date
	if same && a.status == 200 {
		a.status, a.body = 304, ""
	}
	return a
}

// refusal lets a sound site refuse from one time to another.
func refusal(from, to time.Duration, no answer) func(visit) answer {
	yes := good(day)
	return func(v visit) answer {
		if v.since >= from && v.since < to {
			return no
		}
		return yes(v)
	}
}

func seconds(d time.Duration) string { return fmt.Sprint(int(d.Seconds())) }

// scripts are all sites; each stands for a row of CONFORMANCE 1.14 or a trap.
func scripts() []script {
	forever := 1000 * day
	to := func(status int, location string) answer {
		return answer{status: status, header: []string{"Location", location}}
	}
	return []script{
		{name: "plain", what: "ETag and Last-Modified, a post a day", answer: good(day)},
		{name: "busy", what: "60 posts a day", answer: good(24 * time.Minute)},
		{name: "rare", what: "a post every 40 days", answer: good(40 * day)},
		{name: "silent", what: "a post every 400 days", answer: good(400 * day)},
		{name: "byhand", what: "refreshed by hand each day", answer: good(day), byHand: true},
		{name: "weak", what: "only an ETag, weak and odd", answer: func(v visit) answer {
			return v.unchanged(answer{status: 200, body: v.document(day, ""), etag: fmt.Sprintf(`W/"v%d"-gzip`, v.since/day)})
		}},
		{name: "unquoted", what: "only an ETag, without quotes", answer: func(v visit) answer {
			return v.unchanged(answer{status: 200, body: v.document(day, ""), etag: fmt.Sprintf("v%d", v.since/day)})
		}},
		{name: "odddate", what: "only a Last-Modified that is no date", answer: func(v visit) answer {
			return v.unchanged(answer{status: 200, body: v.document(day, ""), date: fmt.Sprintf("day %d, about noon", v.since/day)})
		}},
		{name: "none", what: "no validators", answer: func(v visit) answer {
			return answer{status: 200, body: v.document(day, "")}
		}},
		{name: "dropped", what: "validators only until day 10", answer: func(v visit) answer {
			if v.since < 10*day {
				return good(day)(v)
			}
			return answer{status: 200, body: v.document(day, "")}
		}},
		{name: "etagmoves", what: "ETag changes, Last-Modified does not", answer: func(v visit) answer {
			return v.unchanged(answer{status: 200, body: v.document(day, ""), etag: fmt.Sprintf(`"v%d"`, v.since/day), date: "Thu, 01 Jan 2009 00:00:00 GMT"})
		}},
		{name: "datemoves", what: "Last-Modified changes, ETag does not", answer: func(v visit) answer {
			a := answer{status: 200, body: v.document(day, ""), etag: `"same"`, date: v.now.Add(-v.since % day).UTC().Format(http.TimeFormat)}
			if v.Header.Get("If-Modified-Since") == a.date {
				a.status, a.body = 304, ""
			}
			return a
		}},
		{name: "touched", what: "validators change, the body does not", answer: func(v visit) answer {
			return v.unchanged(answer{
				status: 200, body: document(v.URL.Hostname(), v.now.Add(-v.since), 0, day, ""), etag: fmt.Sprintf(`"t%d"`, v.since/(6*time.Hour)),
				date: v.now.Add(-v.since % (6 * time.Hour)).UTC().Format(http.TimeFormat),
			})
		}},
		{name: "renewed", what: "a 304 brings new validators", answer: func(v visit) answer {
			a := answer{status: 304, etag: fmt.Sprintf(`"r%d"`, v.n)}
			if v.n == 0 || v.Header.Get("If-None-Match") != fmt.Sprintf(`"r%d"`, v.n-1) {
				a.status, a.body = 200, v.document(day, "")
			}
			return a
		}, again: 8 * day},
		{name: "cookies", what: "sets cookies", answer: func(v visit) answer {
			a := good(day)(v)
			a.header = []string{"Set-Cookie", fmt.Sprintf("session=%d; Path=/", v.n)}
			return a
		}},
		{name: "deaf", what: "ignores validators", answer: func(v visit) answer {
			return answer{status: 200, body: v.document(3*day, ""), etag: fmt.Sprintf(`"d%d"`, v.since/(3*day))}
		}},
		{name: "stuck", what: "304 for ever", answer: func(v visit) answer {
			if v.Header.Get("If-None-Match") != "" {
				return answer{status: 304}
			}
			return answer{status: 200, body: v.document(6*time.Hour, ""), etag: `"stuck"`, date: "Thu, 01 Jan 1970 00:00:00 GMT"}
		}, again: 8 * day},
		{name: "maxage", what: "max-age of 9 h", answer: func(v visit) answer {
			a := good(day)(v)
			a.header, a.hold = []string{"Cache-Control", "public, max-age=32400"}, 9*time.Hour
			return a
		}},
		{name: "expires", what: "Expires in 6 h", answer: func(v visit) answer {
			a := good(6 * time.Hour)(v)
			a.header, a.hold = []string{"Expires", v.now.Add(6 * time.Hour).UTC().Format(http.TimeFormat)}, 6*time.Hour-time.Second
			return a
		}},
		{name: "aged", what: "max-age of 12 h, 4 h old", answer: func(v visit) answer {
			a := good(day)(v)
			a.header, a.hold = []string{"Cache-Control", "max-age=43200", "Age", "14400"}, 8*time.Hour
			return a
		}},
		{name: "ttl", what: "ttl of 12 h", answer: func(v visit) answer {
			a := v.unchanged(answer{status: 200, body: v.document(day, "<ttl>720</ttl>"), etag: fmt.Sprintf(`"v%d"`, v.since/day)})
			a.hold = 12 * time.Hour
			return a
		}},
		{name: "skip", what: "skipHours 0 to 11", answer: func(v visit) answer {
			var hours strings.Builder
			for h := range 12 {
				fmt.Fprintf(&hours, "<hour>%d</hour>", h)
			}
			a := v.unchanged(answer{status: 200, body: v.document(day, "<skipHours>"+hours.String()+"</skipHours>"), etag: fmt.Sprintf(`"v%d"`, v.since/day)})
			next := v.now.UTC().Truncate(day).Add(day)
			if at := v.now.UTC().Add(time.Hour); at.Hour() < 12 { // before an hour is over it is night
				a.hold = at.Truncate(day).Add(12 * time.Hour).Sub(v.now)
			} else if next.Sub(v.now) < time.Hour {
				a.hold = next.Add(12 * time.Hour).Sub(v.now)
			}
			return a
		}},
		{name: "limit", what: "429, Retry-After of 3 days", answer: refusal(5*day, 8*day, answer{status: 429, header: []string{"Retry-After", seconds(3 * day)}, hold: 3 * day})},
		{name: "limitdate", what: "429, Retry-After as a date", answer: func(v visit) answer {
			if v.since < 5*day || v.since > 7*day {
				return good(day)(v)
			}
			return answer{status: 429, header: []string{"Retry-After", v.now.Add(40 * time.Hour).UTC().Format(http.TimeFormat)}, hold: 40*time.Hour - time.Second}
		}},
		{name: "limitage", what: "429, max-age of 2 days", answer: refusal(5*day, 6*day, answer{status: 429, header: []string{"Cache-Control", "max-age=172800"}, hold: 2 * day})},
		{name: "limitbare", what: "429 without a word", answer: refusal(5*day, 6*day, answer{status: 429, hold: 4 * time.Hour})},
		{name: "forbids", what: "403 after it served us", answer: refusal(5*day, 6*day, answer{status: 403, hold: 4 * time.Hour})},
		{name: "overload", what: "503, Retry-After of 50 h", answer: refusal(5*day, 6*day, answer{status: 503, header: []string{"Retry-After", seconds(50 * time.Hour)}, hold: 50 * time.Hour})},
		{name: "month", what: "429, Retry-After of 20 days", answer: refusal(5*day, 6*day, answer{status: 429, header: []string{"Retry-After", seconds(20 * day)}, hold: 20 * day})},
		{name: "broken", what: "500 from day 5 to 8", answer: refusal(5*day, 8*day, answer{status: 500})},
		{name: "page", what: "a web page from day 5 to 8", answer: refusal(5*day, 8*day, answer{status: 200, body: "<!DOCTYPE html><title>Sign in</title>", etag: `"page"`, page: true})},
		{name: "cut", what: "bodies cut off from day 5 to 7", answer: func(v visit) answer {
			a := good(6 * time.Hour)(v)
			a.cut = v.since >= 5*day && v.since < 7*day && a.status == 200
			return a
		}},
		{name: "missing", what: "404 from day 10", answer: func(v visit) answer {
			if v.since < 10*day {
				return good(day)(v)
			}
			return answer{status: 404}
		}},
		{name: "gone", what: "410 from day 10", answer: refusal(10*day, forever, answer{status: 410, hold: day}), stopped: func(since time.Duration) bool { return since > 13*day }},
		{name: "moved", what: "301 to another address", paths: []string{"/new"}, answer: func(v visit) answer {
			if v.URL.Path == "/feed" {
				return to(301, "/new")
			}
			return good(day)(v)
		}, stopped: func(since time.Duration) bool { return since > 10*day }},
		{name: "found", what: "302 to another address", paths: []string{"/new"}, answer: func(v visit) answer {
			if v.URL.Path == "/feed" {
				return to(302, "/new")
			}
			return good(day)(v)
		}},
		{name: "upgrade", what: "301 from http to https", plain: true, answer: func(v visit) answer {
			if v.URL.Scheme == "http" {
				return to(301, "https://"+v.URL.Host+"/feed")
			}
			return good(day)(v)
		}},
		{name: "loop", what: "redirects in a circle", paths: []string{"/a"}, answer: func(v visit) answer {
			if v.URL.Path == "/feed" {
				return to(302, "/a")
			}
			return to(302, "/feed")
		}},
	}
}
