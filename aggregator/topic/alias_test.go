package topic_test

import (
	"os"
	"strings"
	"testing"

	"chancery/feed"
	"chancery/feed/feedtest"
	"chancery/feed/query"
)

// The names that a reader of many languages collected are known to the rules:
// nearly all strong ones in the languages that matter, each in a title of its own.
// What is left out is left out for a reason: plain words and common surnames.
func TestKnownNames(t *testing.T) {
	b, err := os.ReadFile(feedtest.Reference(t, "topics-aliases.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	s := compile(t, defaults(t)...)
	const languages = " en fa ar fr de es it ru tr ku he nl sv pt zh ja "
	found, all := map[string]int{}, map[string]int{}
	for _, line := range strings.Split(string(b), "\n")[1:] {
		f := strings.Split(line, "\t")
		if len(f) < 5 || f[4] != "strong" || !strings.Contains(languages, " "+f[2]+" ") {
			continue
		}
		all[f[0]]++
		ok := false
		for _, tag := range s.Tag(query.NewTextDoc(f[1], f[1], f[2])) {
			ok = ok || tag.Topic == feed.TopicID(strings.ToLower(f[0]))
		}
		if ok {
			found[f[0]]++
		} else {
			t.Logf("%s %s: %s (%s)", f[0], f[2], f[1], f[3])
		}
	}
	if len(all) == 0 {
		t.Error("no names to know")
	}
	for id, n := range all {
		t.Logf("%s: %d of %d", id, found[id], n)
		if share := float64(found[id]) / float64(n); share < 0.9 {
			t.Errorf("%s: knows %.2f of the strong names", id, share)
		}
	}
}
