package aggregator

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"chancery/feed"
	"chancery/feed/itemjson"
	"chancery/store"
)

const (
	// importBatch is how many drafts are committed together, and importBytes of how many
	// bytes of lines.
	importBatch = 200
	importBytes = 8 << 20
)

// lines is a file of JSON Lines on its way in: items, and what the archive that they come
// from knew of them.
type lines struct {
	a   *Aggregator
	o   ImportOptions
	sum *Summary

	sources map[feed.SourceID]bool // that the file has named so far
	pending []store.Batch
	place   map[feed.SourceID]int // in pending, of the batch that takes more of a source
	waiting []waiting
	drafts  int
	bytes   int
	took    bool

	held      map[feed.ItemID][]heldLine // by the item that they wait for
	heldBytes int
	newest    feed.ItemID // that was taken

	elsewhere map[feed.ItemID]feed.ItemID // items that have another id here
	stories   stories
	decided   *store.Decisions // of the log here; nil until it is asked for
}

// heldLine is a line that waits for the one of the item that its story is named after, so
// that this comes before it here, too.
type heldLine struct {
	line   int
	record *itemjson.Record
	size   int
}

// maxHeld bounds the lines that are held, in bytes. Those beyond come in as they stand.
const maxHeld = 32 << 20

// waiting is an item that waits for its commit.
type waiting struct {
	line  int
	id    feed.ItemID // in the file
	batch int         // place of its drafts: from first to last of that batch
	first int
	last  int
}

// importLines takes in what export wrote, some lines a commit; what was decided about
// several items at once comes at the end.
func (a *Aggregator) importLines(ctx context.Context, o ImportOptions, r io.Reader, sum *Summary) (took bool, err error) {
	l := &lines{
		a: a, o: o, sum: sum, sources: map[feed.SourceID]bool{}, place: map[feed.SourceID]int{},
		elsewhere: map[feed.ItemID]feed.ItemID{}, held: map[feed.ItemID][]heldLine{},
	}
	in := lineReader{r: bufio.NewReaderSize(r, 64<<10)}
	for in.next() {
		line := in.n
		if line == 1 {
			in.line = bytes.TrimPrefix(in.line, []byte("\ufeff"))
		}
		if len(bytes.TrimSpace(in.line)) == 0 {
			continue
		}
		sum.Bytes += int64(len(in.line)) + 1
		r, err := itemjson.Unmarshal(in.line)
		if err != nil {
			sum.fail(o, fmt.Errorf("line %d: %w", line, jsonFault(err)))
			if sum.faults < maxBadLines {
				continue
			}
			sum.faults = maxFaults // what is listed says it all
			sum.Errors = append(sum.Errors, Failure{Source: o.Source, URL: o.Name, Error: fmt.Sprintf("line %d: the %dth with a fault; what follows was not read", line, maxBadLines)})
			break
		}
		now := heldLine{line, &r, len(in.line)}
		if r.Story.Compare(r.ID) > 0 && r.Story.Compare(l.newest) > 0 && l.heldBytes+now.size <= maxHeld {
			if err := l.source(ctx, &r); err != nil { // the first line of a source says what it is
				return l.took, err
			}
			l.held[r.Story] = append(l.held[r.Story], now)
			l.heldBytes += now.size
			continue
		}
		if err := l.takeWith(ctx, now); err != nil {
			return l.took, err
		}
	}
	if errors.Is(in.err, bufio.ErrTooLong) {
		sum.fail(o, fmt.Errorf("line %d: longer than %d MiB; it and what follows was not read", in.n, itemjson.MaxLine>>20))
	} else if in.err != nil {
		sum.fail(o, fmt.Errorf("line %d: %w", in.n, in.err))
	}
	var left []heldLine // for what is not in the file
	for _, list := range l.held {
		left = append(left, list...)
	}
	slices.SortFunc(left, func(a, b heldLine) int { return a.line - b.line })
	clear(l.held)
	for _, h := range left {
		if err := l.takeWith(ctx, h); err != nil {
			return l.took, err
		}
	}
	if err := l.flush(ctx); err != nil {
		return l.took, err
	}
	return l.took, l.settleStories(ctx)
}

// takeWith takes a line, and those that waited for it.
func (l *lines) takeWith(ctx context.Context, first heldLine) error {
	for list := []heldLine{first}; len(list) > 0; list = list[1:] {
		h := list[0]
		l.bytes += h.size
		if err := l.take(ctx, h.line, h.record); err != nil {
			return err
		}
		if l.drafts >= importBatch || l.bytes >= importBytes {
			if err := l.flush(ctx); err != nil {
				return err
			}
		}
		id := h.record.ID
		if id.Compare(l.newest) > 0 {
			l.newest = id
		}
		for _, waits := range l.held[id] {
			l.heldBytes -= waits.size
			list = append(list, waits)
		}
		delete(l.held, id)
	}
	return nil
}

