package aggregator

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"chancery/feed"
	"chancery/store"
)

// An Importer takes in files one after the other: saved feed documents, OPML, JSON
// Lines of an export, told by their content. They go through the same pipeline as a
// poll. Feed documents wait for others, to be read side by side and committed
// together, in their order. It is for one goroutine.
type Importer struct {
	a       *Aggregator
	waiting []savedDocument
	size    int // of the bodies that wait
}

// savedDocument is a feed document that was read from a file.
type savedDocument struct {
	ImportOptions
	body []byte
}

// FileError is what ended an import, and the file that was being taken in then.
type FileError struct {
	Name string
	Err  error
}

func (f *FileError) Error() string { return f.Name + ": " + f.Err.Error() }
func (f *FileError) Unwrap() error { return f.Err }

const (
	// maxWaiting and maxWaitingSize bound the documents that are committed together.
	maxWaiting     = 16
	maxWaitingSize = 4 << 20
)

// NewImporter makes an importer. Flush ends it.
func (a *Aggregator) NewImporter() *Importer { return &Importer{a: a} }

// Take takes in a file, or keeps it waiting. The summary is of what was taken in by the
// call, files that waited included; their faults are in it, each named. An error, a
// [FileError], is the archive's or of reading r: that file is among the documents of the
// summary, but not among the failed. What waits can go on being taken in.
func (im *Importer) Take(ctx context.Context, o ImportOptions, r io.Reader) (sum Summary, err error) {
	one := Summary{Documents: 1}
	br := bufio.NewReaderSize(r, 64<<10)
	head, err := br.Peek(4 << 10)
	if err != nil && !errors.Is(err, io.EOF) {
		return one, &FileError{o.Name, err}
	}
	var list []byte
	lines := isJSONLines(head)
	if !lines {
		body, err := io.ReadAll(io.LimitReader(br, maxDocument+1))
		if err != nil {
			return one, &FileError{o.Name, err}
		}
		switch {
		case len(body) > maxDocument:
			one.fail(o, fmt.Errorf("larger than %d MiB", maxDocument>>20))
			one.Bytes = int64(len(body))
			return one, nil
		case len(bytes.TrimSpace(body)) == 0:
			one.fail(o, errors.New("the file is empty"))
			one.Bytes = int64(len(body))
			return one, nil
		case !opmlRoot.Match(body[:min(len(body), 4<<10)]):
			im.waiting = append(im.waiting, savedDocument{o, body})
			if im.size += len(body); len(im.waiting) < maxWaiting && im.size < maxWaitingSize {
				return sum, nil
			}
			return im.Flush(ctx)
		}
		list, one.Bytes = body, int64(len(body))
	}
	if sum, err = im.Flush(ctx); err != nil { // files have an order
		return sum, err
	}
	if lines {
		err = im.a.importLines(ctx, o, br, &one)
	} else {
		err = im.a.importOPML(ctx, o, list, &one)
	}
	if err != nil {
		one.Failed = 0 // counted with the error
		err = &FileError{o.Name, err}
	}
	sum.Add(one)
	return sum, err
}

// Flush takes in what waits.
func (im *Importer) Flush(ctx context.Context) (sum Summary, err error) {
	for len(im.waiting) > 0 && err == nil {
		var n int
		n, err = im.a.importTogether(ctx, im.waiting, &sum)
		for _, d := range im.waiting[:n] {
			im.size -= len(d.body)
		}
		im.waiting = im.waiting[n:]
	}
	if len(im.waiting) == 0 {
		im.waiting = nil // with the bodies
	}
	return sum, err
}

// importing is a document on its way in.
type importing struct {
	*savedDocument
	src     store.Source
	adds    bool // src is not in the archive yet
	st      store.PollState
	learned store.PollState
	in      intake
	err     error
	sum     Summary
}

