package query

import (
	"strconv"
	"strings"
	"time"
)

const wantDate = "a date such as 2009, 2009-01 or 2009-01-31, a range 2009-01..2009-02, a bound >=2009 or a span 7d after the field"

// parseWhen reads a date, a range, a bound or a span. want is empty when it could.
func parseWhen(s string) (w *When, want string) {
	w = &When{Text: s}
	for _, bound := range []string{">=", "<=", ">", "<"} {
		rest, ok := strings.CutPrefix(s, bound)
		if !ok {
			continue
		}
		from, to, ok := parseDay(rest)
		if !ok {
			return nil, wantDate
		}
		switch bound {
		case ">=":
			w.From = from
		case ">":
			w.From = to
		case "<=":
			w.To = to
		case "<":
			w.To = from
		}
		return w, ""
	}
	if a, b, ok := strings.Cut(s, ".."); ok {
		if a == "" && b == "" {
			return nil, wantDate
		}
		if a != "" {
			if w.From, _, ok = parseDay(a); !ok {
				return nil, wantDate
			}
		}
		if b != "" {
			if _, w.To, ok = parseDay(b); !ok {
				return nil, wantDate
			}
		}
		if a != "" && b != "" && !w.From.Before(w.To) {
			return nil, "a range that ends after it begins"
		}
		return w, ""
	}
	if n := len(s) - 1; n > 0 && n <= 5 {
		unit := map[byte]time.Duration{'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour, 'y': 365 * 24 * time.Hour}[s[n]]
		if k, err := strconv.Atoi(s[:n]); unit > 0 {
			if err != nil || k < 1 || k > int(100*365*24*time.Hour/unit) || s[0] == '+' {
				return nil, "a span of one hour (1h) to a hundred years (100y)"
			}
			w.Last = time.Duration(k) * unit
			return w, ""
		}
	}
	var ok bool
	if w.From, w.To, ok = parseDay(s); !ok {
		return nil, wantDate
	}
	return w, ""
}

// parseDay reads a day, month or year as the half-open span it covers, in UTC.
func parseDay(s string) (from, to time.Time, ok bool) {
	for _, f := range []struct {
		layout              string
		years, months, days int
	}{{"2006", 1, 0, 0}, {"2006-01", 0, 1, 0}, {"2006-01-02", 0, 0, 1}} {
		if len(s) != len(f.layout) {
			continue
		}
		if from, err := time.Parse(f.layout, s); err == nil && from.Year() > 0 {
			return from, from.AddDate(f.years, f.months, f.days), true
		}
	}
	return from, to, false
}
