package fetch

import (
	"math"
	"net/http"
	"strings"
	"time"
)

// maxDelta is the largest number of seconds that is told apart (RFC 9111 §1.2.2).
const maxDelta = math.MaxInt32

// Freshness says for how long the server declared the response to be good, from
// now on: the lower bound that HTTP sets on the next poll (RFC 9111 §4.2). Zero
// is no bound. It is never guessed from Last-Modified (CONFORMANCE F-24).
type Freshness struct {
	For time.Duration // what is left of the lifetime
	Why string        // "max-age=3600 less Age 12", or why there is none
}

// FreshnessOf evaluates the header of a response, of any status, received at
// received (F-22). s-maxage is for shared caches and passed over (F-17).
func FreshnessOf(h http.Header, received time.Time) Freshness {
	if len(h["Cache-Control"]) == 0 && len(h["Expires"]) == 0 {
		return Freshness{} // of nearly every 304: it is asked with each answer
	}
	cc := directives(h["Cache-Control"])
	for _, name := range []string{"no-store", "no-cache"} {
		if _, ok := cc[name]; ok {
			return Freshness{Why: name} // F-21: no bound, and it wins over max-age
		}
	}
	date, dateErr := http.ParseTime(h.Get("Date"))
	var life time.Duration
	var why string
	if v, ok := cc["max-age"]; ok {
		seconds, valid := delta(v)
		if !valid {
			return Freshness{Why: "max-age is not a number of seconds"} // RFC 9111 §4.2.1: stale
		}
		life, why = time.Duration(seconds)*time.Second, "max-age"
	} else if lines, ok := h["Expires"]; ok {
		if len(lines) == 0 {
			return Freshness{}
		}
		at, err := http.ParseTime(lines[0])
		if err != nil {
			return Freshness{Why: "Expires is no date, so already over"} // F-19
		}
		from := received
		if dateErr == nil {
			from = date
		}
		life, why = at.Sub(from), "Expires"
	} else {
		return Freshness{}
	}
	age := time.Duration(0)
	if v := h.Get("Age"); v != "" {
		v, _, _ = strings.Cut(v, ",")
		if seconds, ok := delta(strings.TrimSpace(v)); ok {
			age = time.Duration(seconds) * time.Second
		}
	}
	// RFC 9111 §4.2.3: the apparent age counts too, where clocks agree; one that is
	// off by more than a day is a wrong clock and no transit.
	if dateErr == nil && why == "max-age" {
		if apparent := received.Sub(date); apparent > age && apparent < 24*time.Hour {
			age = apparent
		}
	}
	if life <= age {
		return Freshness{Why: why + " is over"}
	}
	return Freshness{For: life - age, Why: why}
}

// directives reads Cache-Control (RFC 9111 §5.2): names in lower case, the first
// of duplicates, quoted strings kept together.
func directives(lines []string) map[string]string {
	var out map[string]string
	for _, line := range lines {
		for line != "" {
			var item string
			item, line = cutDirective(line)
			name, value, _ := strings.Cut(item, "=")
			// White space around "=" is not permitted, and makes another name of it.
			name = strings.ToLower(name)
			if name == "" {
				continue
			}
			if out == nil {
				out = map[string]string{}
			}
			zero := name == "max-age" && value != "" && strings.Trim(value, "0") == ""
			if _, seen := out[name]; !seen || zero { // F-21: max-age=0 wins
				out[name] = value
			}
		}
	}
	return out
}

// cutDirective splits the first member of a list off, honoring quoted strings.
func cutDirective(s string) (item, rest string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ',' && !quoted:
			return strings.Trim(s[:i], " \t"), s[i+1:]
		}
	}
	return strings.Trim(s, " \t"), ""
}

// delta reads delta-seconds: digits only, a quoted form accepted, clamped (F-20).
func delta(s string) (int64, bool) {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		s = s[1 : len(s)-1]
	}
	if s == "" {
		return 0, false
	}
	var n int64
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = min(n*10+int64(s[i]-'0'), maxDelta)
	}
	return n, true
}

// RetryAfter reads the field of that name (RFC 9110 §10.2.3): seconds, or a date
// in one of the three forms. A date counts from the response's own Date, so that
// a server whose clock is wrong is understood, else from received. Garbage is
// ok == false; a date that is past is zero (CONFORMANCE F-50).
func RetryAfter(h http.Header, received time.Time) (wait time.Duration, ok bool) {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if v == "" {
		return 0, false
	}
	if seconds, ok := delta(v); ok && v[0] != '"' {
		return time.Duration(seconds) * time.Second, true
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return 0, false
	}
	from := received
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		from = date
	}
	return max(at.Sub(from), 0), true
}