// take prepares what a line brings.
func (l *lines) take(ctx context.Context, line int, r *itemjson.Record) error {
	l.sum.Seen++
	keys, err := keysOf(r.KnownAs)
	if err != nil {
		l.sum.fail(l.o, fmt.Errorf("line %d: known_as: %w", line, err))
		return nil
	}
	if r.TakenDown && len(keys) == 0 {
		l.took = true
		return nil // nothing to keep, and nothing by which it could be known
	}
	if err := l.source(ctx, r); err != nil {
		return err
	}
	src := cmp.Or(l.o.Source, r.Source)
	if len(r.AlsoIn) > 0 {
		clear(l.place) // what it joins comes before it
	}
	at, ok := l.place[src]
	if !ok {
		at = len(l.pending)
		l.place[src], l.pending = at, append(l.pending, store.Batch{Source: src, From: l.o.Name})
	}
	b := &l.pending[at]
	w := waiting{line: line, id: r.ID, batch: at, first: len(b.Drafts)}
	b.Drafts = append(b.Drafts, l.draftsOf(src, r, keys)...)
	w.last = len(b.Drafts) - 1
	l.waiting = append(l.waiting, w)
	l.drafts += len(b.Drafts) - w.first
	if err := l.stories.take(line, r); err != nil {
		l.sum.fail(l.o, fmt.Errorf("line %d: %w", line, err))
	}
	return nil
}

// source sees to it that there is the source of an item.
func (l *lines) source(ctx context.Context, r *itemjson.Record) error {
	src := cmp.Or(l.o.Source, r.Source)
	if l.sources[src] {
		return nil
	}
	if err := l.a.ensureSource(ctx, src, &r.From); err != nil {
		return err
	}
	l.sources[src] = true
	l.sum.Sources++
	return nil
}

// flush commits what is pending.
func (l *lines) flush(ctx context.Context) error {
	if len(l.waiting) == 0 {
		return nil
	}
	outcomes, err := l.a.archive.Append(ctx, l.pending...)
	if err != nil {
		return fmt.Errorf("from line %d on: %w", l.waiting[0].line, err)
	}
	l.took = true
	starts := make([]int, len(l.pending)) // of the outcomes of each batch
	for i := 1; i < len(starts); i++ {
		starts[i] = starts[i-1] + len(l.pending[i-1].Drafts)
	}
	var edits []store.Edit
	for _, w := range l.waiting {
		decided := l.pending[w.batch].Drafts[w.last].Recorded.Decided
		first, last := outcomes[starts[w.batch]+w.first], outcomes[starts[w.batch]+w.last]
		if last.ID != w.id {
			l.elsewhere[w.id] = last.ID
		}
		if first.State == store.New || first.State == store.Duplicate {
			l.sum.count([]store.Outcome{first}) // with its versions
			if l.decided != nil {
				for _, e := range decided {
					e.Items = []feed.ItemID{last.ID}
					l.decided.Add(e)
				}
			}
			continue
		}
		l.sum.count([]store.Outcome{last})
		more, err := l.decide(ctx, w.line, last.ID, decided)
		if err != nil {
			return err
		}
		edits = append(edits, more...)
	}
	l.pending, l.waiting, l.drafts, l.bytes = nil, nil, 0, 0
	clear(l.place)
	if len(edits) == 0 {
		return nil
	}
	return l.a.archive.Change(ctx, edits)
}

// decide gives what was decided elsewhere about an item that was here before and is to be
// recorded here: what is not yet, and older than anything of the sort that was decided
// here. Content that is here is not removed by a file; that is only said.
func (l *lines) decide(ctx context.Context, line int, id feed.ItemID, decided []store.Edit) ([]store.Edit, error) {
	var out []store.Edit
	for _, e := range decided {
		if e.At.IsZero() {
			continue // only a state, and its state here is another matter
		}
		e.Items = []feed.ItemID{id}
		d, err := l.log(ctx)
		if err != nil {
			return nil, err
		}
		if d.Has(&e) || d.Later(&e) {
			continue
		}
		items, err := l.a.archive.Items(ctx, e.Items, 0)
		if err != nil || len(items) == 0 {
			return nil, err
		}
		if e.Kind == store.KindTakedown {
			if !items[0].TakenDown {
				l.sum.fail(l.o, fmt.Errorf(`line %d: item %v was taken down there and stays here, until "chancery items takedown" says so`, line, id))
			}
			continue
		}
		if e.Kind == store.KindTopics {
			e.Topics = withTags(items[0].Topics, e.Topics)
		}
		d.Add(e)
		out = append(out, e)
	}
	return out, nil
}

// log is what was decided here.
func (l *lines) log(ctx context.Context) (*store.Decisions, error) {
	if l.decided == nil {
		var err error
		if l.decided, err = store.ReadDecisions(ctx, l.a.archive); err != nil {
			return nil, err
		}
	}
	return l.decided, nil
}

func keysOf(texts []string) ([]store.Key, error) {
	var keys []store.Key
	for _, s := range texts {
		k, err := store.ParseKey(s)
		if err != nil {
			return nil, err
		}
		if k.Class == store.KeyURL || k.Class == store.KeyText {
			return nil, fmt.Errorf("%.60q is not a key within a source", s)
		}
		keys = append(keys, k)
	}
	return keys, nil
}

func (a *Aggregator) ensureSource(ctx context.Context, id feed.SourceID, of *itemjson.Source) error {
	there, err := a.archive.Source(ctx, id)
	if err == nil && !there.Forgotten() || err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	src := store.Source{ID: id, URL: of.URL, Title: of.Title, Site: of.Site, Origin: "import", Added: a.now(), Disabled: true}
	if m := of.More; m != nil {
		src.Language, src.Removed = m.Language, m.Removed
		if m.Content == "full" || m.Content == "summary" {
			src.Content = m.Content
		}
		if !m.Added.IsZero() && m.Added.Before(src.Added) {
			src.Added = m.Added
		}
		for _, t := range m.Topics {
			if feed.ValidID(string(t)) {
				src.Topics = append(src.Topics, t)
			}
		}
		for _, v := range m.Moves {
			src.Moves = append(src.Moves, store.Move(v))
		}
	}
	return a.addImported(ctx, src)
}
