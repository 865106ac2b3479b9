package main

import (
	"strings"
	"testing"
)

// SEC-27: what one search may ask for is bounded, and the refusal says by what.
func TestSearchBounds(t *testing.T) {
	for query, want := range map[string]string{
		strings.Repeat("iran ", 64):                 "",
		strings.Repeat("iran ", 65):                 "65 terms; a search takes at most 64",
		`"` + strings.Repeat("é", 2<<10) + ` iran"`: "4103 bytes; a search takes at most 4096",
	} {
		_, err := searchQuery(query)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || statusOf(err) != exitData) {
			t.Errorf("%.20q…: %v, want %q", query, err, want)
		}
	}
}
