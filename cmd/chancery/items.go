package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"chancery/feed"
	"chancery/store"
)

// decision is a command that records what a person decided about items.
type decision struct {
	use, short, long string
	least            int // ids
	kind             store.Kind
	done             func(n int) string
}

func (p *program) itemsCommand() *cobra.Command {
	are := func(one, many string) func(int) string {
		return func(n int) string {
			if n == 1 {
				return "1 item " + one
			}
			return fmt.Sprintf("%d items %s", n, many)
		}
	}
	return group("items", "Decide about items: one story or two, withdrawn, taken down",
		p.decideCommand(decision{
			use: "merge", short: "Say that items tell one story", least: 2, kind: store.KindMerge,
			long: `Makes one story of items and of all that their stories have. "items split" with
the items that should leave undoes it. Both are records of the archive with their
reason; no later poll joins or parts what a person decided.`,
			done: are("is one story", "are one story"),
		}),
		p.decideCommand(decision{
			use: "split", short: "Say that items are a story of their own", least: 1, kind: store.KindSplit,
			long: `Takes items out of their stories; together they become one. To part several from
each other, split them one by one. "items merge" undoes it. Both are records of
the archive with their reason.`,
			done: are("is a story of its own", "are one story of their own"),
		}),
		p.decideCommand(decision{
			use: "withdraw", short: "Leave items out of feeds; their content is kept", least: 1, kind: store.KindWithdrawn,
			long: `Leaves items out of feeds and lists. Their content is kept and can be searched and
shown. "items withdraw --undo" brings them back. Both are records of the archive
with their reason.`,
			done: are("withdrawn", "withdrawn"),
		}),
		p.decideCommand(decision{
			use: "takedown", short: "Remove the content of items for good; that they were there stays", least: 1, kind: store.KindTakedown,
			long: `Removes the content of items from the archive for good: title, text, authors,
address and all versions. That there was an item, when it came, and the reason
stay. The documents that the items came in are not kept whole any more, so the
other items of those documents lose "show --raw"; the command says how many. It
cannot be undone; backups taken before still have the content. --dry-run names the
items and what goes with them, and removes nothing. At a terminal the command does
that first and asks, unless --yes is given. "items withdraw" leaves items out of
feeds and keeps their content.`,
			done: are("taken down", "taken down"),
		}),
	)
}

func (p *program) decideCommand(d decision) *cobra.Command {
	var reason string
	var yes, undo, dry bool
	takedown := d.kind == store.KindTakedown
	c := &cobra.Command{
		Use:   d.use + " ID…",
		Short: d.short,
		Long:  d.long + namingItems,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) < d.least && d.least == 1:
				return fmt.Errorf("ID is missing")
			case len(args) < d.least:
				return fmt.Errorf("%s needed, %d given", plural(d.least, "id")+" are", len(args))
			case takedown && strings.TrimSpace(reason) == "" && !dry:
				return fmt.Errorf("--reason is missing: a takedown keeps nothing but that it was, and why")
			}
			return nil
		},
		PreRunE: func(cmd *cobra.Command, args []string) error {
			if !takedown || yes || dry || p.inside != nil || !p.asks() {
				return nil
			}
			if err := p.rehearse(cmd.Context()); err != nil {
				return err
			}
			return p.confirm(fmt.Sprintf("This removes the content of %s from the archive for good.", plural(len(args), "item")))
		},
		RunE: p.archive(changes, func(ctx context.Context, e *Env, args []string) error {
			ids, err := e.itemIDs(ctx, args, takedown)
			if err != nil {
				return err
			}
			slices.SortFunc(ids, func(a, b feed.ItemID) int { return strings.Compare(a.String(), b.String()) })
			ids = slices.Compact(ids)
			if len(ids) < d.least {
				return usageError("the same item twice")
			}
			lost := 0
			if takedown {
				if lost, err = e.rawLost(ctx, ids); err != nil {
					return err
				}
			}
			if dry {
				return e.sayTakedown(ctx, ids, lost)
			}
			if text, err := e.unchanged(ctx, d.kind, ids, undo); err != nil {
				return err
			} else if text != "" {
				return e.printf("%s; nothing was recorded\n", text)
			}
			edit := store.Edit{Kind: d.kind, Items: ids, Reason: reason, By: "command", Undo: undo}
			if err := e.Archive.Change(ctx, []store.Edit{edit}); err != nil {
				if errors.Is(err, store.ErrNotFound) {
					return failWith(exitData, err)
				}
				return err
			}
			if takedown {
				it := "they"
				if len(ids) == 1 {
					it = "it"
				}
				text := fmt.Sprintf("the documents %s came in are not kept whole any more", it)
				if lost > 0 {
					text += fmt.Sprintf(": %s of the same source cannot be shown with \"show --raw\" now", plural(lost, "other item"))
				}
				e.note("%s", text)
			}
			if undo {
				return e.printf("%s back\n", plural(len(ids), "item"))
			}
			return e.printf("%s\n", d.done(len(ids)))
		}),
	}
	usage := "kept with the record"
	if takedown {
		usage += "; required"
	}
	c.Flags().StringVar(&reason, "reason", "", usage)
	if d.kind == store.KindWithdrawn {
		c.Flags().BoolVar(&undo, "undo", false, "bring them back")
	}
	if takedown {
		c.Flags().BoolVar(&yes, "yes", false, "do not ask")
		c.Flags().BoolVar(&dry, "dry-run", false, "name what would go, and remove nothing")
	}
	return c
}

