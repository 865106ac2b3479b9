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
// Lines of an export, any of them packed by gzip, told by their content. They go
// through the same pipeline as a poll. Feed documents wait for others, to be read side
// by side and committed together, in their order. It is for one goroutine.
type Importer struct {
	a       *Aggregator
	waiting []savedDocument
	size    int // of the bodies that wait
}

// savedDocument is a feed document that was read from a file.
type savedDocument struct {
	ImportOptions
	body []byte
	torn *gzipFault // the file breaks off, not the document alone
}

// FileError is what ended an import, and the file that was being taken in then.
type FileError struct {
	Name string
	Err  error
	// Partly: some of the file was taken in before; it is among the documents.
	Partly bool
}

func (f *FileError) Error() string { return f.Name + ": " + f.Err.Error() }
func (f *FileError) Unwrap() error { return f.Err }

const (
	// maxWaiting and maxWaitingSize bound the documents that are committed together. A
	// larger commit costs little less, and leaves more free pages in the catalog.
	maxWaiting     = 8
	maxWaitingSize = 4 << 20
)

// NewImporter makes an importer. Flush ends it.
func (a *Aggregator) NewImporter() *Importer { return &Importer{a: a} }

// Take takes in a file, or keeps it waiting. The summary is of what was taken in by the
// call, files that waited included; their faults are in it, each named. An error, a
// [FileError], is the archive's or of reading r: that file is not counted in the
// summary, unless the error says so. What waits can go on being taken in.
func (im *Importer) Take(ctx context.Context, o ImportOptions, r io.Reader) (sum Summary, err error) {
	var one Summary
	br := bufio.NewReaderSize(r, 64<<10)
	head, err := br.Peek(4 << 10)
	if err == nil && isGzip(head) || errors.Is(err, io.EOF) && isGzip(head) {
		br = bufio.NewReaderSize(newPacked(br), 64<<10)
		head, err = br.Peek(4 << 10)
	}
	if _, ok := errors.AsType[*gzipFault](err); err != nil && !errors.Is(err, io.EOF) && !ok { // reading on tells a gzipFault again
		return one, &FileError{Name: o.Name, Err: err}
	}
	var list []byte
	var torn *gzipFault
	lines := isJSONLines(head)
	if !lines {
		body, err := io.ReadAll(io.LimitReader(br, maxDocument+1))
		one.Bytes = int64(len(body))
		if fault, ok := errors.AsType[*gzipFault](err); ok && fault.torn && len(body) > 0 {
			torn = fault // what there is of it is read as a document that breaks off
		} else if ok {
			one.fail(o, fault)
		} else if err != nil {
			return Summary{}, &FileError{Name: o.Name, Err: err}
		}
		says := otherwise(head)
		switch {
		case len(one.Errors) > 0:
		case says != "":
			one.fail(o, fmt.Errorf("is %s; unpack it and name what was in it", says))
		case len(body) > maxDocument:
			one.fail(o, fmt.Errorf("larger than %d MiB", maxDocument>>20))
		case len(bytes.TrimSpace(body)) == 0:
			one.fail(o, errors.New("the file is empty"))
		case !opmlRoot.Match(body[:min(len(body), 4<<10)]):
			im.waiting = append(im.waiting, savedDocument{o, body, torn})
			if im.size += len(body); len(im.waiting) < maxWaiting && im.size < maxWaitingSize {
				return sum, nil
			}
			return im.Flush(ctx)
		}
		if len(one.Errors) > 0 {
			one.settle(o, false)
			return one, nil
		}
		list = body
	}
	if sum, err = im.Flush(ctx); err != nil { // files have an order
		return sum, err
	}
	var took bool
	if lines {
		took, err = im.a.importLines(ctx, o, br, &one)
	} else {
		took, err = im.a.importOPML(ctx, o, list, &one)
		if torn != nil {
			one.fail(o, torn)
		}
	}
	switch {
	case err == nil:
		one.settle(o, took)
	case took:
		one.Documents, one.Partial = 1, 1
	}
	sum.Add(one)
	if err != nil {
		return sum, &FileError{o.Name, err, took}
	}
	return sum, nil
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
		return 1, &FileError{Name: docs[0].Name, Err: err}
	}
	defer release()
	var group []*importing
	sources := map[feed.SourceID]bool{}
	for ; n < len(docs); n++ {
		d := &importing{savedDocument: &docs[n], sum: Summary{Bytes: int64(len(docs[n].body))}}
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
		d.sum.fail(d.ImportOptions, fmt.Errorf("the document breaks off after %d entries; what was complete of it was taken", d.in.entries))
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
		took := d.err == nil && d.in.head != nil
		switch {
		case d.err == nil && d.torn != nil && len(d.sum.Errors) == 0:
			d.sum.fail(d.ImportOptions, d.torn)
		case d.err == nil:
		case first == nil:
			first = &FileError{Name: d.Name, Err: d.err}
			continue
		default:
			d.sum.fail(d.ImportOptions, d.err)
		}
		d.sum.settle(d.ImportOptions, took)
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
			st := d.st
			st.Colliding = d.learned.Colliding
			edits = append(edits, store.Edit{Kind: store.KindSource, Source: &d.src, State: &st, By: "import"})
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
