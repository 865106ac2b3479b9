package web

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"strconv"
	"time"

	"chancery/feed"
	"chancery/feed/itemjson"
	"chancery/feed/versions"
	"chancery/publish/render"
	"chancery/store"
)

// maxAnswer is how many bytes of items a page holds at most; it ends early then.
const maxAnswer = 8 << 20

// instant is a time in RFC 3339, UTC, to the nanosecond that is known.
type instant struct{ time.Time }

func (t instant) MarshalJSON() ([]byte, error) { return t.UTC().MarshalJSON() }

// itemJSON is an item as the contract has it. Of one whose text may not be
// republished it has the summary alone (PUB-90).
func (s *Server) itemJSON(it *feed.Item, content bool) (json.RawMessage, error) {
	src := s.lib.Source(it.Source)
	shown := *it
	if render.Restricted(it, src) {
		shown.Summary = feed.Text{Type: feed.PlainText, Value: render.ShortSummary(it)}
		shown.Content = feed.Text{}
	}
	if !content {
		shown.Content = feed.Text{}
	}
	return itemjson.Marshal(&shown, src.Title)
}

// itemsPage is a page of a list of items.
type itemsPage struct {
	Items []json.RawMessage `json:"items"`
	page
}

var listItems = operation{
	id: "listItems", path: "/items", summary: "List items",
	text: "All items, or those of a source, of a topic or of a time, by date or in the order in which they arrived. " +
		"Following `next` with `by=arrival&order=oldest` reads the whole archive once, and what arrives meanwhile comes last. " +
		"A page ends before `limit` when it has 8 MiB.",
	params: []param{
		{name: "source", kind: anID, text: "Only items of this source.", example: "lobelog"},
		{name: "topic", kind: anID, text: "Only items that mention this topic, or are about it.", example: "mek"},
		{name: "from", kind: aDate, text: "Only items dated then or later.", example: "2009-01-01"},
		{name: "to", kind: aDate, text: "Only items dated up to the end of that day, or before that instant."},
		{name: "by", choices: []string{"date", "arrival"}, standard: "date", text: "What the order goes by: the date of the item, or when it came into the archive."},
		{name: "order", choices: []string{"newest", "oldest"}, standard: "newest", text: "What comes first."},
		{name: "content", kind: aSwitch, standard: "true", text: "Whether items have their content."},
		limitParam, cursorParam,
	},
	result: "ItemsPage", paged: true,
	serve: func(ctx context.Context, s *Server, a args) (answer, error) {
		q := store.HeadQuery{
			Source: feed.SourceID(a.text("source")), Topic: feed.TopicID(a.text("topic")), From: a.date("from", false), To: a.date("to", true),
			ByArrival: a.text("by") == "arrival", Ascending: a.text("order") == "oldest", Limit: a.number("limit") + 1,
		}
		var err error
		if q.After, err = parseListCursor(a.text("cursor"), q); err != nil {
			return answer{}, err
		}
		heads, err := s.lib.Heads(ctx, q)
		if err != nil {
			return answer{}, err
		}
		more := len(heads) == q.Limit
		heads = heads[:min(len(heads), q.Limit-1)]
		out := itemsPage{Items: []json.RawMessage{}}
		size, last := 0, -1
		for from := 0; from < len(heads) && size < maxAnswer; {
			part := heads[from:min(len(heads), from+20)]
			got, err := s.itemsOf(ctx, part)
			if err != nil {
				return answer{}, err
			}
			for i, h := range part {
				last = from + i
				it := got[h.ID]
				if it == nil {
					continue // gone between two reads
				}
				b, err := s.itemJSON(it, a.on("content"))
				if err != nil {
					return answer{}, err
				}
				out.Items = append(out.Items, b)
				if size += len(b); size >= maxAnswer {
					break
				}
			}
			from += len(part)
		}
		if last >= 0 && (more || last < len(heads)-1) {
			out.Next = listCursor(q, &heads[last])
		}
		return answer{body: out, next: out.Next}, nil
	},
}

