package parse

import (
	"strings"
	"time"

	"chancery/feed"
)

// Flags of a feed.Date that this package sets (CONFORMANCE P-61 to P-65).
const (
	flagZone     = "zone"     // an unknown zone abbreviation, read as UTC
	flagNoZone   = "no-zone"  // a time of day without a zone, read as UTC
	flagOrder    = "order"    // day and month could be exchanged
	flagWeekday  = "weekday"  // the day of the week is another
	flagRange    = "range"    // before 1990
	flagCalendar = "calendar" // a date of the Iranian calendar, converted
	flagEpoch    = "epoch"    // seconds or milliseconds since 1970
)

// date reads raw into to, unless to has a date already. An unreadable text is
// kept without an instant (P-64).
func (d *Document) date(to *feed.Date, raw string) {
	if to.Raw != "" || raw == "" {
		return
	}
	to.Raw = raw
	to.Time, to.Flag, _ = readDate(raw, orderUnknown)
}

// order is how a feed writes numeric dates.
type order uint8

const (
	orderUnknown order = iota
	dayFirst
	monthFirst
)

// maxDate is longer than any date that means one.
const maxDate = 120

// readDate reads the dates of the wild: RFC 822 and its descendants, W3C-DTF and
// ISO 8601, asctime, and what programs in a dozen languages print. habit decides
// a numeric date that could be either way. The zone of the result is the one
// given. It reports false, and a zero time, for what is no date.
func readDate(s string, habit order) (t time.Time, flag string, ok bool) {
	if len(s) > maxDate {
		return time.Time{}, "", false
	}
	if t, flag, ok = readISO(s); !ok {
		var r dateReader
		if !r.tokens(s) {
			return time.Time{}, "", false
		}
		t, flag, ok = r.assemble(habit)
	}
	if !ok {
		return time.Time{}, "", false
	}
	switch here, utc := t.Year(), t.UTC().Year(); {
	case max(here, utc) > 9999: // RFC 3339, in which it will be written, cannot say it
		return time.Time{}, "", false
	case min(here, utc) < 1000: // the zero time of some program
		return time.Time{}, flagRange, false
	}
	if t.Year() < 1990 && flag == "" {
		flag = flagRange
	}
	return t, flag, true
}

// readISO is the quick way for the two commonest forms, RFC 3339 and RFC 822
// with a numeric zone or GMT, exactly as the standards have them.
func readISO(s string) (time.Time, string, bool) {
	s = strings.TrimSpace(s)
	// In UTC, not in the local zone: what a date is must not depend on the machine.
	if len(s) >= 20 && len(s) <= 35 && s[4] == '-' && s[7] == '-' && s[10] == 'T' && s[13] == ':' {
		t, err := time.ParseInLocation(time.RFC3339, s, time.UTC)
		return t, "", err == nil
	}
	if len(s) >= 28 && len(s) <= 31 && s[3] == ',' {
		for _, layout := range []string{time.RFC1123Z, time.RFC1123} {
			t, err := time.ParseInLocation(layout, s, time.UTC)
			if err != nil || layout == time.RFC1123 && !strings.HasSuffix(s, " GMT") && !strings.HasSuffix(s, " UTC") {
				continue
			}
			if !strings.HasPrefix(s, t.Weekday().String()[:3]) {
				return t, flagWeekday, true
			}
			return t, "", true
		}
	}
	return time.Time{}, "", false
}