// unchanged says that a decision would change nothing, where that is so.
func (e *Env) unchanged(ctx context.Context, kind store.Kind, ids []feed.ItemID, undo bool) (string, error) {
	if len(ids) > 1000 {
		return "", nil
	}
	items, err := e.Archive.Items(ctx, ids, store.WithStory)
	if errors.Is(err, store.ErrLost) { // nobody can say, and a decision holds for what is lost, too
		return "", nil
	}
	if err != nil || len(items) < len(ids) {
		return "", err
	}
	all := func(has func(*feed.Item) bool) bool {
		return !slices.ContainsFunc(items, func(it feed.Item) bool { return !has(&it) })
	}
	words := func(one, many string) string {
		if len(ids) == 1 {
			return "1 item " + one
		}
		return fmt.Sprintf("%d items %s", len(ids), many)
	}
	oneStory := all(func(it *feed.Item) bool { return it.Story == items[0].Story && it.Original.IsZero() })
	switch {
	case kind == store.KindTakedown && all(func(it *feed.Item) bool { return it.TakenDown }):
		return words("is taken down already", "are taken down already"), nil
	case kind == store.KindWithdrawn && undo && all(func(it *feed.Item) bool { return !it.Withdrawn }):
		return words("is not withdrawn", "are not withdrawn"), nil
	case kind == store.KindWithdrawn && !undo && all(func(it *feed.Item) bool { return it.Withdrawn }):
		return words("is withdrawn already", "are withdrawn already"), nil
	case kind == store.KindMerge && oneStory:
		return words("", "are one story already"), nil
	case kind == store.KindSplit && oneStory && len(items[0].AlsoIn) == len(ids)-1:
		return words("is a story of its own already", "are one story of their own already"), nil
	}
	return "", nil
}

// rehearse has the command line itself say what it would do, on standard error.
func (p *program) rehearse(ctx context.Context) error {
	dry := *p
	dry.args = append([]string{"--dry-run=true"}, p.args...)
	dry.out = p.err
	if status := dry.run(ctx); status != exitDone {
		return quietly(status)
	}
	return nil
}

// sayTakedown says what a takedown would remove.
func (e *Env) sayTakedown(ctx context.Context, ids []feed.ItemID, lost int) error {
	lines, err := e.itemLines(ctx, ids)
	if err != nil {
		return err
	}
	text := "would be removed for good: title, text, authors, address and all versions of"
	if err := e.printf("%s\n%s\n", text, strings.Join(lines, "\n")); err != nil || lost == 0 {
		return err
	}
	return e.printf("and the documents they came in, so that %s of the same source cannot be shown with \"show --raw\"\n", plural(lost, "other item"))
}

// maxNeighbors bounds how many items of a source are looked at for what a
// takedown takes with it.
const maxNeighbors = 20_000

// rawLost counts the items that lose the document they came in when others of it
// are taken down: those whose newest version came in the same bytes.
func (e *Env) rawLost(ctx context.Context, ids []feed.ItemID) (int, error) {
	items, err := e.Archive.Items(ctx, ids[:min(len(ids), 1000)], 0)
	if errors.Is(err, store.ErrCorrupt) { // the only one, and it cannot be read
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	documents := map[feed.Digest]bool{}
	sources := map[feed.SourceID]bool{}
	for _, it := range items {
		sources[it.Source] = true
		for n := 1; n <= it.Revisions; n++ {
			if doc, err := e.Archive.Raw(ctx, it.ID, n); err == nil {
				documents[feed.DigestOf(doc.Body)] = true
			}
		}
	}
	lost, seen := 0, 0
	for source := range sources {
		q := store.HeadQuery{Source: source, Limit: 1000}
		for {
			heads, err := e.Archive.Heads(ctx, q)
			if err != nil {
				return 0, err
			}
			for _, h := range heads {
				if slices.Contains(ids, h.ID) || h.TakenDown {
					continue
				}
				if doc, err := e.Archive.Raw(ctx, h.ID, 0); err == nil && documents[feed.DigestOf(doc.Body)] {
					lost++
				}
				if seen++; seen >= maxNeighbors {
					return lost, nil
				}
				if ctx.Err() != nil {
					return 0, context.Cause(ctx)
				}
			}
			if len(heads) < q.Limit {
				break
			}
			q.After = &heads[len(heads)-1]
		}
	}
	return lost, nil
}

// itemIDs reads ids from a command line and checks that the items exist. lost: one that is
// given in full may also be among what is lost.
func (e *Env) itemIDs(ctx context.Context, args []string, lost bool) ([]feed.ItemID, error) {
	ids := make([]feed.ItemID, len(args))
	for i, a := range args {
		id, err := e.itemID(ctx, a)
		if err != nil {
			return nil, err
		}
		ids[i] = id
	}
	for _, id := range ids {
		known, err := e.knowsItem(ctx, id)
		if err != nil {
			return nil, err
		}
		if !known && (!lost || !e.someLost(ctx)) {
			return nil, dataError("no item %s in the archive", id)
		}
	}
	return ids, nil
}

// knowsItem reports whether an item is in the archive, also where it cannot be read.
func (e *Env) knowsItem(ctx context.Context, id feed.ItemID) (bool, error) {
	q := store.HeadQuery{ByArrival: true, Ascending: true, Limit: 1}
	if before, ok := id.Before(); ok {
		q.After = &store.Head{ID: before}
	}
	heads, err := e.Archive.Heads(ctx, q)
	return err == nil && len(heads) > 0 && heads[0].ID == id, err
}

// someLost reports whether records of the archive are lost: then an item may be in it that
// it does not know.
func (e *Env) someLost(ctx context.Context) bool {
	st, err := e.Archive.Stats(ctx)
	return err == nil && st.Lost > 0
}
