package aggregator

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"

	"chancery/aggregator/normalize"
	"chancery/feed"
	"chancery/feed/opml"
	"chancery/store"
)

// ImportOptions says where a file's posts go.
type ImportOptions struct {
	// Source takes the posts; empty: the source whose address or site the document
	// names, else a new one that is not polled.
	Source feed.SourceID
	// Name of the file, for messages and as its provenance.
	Name string
}

const (
	// maxDocument bounds a saved feed document or OPML file: no honest one is near it.
	maxDocument = 64 << 20
)

// ErrBadData: a file, or parts of it, could not be taken in. What could be was.
var ErrBadData = errors.New("not all was taken in")

const (
	// maxFaults is how many faults of one file are listed one by one.
	maxFaults = 1000
	// maxBadLines is after how many lines with faults the rest of a file is not read:
	// it is no export, and could go on for gigabytes.
	maxBadLines = 100_000
)

// fail lists a fault of a document.
func (s *Summary) fail(o ImportOptions, err error) {
	if s.faults++; s.faults <= maxFaults {
		s.Errors = append(s.Errors, Failure{Source: o.Source, URL: o.Name, Error: err.Error()})
	}
}

// settle counts a document that was gone through; took tells that something of it was
// taken in, or was there already.
func (s *Summary) settle(o ImportOptions, took bool) {
	if more := s.faults - maxFaults; more > 0 {
		s.Errors = append(s.Errors, Failure{Source: o.Source, URL: o.Name, Error: fmt.Sprintf("and %d more faults", more)})
	}
	switch {
	case len(s.Errors) == 0:
		s.Documents = 1
	case took:
		s.Documents, s.Partial = 1, 1
	default:
		s.Failed = 1
	}
}

// isJSONLines tells an export from a JSON Feed by its first member: the contract
// begins each line with the item's id. Other programs put spaces between.
func isJSONLines(head []byte) bool { return firstID.Match(head) && sourceMember.Match(head) }

var (
	firstID      = regexp.MustCompile(`^(?:\x{feff}|\s)*\{[ \t]*"id"[ \t]*:[ \t]*"`)
	sourceMember = regexp.MustCompile(`"source"[ \t]*:[ \t]*"`)
)

var opmlRoot = regexp.MustCompile(`(?is)^[^<]*(?:<[?!][^>]*>[^<]*)*<opml[\s>]`)

// sourceOf finds the source that a saved document belongs to, or says which is to be
// added for it; then adds is true. What is added is among have at once.
func (a *Aggregator) sourceOf(ctx context.Context, have *subscriptions, o ImportOptions, body []byte) (src store.Source, st store.PollState, adds bool, err error) {
	if o.Source != "" {
		s, err := a.archive.Source(ctx, o.Source)
		if errors.Is(err, store.ErrNotFound) {
			src = store.Source{ID: o.Source, Origin: "import", Added: a.now(), Disabled: true}
			if f, err := headOf(body); err == nil && normalize.CanonicalURL(f.URL) != "" {
				src.Site = f.URL // where its posts are at home, for all that anybody knows
			}
			return src, st, true, checkID(src.ID)
		}
		return s.Source, s.State, false, err
	}
	f, err := headOf(body)
	if err != nil {
		return src, st, false, &unreadable{err}
	}
	if normalize.CanonicalURL(f.Self) == "" {
		f.Self = "" // relative to an address that a file does not have
	}
	if normalize.CanonicalURL(f.URL) == "" {
		f.URL = ""
	}
	title := plainTitle(f.Title)
	base := slug(cmp.Or(f.URL, f.Self), title)
	if base == "" {
		name := strings.TrimSuffix(path.Base(o.Name), ".gz")
		base = words(strings.TrimSuffix(name, path.Ext(name)))
	}
	if id, ok := have.named(f, base, title); ok {
		s, err := a.archive.Source(ctx, id)
		return s.Source, s.State, false, err
	}
	src = store.Source{
		ID: have.free(base), URL: f.Self, Title: title, Site: f.URL, Language: f.Language,
		Origin: "import", Added: a.now(), Disabled: true,
	}
	return src, st, true, checkID(src.ID)
}

func checkID(id feed.SourceID) error {
	if !feed.ValidID(string(id)) {
		return fmt.Errorf("%q is not an id: want [a-z0-9][a-z0-9-]*, at most 64 bytes", id)
	}
	return nil
}

func (a *Aggregator) addImported(ctx context.Context, src store.Source) error {
	if err := checkID(src.ID); err != nil {
		return err
	}
	return a.archive.Change(ctx, []store.Edit{{Kind: store.KindSource, Source: &src, By: "import"}})
}

// importOPML subscribes to what a list names. Feeds that are subscribed already
// are no fault: importing a list twice changes nothing. It reports whether anything
// was taken in or was there already; so does importLines.
func (a *Aggregator) importOPML(ctx context.Context, o ImportOptions, body []byte, sum *Summary) (took bool, err error) {
	list, problems, err := opml.Read(body)
	for _, p := range problems {
		sum.fail(o, p)
	}
	if err != nil {
		sum.fail(o, err)
		return false, nil
	}
	have, release, err := a.subscriptions(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	var edits []store.Edit
	for _, out := range list.Feeds() {
		src, err := have.add(store.Source{
			URL: out.XMLURL, Title: cmp.Or(out.Title, out.Text), Site: out.HTMLURL, Language: out.Language, Origin: "opml",
		}, a.now())
		switch {
		case errors.Is(err, ErrKnown): // importing a list twice is no fault
			took = true
		case err != nil:
			sum.fail(o, fmt.Errorf("line %d: %w", out.Line, err))
		default:
			edits = append(edits, store.Edit{Kind: store.KindSource, Source: &src, By: "opml"})
			sum.Added++
		}
	}
	if len(edits) == 0 {
		return took, nil
	}
	if err := a.archive.Change(ctx, edits); err != nil {
		return took, err
	}
	return true, nil
}

// jsonFault says in words what the decoder says of a line that is no JSON.
func jsonFault(err error) error {
	if se, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("is no JSON from byte %d on", se.Offset)
	}
	if te, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%q: a JSON %s cannot stand there", te.Field, te.Value)
	}
	return err
}
