package web

import (
	"slices"
	"testing"

	"chancery/feed/query"
)

// A rule in words says no more than the rule: what must hold beside one of its
// alternatives is told with that one, and rules nothing else out.
func TestRuleInWords(t *testing.T) {
	q, err := query.Parse(`(("Iran" AND NOT lang:es) OR tehran^2 OR (sine OR "irakli*") AND lang:ku OR (a b)) AND NOT miran AND NOT lang:fi`)
	if err != nil {
		t.Fatal(err)
	}
	v := (&Rule{Query: q, Threshold: 2, About: 3}).view()
	texts := func(list []ruleTerm) (out []string) {
		for _, r := range list {
			out = append(out, r.Text)
		}
		return out
	}
	if got, want := texts(v.For), []string{"Iran (not in Spanish)", "tehran", "sine (in Kurdish)", "irakli* (in Kurdish)", "a", "b"}; !slices.Equal(got, want) {
		t.Errorf("for it: %q, want %q", got, want)
	}
	if got, want := texts(v.Never), []string{"miran", "in Finnish"}; !slices.Equal(got, want) {
		t.Errorf("ruled out: %q, want %q", got, want)
	}
}
