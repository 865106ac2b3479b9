package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"chancery/store"
)

// Bounds of a group commit (HOUSE part 5): so many records, as far as can be told
// before, and so long that whoever came first waits for others.
const (
	maxGroup = 200
	linger   = 20 * time.Millisecond
	// enough polls share a commit for it to cost each of them little: it waits for no more.
	enough = 8
)

// job is something to be done by the writer. run decides and emits; it may be
// called twice, the second time alone.
type job struct {
	run func(t *txn) error
	// care, instead of run, is work outside a transaction.
	care func() error
	err  error
	done chan struct{}
	// poll: it ends a poll, and can wait a moment for others to be committed with.
	poll bool
	// size is how many drafts it brings.
	size int
	// handed is when it was handed over; see Commit.
	handed time.Time
}

// submit hands a job to the writer and waits until it is durable or has failed.
func (s *Store) submit(ctx context.Context, j *job) error {
	if s.opts.ReadOnly {
		return s.refused()
	}
	if err := ctxErr(ctx); err != nil {
		return err
	}
	j.done, j.handed = make(chan struct{}), time.Now()
	select {
	case <-s.quit:
		return store.ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	case s.jobs <- j:
	}
	// It will be done whatever becomes of ctx, so the caller learns what happened.
	select {
	case <-j.done:
		return j.err
	case <-s.stopped:
	}
	select {
	case <-j.done:
		return j.err
	default:
		return store.ErrClosed
	}
}

// write is the writer goroutine. It ends when it is told to and everything that
// was handed to it is done.
func (s *Store) write() {
	defer close(s.stopped)
	defer s.late.timer.Stop()
	defer s.anchorTimer.Stop()
	for {
		select {
		case j := <-s.jobs:
			s.healNoted()
			s.commit(s.gather(j))
			continue
		case err := <-s.unwell:
			s.healFor(err)
			continue
		case <-s.late.timer.C:
			if err := s.saveLate(); err != nil {
				s.log.Error("poll states are not stored yet", "error", err.Error())
				s.late.timer.Reset(saveAgain)
			}
			continue
		case <-s.anchorTimer.C:
			s.moveAnchor()
			continue
		case <-s.quit:
		}
		for {
			select {
			case j := <-s.jobs:
				s.commit(s.gather(j))
				continue
			default:
				s.late.err = s.saveLate()
				return
			}
		}
	}
}

// gather takes what is queued. While that is only polls, and more polls are under
// way, it waits a moment for those: a commit costs more than what a poll brings, and
// so does whatever follows the log from commit to commit. Whoever has waited for the
// commit before waits no longer.
func (s *Store) gather(first *job) []*job {
	group, polls, size := []*job{first}, first.poll, 1+first.size
	add := func(j *job) {
		group, polls, size = append(group, j), polls && j.poll, size+1+j.size
	}
	for size < maxGroup {
		select {
		case j := <-s.jobs:
			add(j)
			continue
		default:
		}
		break
	}
	left := s.linger - time.Since(first.handed)
	if size >= maxGroup || len(group) >= enough || !polls || left <= 0 || s.underWay() <= len(group) {
		return group
	}
	t := time.NewTimer(left)
	defer t.Stop()
	for polls && size < maxGroup && len(group) < enough {
		select {
		case j := <-s.jobs:
			add(j)
		case <-t.C:
			return group
		case <-s.quit:
			return group
		}
	}
	return group
}

// underWay is how many leases are out.
func (s *Store) underWay() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.leased
}

// commit does a group of jobs, in one commit if none of them fails half-way.
func (s *Store) commit(all []*job) {
	var group []*job
	for _, j := range all {
		if j.care == nil {
			group = append(group, j)
		}
	}
	if len(group) > 0 && !s.attempt(group) {
		for _, j := range group {
			j.err = nil
			s.attempt([]*job{j})
		}
	}
	for _, j := range all {
		if j.care != nil {
			j.err = j.care()
		}
		close(j.done)
	}
	s.grow()
}

// thereAllTheSame is the error of a commit whose records are in the log, although not
// for sure on the disk, or not in the catalog, and that is not to be done again: what a
// person decided would be recorded twice, and the leases of polls have ended.
type thereAllTheSame struct{ error }

func (e thereAllTheSame) Unwrap() error { return e.error }

func isThere(err error) bool {
	_, is := errors.AsType[thereAllTheSame](err)
	return is
}

// attempt tries to do jobs in one commit. False: one of several failed after it
// had changed something; nothing was done, and each must be tried alone.
func (s *Store) attempt(group []*job) bool {
	all := func(err error) bool {
		if len(group) > 1 && !isThere(err) {
			return false
		}
		for _, j := range group {
			j.err = err
		}
		return true
	}
	err := s.upToDate(group)
	if err != nil && !isThere(err) && s.healFor(err) { // the volume that is written was damaged, and is followed by another
		err = s.upToDate(group)
	}
	if err != nil {
		s.noteDamage(err)
		return all(err)
	}
	for _, j := range group { // of one that had changed nothing
		s.noteDamage(j.err)
	}
	return true
}

// upToDate is transact, when the catalog has seen the log.
func (s *Store) upToDate(group []*job) error {
	if s.behind {
		if err := s.catchUp(); err != nil {
			return err
		}
	}
	return s.transact(group)
}