// itemsOf reads the items of heads, by id.
func (s *Server) itemsOf(ctx context.Context, heads []store.Head) (map[feed.ItemID]*feed.Item, error) {
	ids := make([]feed.ItemID, len(heads))
	for i := range heads {
		ids[i] = heads[i].ID
	}
	return s.itemsBy(ctx, ids)
}

// itemsBy reads items whole, by id.
func (s *Server) itemsBy(ctx context.Context, ids []feed.ItemID) (map[feed.ItemID]*feed.Item, error) {
	items, err := s.lib.Items(ctx, ids, store.AllFields)
	if err != nil {
		return nil, err
	}
	by := make(map[feed.ItemID]*feed.Item, len(items))
	for i := range items {
		by[items[i].ID] = &items[i]
	}
	return by, nil
}

// listCursor is behind which item the next page of a list begins, and of which
// list.
func listCursor(q store.HeadQuery, h *store.Head) string {
	b := binary.BigEndian.AppendUint64(nil, listName(q))
	b = binary.BigEndian.AppendUint64(b, uint64(h.Effective.UnixNano())) //nolint:gosec // and back
	b = append(b, h.ID[:]...)
	b = append(b, h.Source...)
	return base64.RawURLEncoding.EncodeToString(b)
}

// listName tells lists apart.
func listName(q store.HeadQuery) uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s\x00%s\x00%d %d %v %v", q.Source, q.Topic, q.From.Unix(), q.To.Unix(), q.ByArrival, q.Ascending)
	return h.Sum64()
}

func parseListCursor(text string, q store.HeadQuery) (*store.Head, error) {
	if text == "" {
		return nil, nil
	}
	const fixed = 8 + 8 + 16
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) < fixed || binary.BigEndian.Uint64(b) != listName(q) || !feed.ValidID(string(b[fixed:])) {
		return nil, store.ErrBadCursor
	}
	h := &store.Head{Source: feed.SourceID(b[fixed:]), Effective: time.Unix(0, int64(binary.BigEndian.Uint64(b[8:]))).UTC()} //nolint:gosec // it was one
	copy(h.ID[:], b[16:])
	return h, nil
}

var oneItem = operation{
	id: "getItem", path: "/items/{id}", summary: "One item",
	text:   "The newest version of an item, or the one asked for.",
	params: []param{itemParam, revisionParam, {name: "content", kind: aSwitch, standard: "true", text: "Whether the item has its content."}},
	result: "Item", fails: []int{http.StatusNotFound, http.StatusGone},
	serve: func(ctx context.Context, s *Server, a args) (answer, error) {
		it, err := s.version(ctx, a.item("id"), a.number("revision"))
		if err != nil {
			return answer{}, err
		}
		b, err := s.itemJSON(it, a.on("content"))
		return answer{body: b, maxAge: 5 * time.Minute}, err
	},
}

// version gives a version of an item, 0 the newest, with the topics and the story
// that it has today. What was taken down is a problem that says what is known.
func (s *Server) version(ctx context.Context, id feed.ItemID, n int) (*feed.Item, error) {
	items, err := s.lib.Items(ctx, []feed.ItemID{id}, store.AllFields)
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return nil, ErrNotFound
	}
	now := &items[0]
	if now.TakenDown {
		return nil, gone(now)
	}
	if n == 0 || n == now.Revision {
		return now, nil
	}
	all, err := s.lib.Revisions(ctx, id)
	if err != nil {
		return nil, err
	}
	it, err := versionAt(all, "revision", n)
	if err != nil {
		return nil, err
	}
	return asToday(it, now), nil
}

// versionAt gives the version that a parameter names.
func versionAt(all []feed.Item, name string, n int) (*feed.Item, error) {
	have := all[len(all)-1].Revisions
	if n < 1 || n > have {
		return nil, noVersion(name, n, have)
	}
	it := versions.At(all, n)
	if it == nil {
		return nil, fmt.Errorf("version %d of %s: %w", n, all[0].ID, store.ErrLost)
	}
	return it, nil
}

