package bolt

import (
	"testing"
	"time"
)

// A commit takes what is queued up to 200 drafts, so that those who come first do not
// wait for all of a crowd. It waits for polls under way, but nobody who has waited
// before waits for that.
func TestGather(t *testing.T) {
	poll := func(drafts int, ago time.Duration) *job {
		return &job{poll: true, size: drafts, handed: time.Now().Add(-ago)}
	}
	var crowd []*job
	for range 30 {
		crowd = append(crowd, poll(20, 0))
	}
	for name, c := range map[string]struct {
		first  *job
		queued []*job
		come   []*job // while it waits
		want   int
	}{
		"a crowd, 21 of each":            {first: poll(20, 0), queued: crowd, want: 10},
		"one that waited for a commit":   {first: poll(1, 2*time.Hour), queued: []*job{poll(1, 0), poll(1, 0)}, want: 3},
		"until something else comes":     {first: poll(1, 0), queued: []*job{poll(1, 0)}, come: []*job{poll(1, 0), {}}, want: 4},
		"something else is there":        {first: poll(1, 0), queued: []*job{{}}, want: 2},
		"it is something else itself":    {first: &job{handed: time.Now()}, want: 1},
		"until there are enough polls":   {first: poll(1, 0), queued: []*job{poll(1, 0), poll(1, 0)}, come: []*job{poll(1, 0), poll(1, 0), poll(1, 0), poll(1, 0), poll(1, 0)}, want: 8},
		"until there are enough records": {first: poll(90, 0), queued: []*job{poll(90, 0)}, come: []*job{poll(30, 0), poll(1, 0)}, want: 3},
	} {
		s := &Store{jobs: make(chan *job, maxGroup), quit: make(chan struct{}), leased: 64, linger: time.Hour}
		for _, j := range c.queued {
			s.jobs <- j
		}
		group := make(chan []*job, 1)
		go func() { group <- s.gather(c.first) }()
		for _, j := range c.come {
			s.jobs <- j
		}
		select {
		case g := <-group:
			if len(g) != c.want {
				t.Errorf("%s: %d in a commit, want %d", name, len(g), c.want)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("%s: it waits and waits", name)
			close(s.quit)
		}
	}
}
