package store

import (
	"testing"
	"time"

	"chancery/feed"
)

// A decision is found whatever the order of its items, and only a person's later one of
// the same sort stands before it. A hundred thousand decisions about one item, as a hostile
// file has them, are looked up one by one: each may not cost a look at all others.
func TestDecisionsFound(t *testing.T) {
	a, b, c := feed.ItemID{1}, feed.ItemID{2}, feed.ItemID{3}
	at := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	d := newDecisions()
	d.Add(Edit{Kind: KindMerge, Items: []feed.ItemID{b, a}, At: at, By: "command"})
	for _, test := range []struct {
		e          Edit
		has, later bool
	}{
		{Edit{Kind: KindMerge, Items: []feed.ItemID{a, b}, At: at, By: "command"}, true, false},
		{Edit{Kind: KindMerge, Items: []feed.ItemID{a, b}, At: at.In(time.FixedZone("x", 3600))}, true, false},
		{Edit{Kind: KindMerge, Items: []feed.ItemID{a, b}, First: b, At: at}, false, false},
		{Edit{Kind: KindMerge, Items: []feed.ItemID{a, b, c}, At: at}, false, false},
		{Edit{Kind: KindSplit, Items: []feed.ItemID{b}, At: at.Add(-1)}, false, true},
		{Edit{Kind: KindSplit, Items: []feed.ItemID{b}, At: at.Add(1)}, false, false},
		{Edit{Kind: KindSplit, Items: []feed.ItemID{c, b}, At: at.Add(1), By: "rule"}, false, true},
		{Edit{Kind: KindWithdrawn, Items: []feed.ItemID{b}, At: at.Add(-1)}, false, false},
		{Edit{Kind: KindMerge, Items: []feed.ItemID{c}, At: at.Add(-1), By: "rule"}, false, false},
	} {
		if has, later := d.Has(&test.e), d.Later(&test.e); has != test.has || later != test.later {
			t.Errorf("%v: has %v, later %v; want %v, %v", test.e, has, later, test.has, test.later)
		}
	}
	for i := range 100_000 {
		e := Edit{Kind: KindWithdrawn, Items: []feed.ItemID{a}, At: at.Add(time.Duration(i)), By: "import"}
		if d.Has(&e) || d.Later(&e) {
			t.Fatalf("decision %d is there", i)
		}
		d.Add(e)
	}
}
