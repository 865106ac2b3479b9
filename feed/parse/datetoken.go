package parse

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// number is a run of digits.
type number struct {
	v, digits int
	before    byte // the separator directly before it, 0 if there was space
	marked    byte // 'y', 'm', 'd' by a CJK unit after it
}

// dateReader collects what stands in a date.
type dateReader struct {
	nums     []number
	month    int // by name
	weekday  int // 1 Sunday to 7; 0 none
	jalali   bool
	maybe    word // a word that is a weekday or a month
	h, m, s  int
	ns       int
	clock    bool
	pm, am   bool
	zone     *time.Location
	zoned    bool
	unknown  bool // an unknown zone
	week     int
	hasMaybe bool
	letterT  bool
	century  bool // the date begins with a hyphen: ISO 8601 without its century
}

// tokens reads s from left to right and reports whether it can be a date.
func (r *dateReader) tokens(s string) bool {
	s = strings.TrimSpace(asciiDigits(s))
	r.century = strings.HasPrefix(s, "-")
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c >= '0' && c <= '9':
			n := r.number(s, i)
			if n < 0 {
				return false
			}
			i = n
		case (c == '+' || c == '-' || strings.HasPrefix(s[i:], "−")) && r.clock && !r.zoned && offsetLen(s[i:]) > 0:
			n := offsetLen(s[i:])
			r.offset(s[i : i+n])
			i += n
		case c == '(': // a comment: the zone in words
			j := strings.IndexByte(s[i:], ')')
			if j < 0 {
				return false
			}
			if !r.zoned {
				r.zoneName(s[i+1 : i+j])
				r.zoned = true
			}
			i += j + 1
		default:
			ru, n := utf8.DecodeRuneInString(s[i:])
			if !unicode.IsLetter(ru) && !unicode.IsMark(ru) {
				i += n
				continue
			}
			j := i
			for j < len(s) {
				ru, n := utf8.DecodeRuneInString(s[j:])
				if !unicode.IsLetter(ru) && !unicode.IsMark(ru) && ru != '\'' && ru != '’' && ru != '\u200c' {
					break
				}
				if cjkUnit(ru) != 0 && j > i {
					break
				}
				j += n
				if cjkUnit(ru) != 0 {
					break
				}
			}
			n, ok := r.word(s, i, j)
			if !ok {
				return false
			}
			i = n
		}
		if len(r.nums) > 4 {
			return false
		}
	}
	return true
}

// number reads a run of digits at i: a time of day if a colon follows, else a
// part of the date. It gives where to go on, or -1.
func (r *dateReader) number(s string, i int) int {
	j := i
	for j < len(s) && s[j] >= '0' && s[j] <= '9' {
		j++
	}
	if j-i > 14 {
		return -1
	}
	v := atoi(s[i:j])
	if j < len(s) && s[j] == ':' && j-i <= 2 && !r.clock {
		return r.time(s, v, j)
	}
	if r.clock && !r.zoned && j < len(s) && s[j] == ':' {
		return -1
	}
	num := number{v: v, digits: j - i}
	if i > 0 && (s[i-1] == '/' || s[i-1] == '-' || s[i-1] == '.') {
		num.before = s[i-1]
	}
	// Digits without separators: 20031231, 20031231T101455.
	if len(r.nums) == 0 && !r.clock {
		switch {
		case num.digits == 8 || num.digits == 14:
			r.nums = append(r.nums, number{v: atoi(s[i : i+4]), digits: 4}, number{v: atoi(s[i+4 : i+6]), digits: 2, before: '-'}, number{v: atoi(s[i+6 : i+8]), digits: 2, before: '-'})
			if num.digits == 14 {
				r.clock, r.h, r.m, r.s = true, atoi(s[i+8:i+10]), atoi(s[i+10:i+12]), atoi(s[i+12:j])
			}
			return j
		case num.digits == 6 && j < len(s) || num.digits == 6 && i == 0:
			r.nums = append(r.nums, number{v: year(atoi(s[i:i+2]), 2), digits: 4}, number{v: atoi(s[i+2 : i+4]), digits: 2, before: '-'}, number{v: atoi(s[i+4 : i+6]), digits: 2, before: '-'})
			return j
		}
	}
	if r.letterT && !r.clock && (num.digits == 6 || num.digits == 4) { // T1014, T101455
		r.clock, r.h, r.m = true, atoi(s[i:i+2]), atoi(s[i+2:i+4])
		if num.digits == 6 {
			r.s = atoi(s[i+4 : j])
		}
		return j
	}
	r.nums = append(r.nums, num)
	return j
}

// time reads what follows the hour h of h:mm, h:mm:ss and fractions; j is at the first
// colon.
func (r *dateReader) time(s string, h, j int) int {
	r.clock, r.h = true, h
	k := j + 1
	for k < len(s) && s[k] >= '0' && s[k] <= '9' {
		k++
	}
	if k == j+1 || k-j > 3 {
		return -1
	}
	r.m = atoi(s[j+1 : k])
	if k < len(s) && s[k] == ':' {
		j, k = k, k+1
		for k < len(s) && s[k] >= '0' && s[k] <= '9' {
			k++
		}
		if k == j+1 || k-j > 3 {
			return -1
		}
		r.s = atoi(s[j+1 : k])
	}
	if k+1 < len(s) && (s[k] == '.' || s[k] == ',' || s[k] == ':') && s[k+1] >= '0' && s[k+1] <= '9' {
		unit := int(time.Second)
		for k++; k < len(s) && s[k] >= '0' && s[k] <= '9'; k++ {
			unit /= 10
			r.ns += int(s[k]-'0') * unit
		}
	}
	return k
}

