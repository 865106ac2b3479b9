package main

import (
	"testing"

	"chancery/aggregator"
	"chancery/publish/web"
)

// What polls cost publishers is counted by what their servers had to send.
func TestManners(t *testing.T) {
	var m manners
	for _, p := range []aggregator.Polled{
		{Outcome: "fetched", Bytes: 5000, New: 1}, {Outcome: "not_modified"}, {Outcome: "not_modified"}, {Outcome: "unchanged", Bytes: 700}, {Outcome: "failed", Class: "dns"},
	} {
		m.polled(p)
	}
	if got, want := m.counted(), (web.Manners{Polls: 5, Unchanged: 2, Repeated: 1, RepeatedBytes: 700, Failed: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