// transact runs the jobs of a group and commits. An error means that none is done.
func (s *Store) transact(group []*job) (err error) {
	defer guard(part("archive"), &err)()
	s.dropAnchor()
	tx, err := s.cat.Begin(true)
	if err != nil {
		return system(err)
	}
	defer func() { _ = tx.Rollback() }()
	c, err := newCatalogTx(tx, s.mem)
	if err != nil {
		return err
	}
	c.isLost = s.isLost
	t := &txn{catalogTx: c, s: s, live: s.vols[len(s.vols)-1], first: c.end + 1, next: c.end + 1, now: time.Now().UTC()}
	if s.near == nil {
		s.near = &nearCache{days: map[uint32]*nearDay{}}
	}
	t.near = s.near
	committed := false
	defer func() {
		if !committed {
			s.near = nil // it may hold what was undone
			s.today.undo()
		}
	}()
	changed, err := s.putLate(c)
	if err != nil {
		return system(err)
	}
	for _, j := range group {
		t.dirty = false
		j.err = j.run(t)
		if j.err != nil && t.dirty {
			return j.err
		}
		changed = changed || t.dirty
	}
	if !changed {
		committed = true
		return nil
	}
	if err := t.finish(); err != nil {
		return system(err)
	}
	decided := time.Now()
	if len(t.recs) > 0 {
		if err := t.live.write(t.recs, nil); err != nil {
			s.behind = true
			if last, lerr := t.live.last(); lerr == nil && last >= t.first {
				return thereAllTheSame{err}
			}
			return err
		}
	}
	// Volume first, catalog second. What readers find in the catalog must be in memory.
	s.mu.Lock()
	for id, k := range t.sources {
		if old := s.mem.sources[id]; old != nil && old.fence != 0 && (k.source.Removed || t.ended[id]) {
			s.leased--
		}
	}
	t.merge()
	s.lateMerged(c)
	s.mu.Unlock()
	if err := tx.Commit(); err != nil {
		s.anchor.doubt(err)
		s.behind = true
		s.keepLate(c)
		err = fmt.Errorf("catalog: %w", system(err))
		if len(t.recs) == 0 {
			return err
		}
		if s.catchUp() != nil {
			return thereAllTheSame{err}
		}
		s.near = nil // as after any commit that failed
	}
	committed = true
	s.wrote += max(t.size, 1)
	s.today.keep()
	s.commits.Add(1)
	s.tellCommit(group, t, decided)
	if len(t.recs) > 0 {
		s.recent.add(t.drafted, t.drafts)
		s.announce(t.end)
		s.grew += t.size
	}
	return nil
}

// announce wakes followers.
func (s *Store) announce(end uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end = end
	if !s.closed {
		close(s.grown)
		s.grown = make(chan struct{})
	}
}

// catchUp makes the catalog and memory agree with the log after a commit that failed.
func (s *Store) catchUp() error {
	mem, err := loadMemory(s.cat)
	if err != nil {
		return err
	}
	s.mu.Lock()
	for id, k := range s.mem.sources { // leases and what is still to be stored outlive it
		if n := mem.sources[id]; n != nil {
			n.fence, n.until, n.later = k.fence, k.until, k.later
		}
	}
	mem.changes = s.mem.changes + 1
	s.mem = mem
	s.mu.Unlock()
	last, err := s.vols[len(s.vols)-1].last()
	if err != nil {
		return err
	}
	if err := s.replay(context.Background(), s.cat, s.mem, last); err != nil {
		return err
	}
	s.behind = false
	s.announce(last)
	return nil
}

// dictAfter is how much of a volume's items must be there before its dictionary is made.
const dictAfter = 512 << 10

// grow is what is due after a commit, and of which nobody waits for the end: a
// dictionary for a young volume, the next volume after a full one. Neither undoes the
// commit if it fails.
func (s *Store) grow() {
	if s.wrote > 0 {
		s.drift(s.wrote)
		s.wrote = 0
	}
	if s.grew == 0 {
		return
	}
	live := s.live()
	if live.dictionary() == nil {
		s.plain += s.grew
		if s.plain >= dictAfter/4 {
			if err := s.makeDict(live); err != nil {
				s.log.Error("no dictionary for the volume", "volume", live.number, "error", err.Error())
			}
			s.plain = 0
		}
	}
	s.grew = 0
	size, err := fileSize(live.path)
	high, herr := live.high()
	if err != nil || herr != nil {
		return
	}
	if min(size, high+2*allocSize) < s.opts.VolumeSize { // room does not count
		live.makeRoom(size, high, s.opts.VolumeSize, s.opts.pace.room)
		return
	}
	if err := s.seal(live); err != nil {
		s.log.Error("the volume is not sealed", "volume", live.number, "error", err.Error())
	}
}

func fileSize(path string) (int64, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return fi.Size(), nil
}

// makeDict gives a volume its dictionary, once it has enough items to make one of.
func (s *Store) makeDict(v *volume) error {
	var bodies [][]byte
	total := 0
	last, err := v.last()
	if err != nil {
		return err
	}
	for seq := v.first; seq <= last && total < 2*dictAfter; seq++ {
		_, f, err := v.read(seq)
		if err != nil {
			return err
		}
		if f.kind != store.KindItem {
			continue
		}
		b, err := v.plain(seq, f)
		if err != nil {
			return err
		}
		bodies = append(bodies, b)
		total += len(b)
	}
	if total < dictAfter {
		return nil
	}
	// A few items whole, or the beginnings of more: which is better depends on the feeds.
	var samples, trials [][]byte
	for i, b := range bodies {
		if i%8 == 7 {
			trials = append(trials, b)
		} else {
			samples = append(samples, b)
		}
	}
	var dict []byte
	least := 0
	for i, share := range dictShares {
		d := sampleDict(samples, share)
		c := newCoders(1, d)
		size := 0
		for _, b := range trials {
			size += len(c.enc.EncodeAll(b, nil))
		}
		if i == 0 || size < least {
			least, dict = size, d
		}
	}
	if err := v.write(nil, dict); err != nil {
		return err
	}
	v.mu.Lock()
	v.setDict(newCoders(v.newest+1, dict))
	v.mu.Unlock()
	return nil
}