// word reads s[i:j], and gives where to go on.
func (r *dateReader) word(s string, i, j int) (int, bool) {
	ru, _ := utf8.DecodeRuneInString(s[i:j])
	if u := cjkUnit(ru); u != 0 {
		if len(r.nums) > 0 {
			r.nums[len(r.nums)-1].marked = u
		}
		return j, true
	}
	w := foldDate(s[i:j])
	if r.clock && !r.zoned && isASCIIUpper(s[i:j]) && (j-i == 1 || zoneKnown(s[i:j])) {
		return r.afterTime(s, i, j, w)
	}
	if w == "t" && len(r.nums) > 0 && !r.clock {
		r.letterT = true
		return j, true
	}
	if m, ok := dateWords[w]; ok {
		switch {
		case m.ignore:
		case m.am:
			r.am = true
		case m.pm:
			r.pm = true
		case m.month != 0 && m.weekday != 0:
			if r.hasMaybe {
				return j, false
			}
			r.maybe, r.hasMaybe = m, true
		case m.month != 0:
			if r.month != 0 {
				return j, false
			}
			r.month, r.jalali = m.month, m.jalali
		default:
			r.weekday = m.weekday
		}
		return j, true
	}
	if w == "w" && len(r.nums) == 1 { // 2003-W01
		k := j
		for k < len(s) && s[k] >= '0' && s[k] <= '9' {
			k++
		}
		if k-j == 2 || k-j == 3 {
			r.week = atoi(s[j : j+2])
			if k-j == 3 {
				r.nums = append(r.nums, number{v: atoi(s[j+2 : k]), digits: 1, before: 'W'})
			}
			return k, r.week > 0
		}
	}
	if r.zoned {
		return j, true // "+0200 CEST"
	}
	if r.clock || len(r.nums) >= 2 {
		return r.afterTime(s, i, j, w)
	}
	return j, false
}

func zoneKnown(s string) bool {
	_, ok := zones[s]
	return ok
}

// afterTime reads a word as a zone, with the offset that may follow it.
func (r *dateReader) afterTime(s string, i, j int, w string) (int, bool) {
	if w == "etc" && strings.HasPrefix(s[j:], "/") { // Etc/GMT
		return j + 1, true
	}
	if r.zoneName(s[i:j]) {
		// "GMT+2" and "MST-0700" are offsets with a name before them.
		if n := offsetLen(s[j:]); n > 0 && (w == "gmt" || w == "utc" || w == "ut") || n > 2 {
			r.offset(s[j : j+n])
			j += n
		}
		return j, true
	}
	// An abbreviation that nobody knows: read as UTC, and said (P-61).
	if r.clock && j-i <= 5 && isASCIIUpper(s[i:j]) {
		if n := offsetLen(s[j:]); n > 0 {
			r.offset(s[j : j+n])
			return j + n, true
		}
		r.zone, r.zoned, r.unknown = time.UTC, true, true
		return j, true
	}
	return j, false
}

// zoneName takes a zone by its name.
func (r *dateReader) zoneName(name string) bool {
	name = strings.ToUpper(strings.Trim(name, " ."))
	if name == "Z" {
		name = "UTC"
	}
	min, ok := zones[name]
	if !ok {
		return false
	}
	r.zoned = true
	if min == 0 {
		r.zone = time.UTC
	} else {
		r.zone = time.FixedZone(name, min*60)
	}
	return true
}

// offsetLen is the length of a numeric offset that s begins with: +hh, +hmm,
// +hhmm, +hh:mm; 0 if there is none.
func offsetLen(s string) int {
	sign := 1
	if strings.HasPrefix(s, "−") {
		sign = len("−")
	} else if s == "" || s[0] != '+' && s[0] != '-' {
		return 0
	}
	i := sign
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	n := i - sign
	if n == 0 || n > 4 {
		return 0
	}
	if n <= 2 && i+2 < len(s) && s[i] == ':' && s[i+1] >= '0' && s[i+1] <= '9' && s[i+2] >= '0' && s[i+2] <= '9' {
		i += 3
	}
	return i
}

// offset takes a numeric offset.
func (r *dateReader) offset(s string) {
	neg := !strings.HasPrefix(s, "+")
	digits := strings.TrimLeft(s, "+-−")
	h, m := 0, 0
	if a, b, ok := strings.Cut(digits, ":"); ok {
		h, m = atoi(a), atoi(b)
	} else if len(digits) <= 2 {
		h = atoi(digits)
	} else {
		h, m = atoi(digits[:len(digits)-2]), atoi(digits[len(digits)-2:])
	}
	r.zoned = true
	if h > 15 || m > 59 {
		r.zone, r.unknown = time.UTC, true
		return
	}
	sec := h*3600 + m*60
	if neg {
		sec = -sec
	}
	if r.zone = time.UTC; sec != 0 {
		r.zone = time.FixedZone("", sec)
	}
}

func atoi(s string) int {
	n := 0
	for i := range len(s) {
		n = n*10 + int(s[i]-'0')
	}
	return n
}

func isASCIIUpper(s string) bool {
	for i := range len(s) {
		if s[i] < 'A' || s[i] > 'Z' {
			return false
		}
	}
	return true
}