// assemble makes an instant of what was read.
func (r *dateReader) assemble(habit order) (time.Time, string, bool) {
	var no time.Time
	if r.hasMaybe {
		if r.month == 0 {
			r.month = r.maybe.month
		} else {
			r.weekday = r.maybe.weekday
		}
	}
	if len(r.nums) == 1 && !r.clock && r.month == 0 && (r.nums[0].digits == 10 || r.nums[0].digits == 13) {
		v := int64(r.nums[0].v)
		if r.nums[0].digits == 13 {
			return time.UnixMilli(v).UTC(), flagEpoch, true
		}
		return time.Unix(v, 0).UTC(), flagEpoch, true
	}
	y, mo, d, flag, ok := r.dayOf(habit)
	if !ok {
		return no, "", false
	}
	if r.jalali || y >= 1300 && y < 1500 {
		if y, mo, d, ok = fromJalali(y, mo, d); !ok {
			return no, "", false
		}
		flag = flagCalendar
	}
	if mo < 1 || mo > 12 || d < 1 || d > daysIn(y, mo) {
		return no, "", false
	}
	if r.pm && r.h < 12 {
		r.h += 12
	}
	if r.am && r.h == 12 {
		r.h = 0
	}
	if r.h > 24 || r.m > 59 || r.s > 60 || r.h == 24 && (r.m > 0 || r.s > 0) {
		return no, "", false
	}
	zone := r.zone
	if zone == nil {
		zone = time.UTC
	}
	t := time.Date(y, time.Month(mo), d, r.h, r.m, r.s, r.ns, zone)
	switch {
	case flag != "":
	case r.unknown:
		flag = flagZone
	case r.weekday != 0 && int(time.Date(y, time.Month(mo), d, 0, 0, 0, 0, time.UTC).Weekday())+1 != r.weekday:
		flag = flagWeekday
	case r.clock && !r.zoned:
		flag = flagNoZone
	}
	return t, flag, true
}

// dayOf finds year, month and day among the numbers.
func (r *dateReader) dayOf(habit order) (y, m, d int, flag string, ok bool) {
	n := r.nums
	if r.week > 0 && len(n) >= 1 {
		return r.weekDay()
	}
	marked := false
	for _, x := range n {
		switch x.marked {
		case 'y':
			y, marked = year(x.v, x.digits), true
		case 'm':
			m = x.v
		case 'd':
			d = x.v
		}
	}
	if marked {
		return y, m, max(d, 1), "", m > 0
	}
	if r.month != 0 {
		return r.named()
	}
	switch len(n) {
	case 1:
		if r.century && n[0].digits == 4 && !r.clock { // -0312
			return year(n[0].v/100, 2), n[0].v % 100, 1, "", true
		}
		if n[0].digits == 5 && !r.clock { // 03335
			return ordinal(year(n[0].v/1000, 2), n[0].v%1000)
		}
		if n[0].digits == 4 && !r.clock {
			return n[0].v, 1, 1, "", true
		}
		if n[0].digits == 7 && !r.clock { // 2003365
			return ordinal(n[0].v/1000, n[0].v%1000)
		}
	case 2:
		if r.century && n[0].digits == 2 && n[1].digits == 2 && !r.clock { // -03-12
			return year(n[0].v, 2), n[1].v, 1, "", true
		}
		if n[0].digits == 2 && n[1].digits == 3 && n[1].before == '-' { // 03-335
			return ordinal(year(n[0].v, 2), n[1].v)
		}
		if n[0].digits == 4 && n[1].digits == 3 {
			return ordinal(n[0].v, n[1].v)
		}
		if n[0].digits == 4 && n[1].digits <= 2 && !r.clock {
			return n[0].v, n[1].v, 1, "", true
		}
	case 3:
		return r.numeric(habit)
	}
	return 0, 0, 0, "", false
}

// named is a date whose month is a word.
func (r *dateReader) named() (y, m, d int, flag string, ok bool) {
	m = r.month
	switch n := r.nums; len(n) {
	case 1:
		if n[0].digits == 4 {
			return n[0].v, m, 1, "", true
		}
	case 2:
		a, b := n[0], n[1]
		if a.digits > 2 || a.v > 31 {
			a, b = b, a
		}
		if b.digits > 2 || b.v > 31 || a.digits <= 2 {
			return year(b.v, b.digits), m, a.v, "", b.digits <= 4 && a.digits <= 2
		}
	}
	return 0, 0, 0, "", false
}