// noVersion says of a parameter that it names a version that the item does not have.
func noVersion(name string, n, have int) error {
	detail := fmt.Sprintf("%s: there is no version %d; there are %d", name, n, have)
	if have == 1 {
		detail = fmt.Sprintf("%s: there is no version %d; there is one, as nothing has changed since it came", name, n)
	}
	return &problem{Type: missingVersion, Status: http.StatusNotFound, Title: "No such version", Detail: detail, Parameter: name}
}

// asToday gives a version what belongs to the item and not to the version.
func asToday(old, now *feed.Item) *feed.Item {
	old.Topics, old.AlsoIn, old.Story = now.Topics, now.AlsoIn, now.Story
	old.FirstSeen, old.LastSeen, old.Revisions = now.FirstSeen, now.LastSeen, now.Revisions
	old.Withdrawn, old.TakenDown = now.Withdrawn, now.TakenDown
	return old
}

func gone(it *feed.Item) error {
	return &problem{Type: takenDown, Status: http.StatusGone, Title: "It was taken down", Detail: ErrGone.Error(), Item: graveOf(it)}
}

// isGone reports whether an error is of [Server.version], of something that is not
// there, or not any more.
func isGone(err error) bool {
	p, ok := errors.AsType[*problem](err)
	return ok && (p.Status == http.StatusNotFound || p.Status == http.StatusGone) || errors.Is(err, ErrNotFound) || errors.Is(err, store.ErrNotFound)
}

// revisionJSON is a version in a list of versions.
type revisionJSON struct {
	Revision int             `json:"revision"`
	At       instant         `json:"at"` // when it came into the archive
	Digest   string          `json:"digest"`
	Item     json.RawMessage `json:"item"`
}

type revisionsPage struct {
	ID        feed.ItemID    `json:"id"`
	Revisions []revisionJSON `json:"revisions"`
	page
}

var itemRevisions = operation{
	id: "listRevisions", path: "/items/{id}/revisions", summary: "The versions of an item",
	text: "All versions, oldest first.",
	params: []param{
		itemParam, {name: "content", kind: aSwitch, standard: "false", text: "Whether versions have their content."}, limitParam, cursorParam,
	},
	result: "RevisionsPage", paged: true, fails: []int{http.StatusNotFound, http.StatusGone},
	serve: func(ctx context.Context, s *Server, a args) (answer, error) {
		id := a.item("id")
		all, err := s.versions(ctx, id)
		if err != nil {
			return answer{}, err
		}
		from := 0
		if c := a.text("cursor"); c != "" {
			b, err := base64.RawURLEncoding.DecodeString(c)
			n, nerr := strconv.Atoi(string(b))
			if err != nil || nerr != nil || n < 1 || n > len(all) {
				return answer{}, store.ErrBadCursor
			}
			from = n
		}
		out := revisionsPage{ID: id, Revisions: []revisionJSON{}}
		size := 0
		for i := from; i < len(all); i++ {
			if len(out.Revisions) == a.number("limit") || size >= maxAnswer {
				out.Next = base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(i)))
				break
			}
			it := &all[i]
			b, err := s.itemJSON(it, a.on("content"))
			if err != nil {
				return answer{}, err
			}
			size += len(b)
			out.Revisions = append(out.Revisions, revisionJSON{it.Revision, instant{it.Revised}, it.Digest.String(), b})
		}
		return answer{body: out, next: out.Next}, nil
	},
}

// versions gives all versions of an item, oldest first, each as [Server.version]
// does.
func (s *Server) versions(ctx context.Context, id feed.ItemID) ([]feed.Item, error) {
	now, err := s.version(ctx, id, 0)
	if err != nil {
		return nil, err
	}
	all, err := s.lib.Revisions(ctx, id)
	if err != nil {
		return nil, err
	}
	for i := range all {
		asToday(&all[i], now)
	}
	return all, nil
}

