package main

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"golang.org/x/text/width"

	"chancery/feed"
)

// printable makes a text from a feed safe for a terminal and a log: control
// characters and bidirectional overrides become spaces (CONFORMANCE SEC-32), so
// that a title cannot move the cursor or hide what stands beside it.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r),
			r >= 0x202A && r <= 0x202E, r >= 0x2066 && r <= 0x2069, r == 0x061C, r == 0x200E, r == 0x200F,
			r == 0x2028, r == 0x2029:
			return ' '
		}
		return r
	}, s)
}

// oneLine folds white space and cuts a text to a number of columns.
func oneLine(s string, columns int) string {
	s = strings.Join(strings.Fields(printable(s)), " ")
	if columns <= 0 {
		return s
	}
	used := 0
	for i, r := range s {
		w := runeWidth(r)
		if used+w > columns-1 && used+textWidth(s[i:]) > columns {
			return s[:i] + "…"
		}
		used += w
	}
	return s
}

func textWidth(s string) int {
	n := 0
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

func runeWidth(r rune) int {
	switch {
	case unicode.Is(unicode.Mn, r):
		return 0
	case r >= 0x1100:
		if k := width.LookupRune(r).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
			return 2
		}
	}
	return 1
}

// bytesText is a size for a person.
func bytesText(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d bytes", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}

// plural is a number of things: "1 item", "2 items".
func plural[N int | int64](n N, one string) string {
	many := one + "s"
	if stem, ok := strings.CutSuffix(one, "y"); ok {
		many = stem + "ies"
	}
	if n == 1 {
		many = one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// withoutPrefix takes off a text what stands before it already: who said it.
func withoutPrefix(text string, said ...string) string {
	for again := true; again; {
		again = false
		for _, s := range said {
			if rest, ok := strings.CutPrefix(text, s+": "); ok && s != "" {
				text, again = rest, true
			}
		}
	}
	return text
}

// errorAddress is an address as errors name it: without user and query, which may be
// secrets.
func errorAddress(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	shown := u.Scheme + "://" + u.Host + u.EscapedPath()
	if u.RawQuery != "" {
		shown += "?…"
	}
	return shown
}

// timeText is an instant in UTC as RFC 3339 has it (CONFORMANCE OPS-30), or "-".
func timeText(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

// table writes rows in columns.
func (e *Env) table(rows [][]string) error {
	w := tabwriter.NewWriter(e.Out, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		if _, err := fmt.Fprintln(w, strings.Join(r, "\t")); err != nil {
			return err
		}
	}
	return w.Flush()
}

func sortTags(tags []feed.Tag) {
	slices.SortFunc(tags, func(a, b feed.Tag) int { return cmp.Compare(a.Topic, b.Topic) })
}
