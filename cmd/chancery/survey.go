package main

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"chancery/aggregator/fetch"
	"chancery/aggregator/schedule"
	"chancery/feed"
	"chancery/store"
)

// survey is how everything stands at one moment: what status, metrics, notices and
// the sentence for the service manager are made of, so that they never disagree.
type survey struct {
	At      time.Time
	Stats   store.Stats
	Sources []store.SourceState
	States  map[string]int // sources by state, as SourceState.Word says
	Disk    diskSpace
	Aside   []string // damaged files of the log that were put aside
	// OnlyRead: the archive is too damaged to be written.
	OnlyRead bool

	Polled  int           // sources that are polled at all
	Due     int           // of them, those whose poll is due
	Held    int           // and those whose poll would be, if their host did not want to be left alone
	Lag     time.Duration // for how long the one that is most overdue has been waiting
	NextDue time.Time     // of those that are not due; zero if there is none
	LastAt  time.Time     // last poll
	Changed time.Time     // last poll that brought something
	Failing []store.SourceState
	Silent  []silence // sources that answer, but have not posted for too long
}

// silence is a source of which another post should have come.
type silence struct {
	Source     feed.SourceID
	Newest, By time.Time
}

// diskSpace is the file system that the archive is on, in bytes. Size 0: unknown.
type diskSpace struct{ Free, Size int64 }

// diskOf asks the system; Free is what we may use.
func diskOf(dir string) diskSpace {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return diskSpace{}
	}
	unit := st.Bsize
	return diskSpace{Free: int64(st.Bavail) * unit, Size: int64(st.Blocks) * unit} //nolint:gosec // no disk is so large
}

// surveyOf looks at an archive.
func surveyOf(ctx context.Context, archive store.Store, dir string, now time.Time) (*survey, error) {
	s := &survey{At: now, States: map[string]int{}, Disk: diskOf(dir)}
	s.Aside, _ = filepath.Glob(filepath.Join(dir, "archive", "v*.damaged*"))
	ping := archive.Ping(ctx)
	s.OnlyRead = errors.Is(ping, store.ErrReadOnly) && errors.Is(ping, store.ErrCorrupt) && !ledgerDamaged(ping)
	var err error
	if s.Stats, err = archive.Stats(ctx); err != nil {
		return nil, err
	}
	if s.Sources, err = archive.Sources(ctx); err != nil {
		return nil, err
	}
	var hosts schedule.Hosts
	host := func(src store.Source) string { return fetch.HostKey(src.Address()) }
	hosts.Seed(s.Sources, host)
	for _, src := range s.Sources {
		s.States[src.Word()]++
		if src.Removed || src.Disabled || src.URL == "" {
			continue
		}
		s.take(src, hosts.Until(host(src.Source), now))
	}
	slices.SortFunc(s.Failing, func(a, b store.SourceState) int {
		return cmp.Or(a.State.FirstFailure.Compare(b.State.FirstFailure), cmp.Compare(a.ID, b.ID))
	})
	slices.SortFunc(s.Silent, func(a, b silence) int {
		return cmp.Or(a.By.Compare(b.By), cmp.Compare(a.Source, b.Source))
	})
	return s, nil
}

// take counts a source that is polled, but not before until.
func (s *survey) take(src store.SourceState, until time.Time) {
	s.Polled++
	due := later(src.State.NextDue, src.State.NotBefore)
	if until.After(due) {
		if !due.After(s.At) {
			s.Held++
		}
		due = until
	}
	switch {
	case !due.After(s.At):
		s.Due++
		if !due.IsZero() {
			s.Lag = max(s.Lag, s.At.Sub(due))
		}
	case s.NextDue.IsZero() || due.Before(s.NextDue):
		s.NextDue = due
	}
	s.LastAt, s.Changed = later(s.LastAt, src.State.Polled), later(s.Changed, src.State.Changed)
	if src.State.LastError != "" {
		s.Failing = append(s.Failing, src)
		return
	}
	if newest, by, ok := schedule.Expected(src.State); ok && s.At.After(by) {
		s.Silent = append(s.Silent, silence{src.ID, newest, by})
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// surveys gives surveys to those who ask often: one that is fresh in proportion to
// what it cost is given again, so that asking takes at most a hundredth of a
// processor. It is safe for concurrent use.
type surveys struct {
	archive store.Store
	dir     string

	mu   sync.Mutex // guards all below
	last *survey
	cost time.Duration
}

func (s *surveys) at(ctx context.Context, now time.Time) (*survey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last != nil && now.Sub(s.last.At).Abs() < 100*s.cost {
		return s.last, nil
	}
	begin := time.Now()
	got, err := surveyOf(ctx, s.archive, s.dir, now)
	if err != nil {
		return nil, err
	}
	s.last, s.cost = got, time.Since(begin)
	return got, nil
}
