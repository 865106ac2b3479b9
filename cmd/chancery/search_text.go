package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"chancery/store"
)

// snippetLines is of how many lines a snippet has on a terminal at most.
const snippetLines = 4

// cell is a character of a snippet, and whether it is of a place that matched.
type cell struct {
	r      rune
	marked bool
}

// marked gives a piece of text as at most so many lines of so many columns (0: one
// line that is as long as it is), with what matched between on and off. White space
// is folded, what could confuse a terminal is left out, and a "…" stands where the
// text goes on.
func marked(s store.Snippet, columns, lines int, on, off string) []string {
	cells := cellsOf(s)
	if len(cells) == 0 {
		return nil
	}
	var out []string
	for len(cells) > 0 {
		n := fits(cells, columns)
		if len(out)+1 == lines && n < len(cells) { // the last line, and more to come
			n = fits(cells, max(1, columns-1))
			line := strings.TrimRight(paint(cells[:n], on, off), " ")
			return append(out, line+"…")
		}
		out = append(out, paint(cells[:n], on, off))
		cells = cells[n:]
		if len(cells) > 0 && cells[0].r == ' ' {
			cells = cells[1:]
		}
	}
	return out
}

func cellsOf(s store.Snippet) []cell {
	marks := s.Marks
	var cells []cell
	if s.Before {
		cells = append(cells, cell{r: '…'})
	}
	for i, r := range s.Text {
		for len(marks) > 0 && i >= marks[0][1] {
			marks = marks[1:]
		}
		in := len(marks) > 0 && i >= marks[0][0]
		if unicode.IsSpace(r) || printable(string(r)) == " " {
			r = ' '
			if n := len(cells); n == 0 || cells[n-1].r == ' ' {
				continue
			}
		}
		cells = append(cells, cell{r, in})
	}
	for len(cells) > 0 && cells[len(cells)-1].r == ' ' {
		cells = cells[:len(cells)-1]
	}
	if s.After {
		cells = append(cells, cell{r: '…'})
	}
	return cells
}

// fits is how many cells go on a line: up to a space, or a character of a script
// without spaces; a word that is longer than a line is cut.
func fits(cells []cell, columns int) int {
	if columns <= 0 {
		return len(cells)
	}
	used, at := 0, 0
	for i, c := range cells {
		w := runeWidth(c.r)
		if c.r == ' ' || w == 2 && i > 0 {
			at = i
		}
		if used+w > columns && i > 0 {
			return cmp.Or(at, i)
		}
		used += w
	}
	return len(cells)
}

// paint writes cells with what matched between on and off.
func paint(cells []cell, on, off string) string {
	var b strings.Builder
	in := false
	for _, c := range cells {
		if c.marked != in {
			in = c.marked
			if in {
				b.WriteString(on)
			} else {
				b.WriteString(off)
			}
		}
		b.WriteRune(c.r)
	}
	if in {
		b.WriteString(off)
	}
	return b.String()
}

// maxFacets is how many values of a facet a person is shown.
const maxFacets = 12

// facetText shows facets to a person, in lines of so many columns (0: as long as
// they are).
func facetText(f *store.Facets, columns int) string {
	var b strings.Builder
	list := func(name string, all []store.Facet) {
		if len(all) == 0 {
			return
		}
		var parts []string
		for _, v := range all[:min(len(all), maxFacets)] {
			parts = append(parts, fmt.Sprintf("%s %d", cmp.Or(oneLine(v.Name, 30), "unknown"), v.Count))
		}
		if more := len(all) - maxFacets; more > 0 {
			parts = append(parts, fmt.Sprintf("and %d more", more))
		}
		const margin = 11
		line, used := fmt.Sprintf("%-*s", margin, name), margin
		for i, p := range parts {
			if i < len(parts)-1 {
				p += ","
			}
			if columns > 0 && used > margin && used+1+textWidth(p) > columns {
				b.WriteString(strings.TrimRight(line, " ") + "\n")
				line, used = strings.Repeat(" ", margin), margin
			}
			if used > margin {
				line, used = line+" ", used+1
			}
			line, used = line+p, used+textWidth(p)
		}
		b.WriteString(line + "\n")
	}
	list("topics", f.Topics)
	list("sources", f.Sources)
	list("languages", f.Languages)
	if bars := f.Histogram; len(bars) > 0 {
		b.WriteString(histogramText(bars, columns))
	}
	if f.Sampled {
		b.WriteString("(of the items known to match: see the note)\n")
	}
	return b.String()
}

// histogramText shows a course over time: a line for each year, with the count and a
// bar; where the bars are of days or months, one more line for their course.
func histogramText(bars []store.HistogramBar, columns int) string {
	years := map[int]int{}
	most, highest := 0, 0
	for _, h := range bars {
		years[h.From.Year()] += h.Count
		highest = max(highest, h.Count)
	}
	first, last := bars[0].From.Year(), bars[len(bars)-1].From.Year()
	for _, n := range years {
		most = max(most, n)
	}
	var b strings.Builder
	width := min(60, max(10, columns-22))
	if columns == 0 {
		width = 40
	}
	name := "years"
	for y := first; y <= last; y++ {
		bar := strings.Repeat("▇", (years[y]*width+most-1)/most)
		b.WriteString(strings.TrimRight(fmt.Sprintf("%-11s%4d %6d %s", name, y, years[y], bar), " ") + "\n")
		name = ""
	}
	if unit := bars[0].Unit; unit != "year" {
		steps := []rune(" ▁▂▃▄▅▆▇█")
		line := make([]rune, len(bars))
		for i, h := range bars {
			line[i] = steps[(h.Count*(len(steps)-1)+highest-1)/highest]
		}
		layout := map[string]string{"day": "2006-01-02", "month": "2006-01"}[unit]
		name = unit + "s"
		per := len(line)
		if columns > 0 {
			per = max(10, columns-11-len(layout)-1)
		}
		at := 0
		for part := range slices.Chunk(line, per) {
			b.WriteString(strings.TrimRight(fmt.Sprintf("%-11s%s %s", name, bars[at].From.Format(layout), string(part)), " ") + "\n")
			name, at = "", at+len(part)
		}
	}
	return b.String()
}

// underlined shows under a faulty query, on a terminal, where it is wrong.
func (p *program) underlined(err error, text string) error {
	if !p.terminal.Err {
		return err
	}
	return withCaret(err, text)
}
