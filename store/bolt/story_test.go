package bolt

import (
	"fmt"
	"testing"

	"chancery/feed"
	"chancery/store"
	"chancery/store/storetest"
)

// A source that copies a post by the hundred makes nobody read all of that who reads the
// post: it names the first of its story.
func TestStoryOfManyCopies(t *testing.T) {
	s, _ := closing(t)
	defer s.Close()
	ctx := t.Context()
	var drafts []store.Draft
	for i := range 3 * mostAlso / 2 {
		drafts = append(drafts, storetest.Draft(fmt.Sprint(i), "one"))
	}
	first, err := s.Append(ctx, store.Batch{Source: "alpha", Drafts: []store.Draft{storetest.Draft("one", "one")}})
	if err != nil {
		t.Fatal(err)
	}
	copies, err := s.Append(ctx, store.Batch{Source: "beta", Drafts: drafts})
	if err != nil {
		t.Fatal(err)
	}
	last := copies[len(copies)-1].ID
	for _, id := range []feed.ItemID{first[0].ID, last} {
		items, err := s.Items(ctx, []feed.ItemID{id}, store.AllFields)
		if err != nil || len(items) != 1 || len(items[0].AlsoIn) != mostAlso {
			t.Fatalf("%d items, %v; want one, in %d other places", len(items), err, mostAlso)
		}
		want := copies[0].ID
		if id == last {
			want = first[0].ID
		}
		if got := items[0].AlsoIn[0].ID; got != want {
			t.Errorf("the first is %v, want %v", got, want)
		}
		revs, err := s.Revisions(ctx, id)
		if err != nil || len(revs) != 1 || len(revs[0].AlsoIn) != mostAlso {
			t.Errorf("%d versions, %v; want one, in %d other places", len(revs), err, mostAlso)
		}
	}
}