// importTogether takes in the first of some documents, in one commit; n is how many
// those were, also if there is an error. Each belongs to another source: what one
// document of a source brought, the next must find.
func (a *Aggregator) importTogether(ctx context.Context, docs []savedDocument, sum *Summary) (n int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, context.Cause(ctx)
	}
	have, release, err := a.subscriptions(ctx)
	if err != nil {
		sum.Documents++
		return 1, &FileError{docs[0].Name, err}
	}
	defer release()
	var group []*importing
	sources := map[feed.SourceID]bool{}
	for ; n < len(docs); n++ {
		d := &importing{savedDocument: &docs[n], sum: Summary{Documents: 1, Bytes: int64(len(docs[n].body))}}
		d.src, d.st, d.adds, d.err = a.sourceOf(ctx, have, d.ImportOptions, d.body)
		if d.err == nil && sources[d.src.ID] || errors.Is(d.err, store.ErrNotFound) && n > 0 {
			break // its source is that of one before it
		}
		sources[d.src.ID] = true
		if d.adds && d.err == nil {
			have.put(d.src)
		}
		group = append(group, d)
	}
	var wg sync.WaitGroup
	for _, d := range group {
		if d.err == nil {
			wg.Go(func() { d.err = d.read(ctx, a) })
		}
	}
	wg.Wait()
	err = a.appendAll(ctx, group)
	for _, d := range group {
		sum.Add(d.sum)
	}
	return n, err
}

// read takes the document apart.
func (d *importing) read(ctx context.Context, a *Aggregator) (err error) {
	doc := store.Document{Source: d.src.ID, URL: d.Name, Received: a.now(), Body: d.body}
	// Relative references resolve against the feed's address, not the file's name.
	if d.src.URL != "" {
		doc.URL = d.src.Address()
	} else if d.src.Site != "" {
		doc.URL = d.src.Site
	}
	d.learned = d.st
	if d.in, err = a.read(ctx, d.src, &d.learned, doc); err != nil {
		return err
	}
	d.sum.Sources, d.sum.Fetched, d.sum.Seen = 1, 1, d.in.entries
	if d.in.cut() {
		d.sum.name(d.ImportOptions, fmt.Errorf("the document breaks off after %d entries; what was complete of it was taken", d.in.entries))
	}
	d.in.batch.From = d.Name
	if d.adds { // it comes into being with what it brings
		d.in.batch.Add = &d.src
	}
	return nil
}

// appendAll commits what a group of documents brings. The error is that of the first
// document that the archive could not take; further ones are in their summaries.
func (a *Aggregator) appendAll(ctx context.Context, group []*importing) (first error) {
	var ready []*importing
	for _, d := range group {
		if fault, ok := errors.AsType[*unreadable](d.err); ok {
			d.sum.fail(d.ImportOptions, fault)
			d.err = nil
		} else if d.err == nil && d.in.batch.Document != nil {
			ready = append(ready, d)
		}
	}
	if err := a.appendTogether(ctx, ready); err != nil {
		for _, d := range ready { // to learn whose fault it is
			d.err = err
			if len(ready) > 1 {
				d.err = a.appendTogether(ctx, []*importing{d})
			}
		}
	}
	for _, d := range group {
		switch {
		case d.err == nil:
		case first == nil:
			first = &FileError{d.Name, d.err}
		default:
			d.sum.fail(d.ImportOptions, d.err)
		}
	}
	return first
}

// appendTogether makes one commit of some documents, and notes what they taught.
func (a *Aggregator) appendTogether(ctx context.Context, docs []*importing) error {
	if len(docs) == 0 {
		return nil
	}
	batches := make([]store.Batch, len(docs))
	var edits []store.Edit
	for i, d := range docs {
		batches[i] = d.in.batch
		if len(d.learned.Colliding) != len(d.st.Colliding) {
			// What this document taught of ids that name nothing holds for the next one.
			d.st.Colliding = d.learned.Colliding
			edits = append(edits, store.Edit{Kind: store.KindSource, Source: &d.src, State: &d.st, By: "import"})
		}
	}
	outcomes, err := a.archive.Append(ctx, batches...)
	if err != nil {
		return err
	}
	for _, d := range docs {
		n := len(d.in.batch.Drafts)
		d.sum.count(outcomes[:n])
		outcomes = outcomes[n:]
	}
	if len(edits) == 0 {
		return nil
	}
	return a.archive.Change(ctx, edits)
}