// numeric is a date of three numbers.
func (r *dateReader) numeric(habit order) (y, m, d int, flag string, ok bool) {
	a, b, c := r.nums[0], r.nums[1], r.nums[2]
	if a.digits > 2 {
		return a.v, b.v, c.v, "", a.digits == 4
	}
	if b.before == '-' && c.before == '-' && c.digits <= 2 { // 03-12-31
		return year(a.v, a.digits), b.v, c.v, "", true
	}
	y = year(c.v, c.digits)
	switch {
	case c.digits == 3 || c.digits > 4 || b.digits > 2:
		return 0, 0, 0, "", false
	case a.v > 12 || b.before == '.':
		return y, b.v, a.v, "", true
	case b.v > 12:
		return y, a.v, b.v, "", true
	case a.v == b.v:
		return y, a.v, b.v, "", true
	case habit == dayFirst:
		return y, b.v, a.v, "", true
	case habit == monthFirst:
		return y, a.v, b.v, "", true
	case r.am || r.pm: // a clock of twelve hours goes with the American order
		return y, a.v, b.v, flagOrder, true
	}
	return y, b.v, a.v, flagOrder, true
}

// evidence is the order that a numeric date proves, if it is one that does.
func evidence(s string) order {
	var r dateReader
	if len(s) > maxDate || !r.tokens(s) || r.month != 0 || len(r.nums) != 3 {
		return orderUnknown
	}
	a, b := r.nums[0], r.nums[1]
	if a.digits > 2 || b.digits > 2 || b.before != '/' {
		return orderUnknown
	}
	switch {
	case a.v > 12 && b.v <= 12:
		return dayFirst
	case b.v > 12 && a.v <= 12:
		return monthFirst
	}
	return orderUnknown
}

// weekDay is an ISO week date.
func (r *dateReader) weekDay() (y, m, d int, flag string, ok bool) {
	day := 1
	if len(r.nums) > 1 {
		day = r.nums[1].v
	}
	if r.week > 53 || day < 1 || day > 7 || r.nums[0].digits != 4 {
		return 0, 0, 0, "", false
	}
	jan4 := time.Date(r.nums[0].v, 1, 4, 0, 0, 0, 0, time.UTC)
	monday := jan4.AddDate(0, 0, -(int(jan4.Weekday())+6)%7)
	t := monday.AddDate(0, 0, (r.week-1)*7+day-1)
	return t.Year(), int(t.Month()), t.Day(), "", true
}

func ordinal(y, day int) (int, int, int, string, bool) {
	if day < 1 || day > 366 {
		return 0, 0, 0, "", false
	}
	t := time.Date(y, 1, day, 0, 0, 0, 0, time.UTC)
	return t.Year(), int(t.Month()), t.Day(), "", t.Year() == y
}

// year reads a year of two digits as RFC 5322 §4.3 does.
func year(v, digits int) int {
	switch {
	case digits >= 4:
		return v
	case digits == 3:
		return 1900 + v
	case v < 50:
		return 2000 + v
	}
	return 1900 + v
}

func daysIn(y, m int) int { return time.Date(y, time.Month(m)+1, 0, 0, 0, 0, 0, time.UTC).Day() }

// fromJalali converts a date of the Iranian calendar (Borkowski's arithmetic for
// the 33-year cycle, right from 1244 to 1472).
func fromJalali(jy, jm, jd int) (y, m, d int, ok bool) {
	if jy < 1244 || jy > 1472 || jm < 1 || jm > 12 || jd < 1 || jd > 31 || jm > 6 && jd > 30 {
		return 0, 0, 0, false
	}
	days := 365*(jy-979) + (jy-979)/33*8 + ((jy-979)%33+3)/4
	if jm <= 7 {
		days += (jm - 1) * 31
	} else {
		days += (jm-7)*30 + 186
	}
	t := time.Date(1600, 3, 20, 0, 0, 0, 0, time.UTC).AddDate(0, 0, days+jd-1)
	return t.Year(), int(t.Month()), t.Day(), true
}
