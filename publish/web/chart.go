package web

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"chancery/store"
)

// Chart is a bar chart of counts over time, drawn on the server as SVG by the
// template "chart". Whoever cannot see it reads Summary and, unless it is Small,
// the same counts in a table; every bar and every number is a link if its bar has
// a URL.
type Chart struct {
	ID      string // unique on the page
	Title   string // "Posts a month"
	Summary string // what it shows, in a sentence; newChart writes one
	Small   bool   // without axis and table, for a list
	Noun    string // what is counted, one of it; empty is "post"
	Bars    []Bar  // in order of time, without a gap
}

// Bar is one count of a [Chart].
type Bar struct {
	Label string // "January 2009"
	Short string // beneath the axis; the first and the last are shown, and some between
	Count int
	URL   string // what it counts; empty is no link
	From  time.Time
	Unit  string // "day", "month" or "year"
}

// newChart makes a chart of a histogram. url, if not nil, gives what a bar leads
// to.
func newChart(id, title string, bars []store.HistogramBar, url func(store.HistogramBar) string) Chart {
	return chartOf("", id, title, bars, url)
}

// chartOf is newChart of something else than posts.
func chartOf(noun, id, title string, bars []store.HistogramBar, url func(store.HistogramBar) string) Chart {
	c := Chart{ID: id, Title: title, Noun: noun}
	for _, b := range bars {
		bar := Bar{Label: barLabel(b), Short: barShort(b), Count: b.Count, From: b.From, Unit: b.Unit}
		if url != nil && b.Count > 0 {
			bar.URL = url(b)
		}
		c.Bars = append(c.Bars, bar)
	}
	c.Summary = c.sentence()
	return c
}

func barLabel(b store.HistogramBar) string {
	switch b.Unit {
	case "day":
		return b.From.Format("2 January 2006")
	case "month":
		return b.From.Format("January 2006")
	}
	return b.From.Format("2006")
}

func barShort(b store.HistogramBar) string {
	switch b.Unit {
	case "day":
		return b.From.Format("2 Jan")
	case "month":
		return b.From.Format("Jan 2006")
	}
	return b.From.Format("2006")
}

// barDate is the value of published: that selects a bar.
func barDate(b store.HistogramBar) string {
	switch b.Unit {
	case "day":
		return b.From.Format(time.DateOnly)
	case "month":
		return b.From.Format("2006-01")
	}
	return b.From.Format("2006")
}

// sentence says in words what a chart shows.
func (c *Chart) sentence() string {
	total, most := 0, 0
	for i, b := range c.Bars {
		total += b.Count
		if b.Count > c.Bars[most].Count {
			most = i
		}
	}
	switch {
	case total == 0:
		return "No posts."
	case len(c.Bars) == 1:
		return fmt.Sprintf("%s %s.", c.Counted(total), c.Bars[0].during())
	}
	return fmt.Sprintf("%s from %s to %s; most %s (%s).", c.Counted(total),
		c.Bars[0].Label, c.Bars[len(c.Bars)-1].Label, c.Bars[most].during(), grouped(c.Bars[most].Count))
}

// Counted is a number of what the chart counts.
func (c Chart) Counted(n int) string {
	noun := cmp.Or(c.Noun, "post")
	return plural(n, noun, noun+"s")
}

// during is when a bar is, in a sentence.
func (b *Bar) during() string {
	if b.Unit == "day" {
		return "on " + b.Label
	}
	return "in " + b.Label
}

// Flat reports whether there is nothing to compare, so that a drawing would say no more
// than the sentence.
func (c Chart) Flat() bool { return len(c.Bars) < 2 }

// Max is the highest count.
func (c Chart) Max() int {
	m := 0
	for _, b := range c.Bars {
		m = max(m, b.Count)
	}
	return m
}

// chartHeight is the height of the drawing in its own units; its width is
// barWidth for each bar. The style sheet stretches it.
const (
	chartHeight = 100
	barWidth    = 10
)

// ViewBox is that of the drawing.
func (c Chart) ViewBox() string {
	return fmt.Sprintf("0 0 %d %d", max(len(c.Bars), 1)*barWidth, chartHeight)
}

// DrawnBar is a bar with its place in the drawing.
type DrawnBar struct {
	Bar
	Left, Width int // of the place that the bar has
	X, W        int // of the bar
	Y, H        float64
}

// Drawn are the bars with their places. A count that is not zero is seen, however
// low it is.
func (c Chart) Drawn() []DrawnBar {
	out := make([]DrawnBar, len(c.Bars))
	top := float64(c.Max())
	for i, b := range c.Bars {
		d := DrawnBar{Bar: b, Left: i * barWidth, Width: barWidth, X: i*barWidth + 1, W: barWidth - 2}
		if b.Count > 0 {
			d.H = max(float64(int(1000*float64(b.Count)/top))/10, 2)
		}
		d.Y = chartHeight - d.H
		out[i] = d
	}
	return out
}

// Axis are the labels beneath the drawing: the first, the last and what fits
// between.
func (c Chart) Axis() []string {
	n := len(c.Bars)
	const most = 4
	if n <= most {
		out := make([]string, 0, most)
		for _, b := range c.Bars {
			out = append(out, b.Short)
		}
		return out
	}
	return []string{c.Bars[0].Short, c.Bars[n/2].Short, c.Bars[n-1].Short}
}

// ChartYear is a row of the table of a chart of months.
type ChartYear struct {
	Year  int
	Total int
	Cells [12]Bar
}

// Years are the bars as a table of years and months, the newest year first; nil
// unless they are months.
func (c Chart) Years() []ChartYear {
	var out []ChartYear
	for _, b := range slices.Backward(c.Bars) {
		if b.Unit != "month" {
			return nil
		}
		if n := len(out); n == 0 || out[n-1].Year != b.From.Year() {
			out = append(out, ChartYear{Year: b.From.Year()})
		}
		row := &out[len(out)-1]
		row.Cells[b.From.Month()-1] = b
		row.Total += b.Count
	}
	return out
}

// MonthNames head the columns of Years.
func (c Chart) MonthNames() []string {
	out := make([]string, 12)
	for i := range out {
		out[i] = time.Month(i + 1).String()[:3]
	}
	return out
}

// LastShort is beneath the end of the axis.
func (c Chart) LastShort() string { return c.Bars[len(c.Bars)-1].Short }
