package main

import (
	"cmp"
	"context"
	"encoding/csv"
	"net/url"
	"strings"
	"time"

	"chancery/feed"
	"chancery/feed/html"
	"chancery/feed/itemjson"
	"chancery/publish/render"
	"chancery/publish/web"
)

// itemWriter writes items in a format, one by one.
type itemWriter interface {
	item(hit) error
	end() error
}

// feedHead is what a feed document made by a command is called.
type feedHead struct {
	title string
	path  string // below the base URL, without suffix
	query string // q of its address; may be empty
}

// itemWriter gives the writer for a format.
func (e *Env) itemWriter(ctx context.Context, format string, head feedHead, titles map[feed.SourceID]string) (itemWriter, error) {
	switch format {
	case "table":
		return &tableWriter{e: e, titles: titles}, nil
	case "jsonl":
		return &lineWriter{e: e, titles: titles, marshal: itemjson.Marshal}, nil
	case "csv":
		w := &csvWriter{csv: csv.NewWriter(e.Out), titles: titles}
		return w, w.csv.Write(csvColumns)
	}
	f, ok := render.ParseFormat(format)
	if !ok {
		return nil, usageError("--format %q is not table, jsonl, csv, atom, rss or json", format)
	}
	return e.feedWriter(ctx, f, head)
}

// lineWriter writes JSON Lines, the object of CONTRACT.md part 1.
type lineWriter struct {
	e       *Env
	titles  map[feed.SourceID]string
	marshal func(it *feed.Item, sourceTitle string) ([]byte, error)
}

func (l *lineWriter) item(found hit) error {
	b, err := l.marshal(&found.item, l.titles[found.item.Source])
	if err != nil {
		return err
	}
	_, err = l.e.Out.Write(append(b, '\n'))
	return err
}

func (l *lineWriter) end() error { return nil }

// csvWriter writes RFC 4180 with a line of names. The content is left out: it is
// in jsonl.
type csvWriter struct {
	csv    *csv.Writer
	titles map[feed.SourceID]string
}

var csvColumns = []string{
	"id", "source", "source_title", "title", "url", "authors", "language",
	"published", "updated", "first_seen", "topics", "categories", "revisions", "guid", "state",
}

func (c *csvWriter) item(found hit) error {
	it := &found.item
	instant := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return timeText(t)
	}
	var authors, topics, categories []string
	for _, a := range it.Authors {
		authors = append(authors, cmp.Or(a.Name, a.Email, a.URL))
	}
	for _, t := range it.Topics {
		if t.Score >= 0 {
			topics = append(topics, string(t.Topic))
		}
	}
	for _, k := range it.Categories {
		categories = append(categories, cmp.Or(k.Label, k.Term))
	}
	row := []string{
		it.ID.String(), string(it.Source), c.titles[it.Source], oneLine(html.Plain(it.Title), 0), it.URL,
		strings.Join(authors, "; "), it.Language, instant(it.Published.Time), instant(it.Updated.Time), instant(it.FirstSeen),
		strings.Join(topics, " "), strings.Join(categories, "; "), itoa(it.Revisions), it.Native, stateOf(it),
	}
	for i, cell := range row {
		row[i] = harmless(cell)
	}
	return c.csv.Write(row)
}

// stateOf says in words what was decided about an item as a whole; empty is nothing.
func stateOf(it *feed.Item) string {
	switch {
	case it.TakenDown:
		return "taken down"
	case it.Withdrawn:
		return "withdrawn"
	}
	return ""
}

// harmless keeps spreadsheets from taking a text from the web for a formula: an
// apostrophe before the signs that begin one.
func harmless(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

func (c *csvWriter) end() error {
	c.csv.Flush()
	return c.csv.Error()
}

// baseURL is the address of the public side, as far as it is known here.
func (e *Env) baseURL() string {
	switch {
	case e.Config.Server.BaseURL != "":
		return strings.TrimRight(e.Config.Server.BaseURL, "/")
	case e.Daemon != nil:
		return addressOf(e.Daemon.public)
	}
	return "http://" + e.Config.Server.Listen
}

// feedWriter writes items as a feed, with the addresses that the daemon serves
// them under.
func (e *Env) feedWriter(ctx context.Context, f render.Format, head feedHead) (*feedWriter, error) {
	sources, err := e.Archive.Sources(ctx)
	if err != nil {
		return nil, err
	}
	bySource := make(map[feed.SourceID]render.Source, len(sources))
	for _, s := range sources {
		bySource[s.ID] = render.Source{
			ID: s.ID, Title: cmp.Or(s.Title, string(s.ID)), Site: s.Site, Feed: web.PublicURL(&s.Source), Language: s.Language, Content: s.Content,
		}
	}
	names := map[feed.TopicID]string{}
	for _, t := range e.Config.Topics {
		names[t.ID] = t.Name
	}
	base := e.baseURL()
	self := base + "/" + head.path + ".{format}"
	if head.query != "" {
		self += "?q=" + url.QueryEscape(head.query)
	}
	about := render.Context{
		Others: func(id feed.SourceID) render.Source { return bySource[id] }, Content: e.Config.Publish.Content,
		Label: func(t feed.TopicID) string { return names[t] },
		Page:  func(id feed.ItemID) string { return base + "/items/" + id.String() }, Policy: html.DefaultPolicy(),
	}
	return &feedWriter{
		e: e, format: f,
		feed: render.Feed{
			ID: strings.ReplaceAll(self, "{format}", "atom"), Title: head.title, Self: render.Address(self), Home: base + "/",
			Author: e.Config.Publish.Title, TopicScheme: base + "/topics/", Mixed: true, Updated: time.Unix(0, 0).UTC(),
		},
		entry: func(it *feed.Item) render.Entry {
			of := about
			of.Source = bySource[it.Source]
			return render.Prepare(it, of)
		},
	}, nil
}
