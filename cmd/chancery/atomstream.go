package main

import (
	"bytes"
	"context"
	"errors"

	"chancery/publish/render"
)

// atomStream writes an Atom document of any length. The renderer makes a whole
// document at a time, so each batch is rendered as a document of its own, and of
// all but the first only the entries are kept; the head is the same in all.
func (e *Env) atomStream(ctx context.Context, query string) (itemWriter, error) {
	title := "Export"
	if query != "" {
		title += ": " + query
	}
	f, err := e.feedWriter(ctx, render.FormatAtom, feedHead{title: title, path: "search", query: query})
	if err != nil {
		return nil, err
	}
	st, err := e.Archive.Stats(ctx)
	if err != nil {
		return nil, err
	}
	f.feed.Partial = true
	f.feed.Updated = st.Last // RFC 4287 §4.2.15: known before the first entry is read
	return &atomWriter{f: f}, nil
}

type atomWriter struct {
	f     *feedWriter
	begun bool
}

// atomBatch is how many entries are rendered at a time.
const atomBatch = 100

func (a *atomWriter) item(found hit) error {
	if a.f.leaves(&found.item) {
		return nil
	}
	a.f.feed.Entries = append(a.f.feed.Entries, a.f.entry(&found.item))
	if len(a.f.feed.Entries) < atomBatch {
		return nil
	}
	return a.flush()
}

var (
	entryBegin = []byte("<entry")
	feedEnd    = []byte("</feed>")
	errShape   = errors.New("the renderer's Atom document has not the shape that streaming relies on")
)

func (a *atomWriter) flush() error {
	doc, err := render.Atom(&a.f.feed)
	if err != nil {
		return err
	}
	to := bytes.LastIndex(doc, feedEnd)
	if to < 0 {
		return errShape
	}
	from := 0
	if a.begun {
		if from = bytes.Index(doc, entryBegin); from < 0 {
			return errShape
		}
	}
	a.begun = true
	a.f.feed.Entries = a.f.feed.Entries[:0]
	_, err = a.f.e.Out.Write(doc[from:to])
	return err
}

func (a *atomWriter) end() error {
	a.f.sayLeft()
	if len(a.f.feed.Entries) > 0 || !a.begun {
		if err := a.flush(); err != nil {
			return err
		}
	}
	_, err := a.f.e.Out.Write(append(feedEnd, '\n'))
	return err
}