type diffJSON struct {
	ID     feed.ItemID `json:"id"`
	From   revisionRef `json:"from"`
	To     revisionRef `json:"to"`
	Fields []fieldDiff `json:"fields"`
}

type revisionRef struct {
	Revision int     `json:"revision"`
	At       instant `json:"at"`
	Digest   string  `json:"digest"`
}

func refOf(it *feed.Item) revisionRef {
	return revisionRef{it.Revision, instant{it.Revised}, it.Digest.String()}
}

type fieldDiff struct {
	Field   string       `json:"field"`
	Changes []changeJSON `json:"changes"`
}

type changeJSON struct {
	Op   string `json:"op"` // "=", "-" or "+"
	Text string `json:"text"`
}

var itemDiff = operation{
	id: "diffItem", path: "/items/{id}/diff", summary: "What changed between two versions",
	text: "The fields that differ, in words. Of each field, the pieces with `=` and `-` joined are the older text, those with `=` and `+` the newer.",
	params: []param{
		itemParam,
		{name: "from", kind: aNumber, least: 1, most: 1 << 20, required: true, text: "The version to start from."},
		{name: "to", kind: aNumber, least: 1, most: 1 << 20, required: true, text: "The version that it became."},
	},
	result: "Diff", fails: []int{http.StatusNotFound, http.StatusGone},
	serve: func(ctx context.Context, s *Server, a args) (answer, error) {
		old, now, err := s.pair(ctx, a.item("id"), a.number("from"), a.number("to"))
		if err != nil {
			return answer{}, err
		}
		out := diffJSON{ID: now.ID, From: refOf(old), To: refOf(now), Fields: []fieldDiff{}}
		for _, f := range versions.Compare(old, now) {
			d := fieldDiff{Field: f.Name, Changes: []changeJSON{}}
			for _, c := range f.Changes {
				d.Changes = append(d.Changes, changeJSON{c.Op.String(), c.Text})
			}
			out.Fields = append(out.Fields, d)
		}
		return answer{body: out, maxAge: time.Hour}, nil
	},
}

// pair gives two versions of an item for comparing. Of what may not be republished
// they have the summaries alone.
func (s *Server) pair(ctx context.Context, id feed.ItemID, from, to int) (old, now *feed.Item, err error) {
	all, err := s.versions(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	if old, err = versionAt(all, "from", from); err != nil {
		return nil, nil, err
	}
	if now, err = versionAt(all, "to", to); err != nil {
		return nil, nil, err
	}
	two := []feed.Item{*old, *now}
	for i := range two {
		if it := &two[i]; render.Restricted(it, s.lib.Source(it.Source)) {
			it.Summary = feed.Text{Type: feed.PlainText, Value: render.ShortSummary(it)}
			it.Content = feed.Text{}
		}
	}
	return &two[0], &two[1], nil
}

var itemProof = operation{
	id: "proveItem", path: "/items/{id}/proof", summary: "The proof that an item is in the archive",
	text: "A version of the item as the archive keeps it, with what shows that it is one of the records under a signed checkpoint (RFC 9162). " +
		"It is what `chancery prove` prints; the archive's format says how to check it.",
	params: []param{itemParam, revisionParam},
	result: "Proof", fails: []int{http.StatusForbidden, http.StatusNotFound},
	serve: func(ctx context.Context, s *Server, a args) (answer, error) {
		it, err := s.version(ctx, a.item("id"), a.number("revision"))
		switch p, ok := errors.AsType[*problem](err); {
		case ok && p.Item != nil: // taken down: its proof has no content
		case err != nil:
			return answer{}, err
		case render.Restricted(it, s.lib.Source(it.Source)):
			return answer{}, &problem{
				Type: withheld, Status: http.StatusForbidden, Title: "The text may not be republished",
				Detail: "a proof holds the whole text, and of this item only a summary may be republished; the operator can give the proof (chancery prove)",
			}
		}
		p, err := s.lib.Proof(ctx, a.item("id"), a.number("revision"))
		return answer{body: p}, err
	},
}
