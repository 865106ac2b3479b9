package index

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"chancery/store"
)

// facets counts hits by what they are.
func (s *search) facets(hits set) (*store.Facets, error) {
	topics := make([]int, len(s.v.topics))
	sources := make([]int, len(s.v.sources))
	langs := make([]int, len(s.v.langs))
	days := map[int32]int{}
	const day = int64(24 * time.Hour)
	for n := range hits.all {
		if err := s.tick(); err != nil {
			return nil, err
		}
		fx := s.v.fixed(n)
		sources[fx.source]++
		langs[fx.lang()]++
		d := fx.effective / day
		if fx.effective < d*day {
			d-- // before 1970
		}
		days[int32(d)]++
		for _, t := range s.v.tagsOf(n) {
			topics[t>>1]++
		}
	}
	f := &store.Facets{}
	for i, n := range topics {
		f.Topics = count(f.Topics, string(s.v.topics[i]), n)
	}
	for i, n := range sources {
		f.Sources = count(f.Sources, string(s.v.sources[i].id), n)
	}
	for i, n := range langs {
		f.Languages = count(f.Languages, s.v.langs[i], n)
	}
	for _, list := range [][]store.Facet{f.Topics, f.Sources, f.Languages} {
		slices.SortFunc(list, func(a, b store.Facet) int {
			return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name))
		})
	}
	f.Years, f.Histogram = overTime(days)
	return f, nil
}

func count(list []store.Facet, name string, n int) []store.Facet {
	if n == 0 {
		return list
	}
	return append(list, store.Facet{Name: name, Count: n})
}

// A histogram has about a hundred bars: days up to a quarter, months up to ten
// years, else years.
const (
	maxDays   = 92
	maxMonths = 120
)

// overTime counts hits by year, and by the unit that shows their course best. days
// are counted from 1970.
func overTime(days map[int32]int) ([]store.Facet, []store.HistogramBar) {
	if len(days) == 0 {
		return nil, nil
	}
	first, last := int32(0), int32(0)
	begun := false
	for d := range days {
		if !begun {
			first, last, begun = d, d, true
		}
		first, last = min(first, d), max(last, d)
	}
	date := func(d int32) time.Time { return time.Unix(int64(d)*24*3600, 0).UTC() }
	from, to := date(first), date(last)
	months := (to.Year()-from.Year())*12 + int(to.Month()) - int(from.Month()) + 1
	unit := "year"
	switch {
	case last-first < maxDays:
		unit = "day"
	case months <= maxMonths:
		unit = "month"
	}
	slot := func(t time.Time) int {
		switch unit {
		case "day":
			return int(t.Sub(from) / (24 * time.Hour))
		case "month":
			return (t.Year()-from.Year())*12 + int(t.Month()) - int(from.Month())
		}
		return t.Year() - from.Year()
	}
	years := make([]int, to.Year()-from.Year()+1)
	bars := make([]store.HistogramBar, slot(to)+1)
	for i := range bars {
		bars[i].Unit = unit
		switch unit {
		case "day":
			bars[i].From = from.AddDate(0, 0, i)
		case "month":
			bars[i].From = time.Date(from.Year(), from.Month()+time.Month(i), 1, 0, 0, 0, 0, time.UTC)
		default:
			bars[i].From = time.Date(from.Year()+i, 1, 1, 0, 0, 0, 0, time.UTC)
		}
	}
	for d, n := range days {
		t := date(d)
		years[t.Year()-from.Year()] += n
		bars[slot(t)].Count += n
	}
	var list []store.Facet
	for i, n := range years {
		list = count(list, strconv.Itoa(from.Year()+i), n)
	}
	return list, bars
}
