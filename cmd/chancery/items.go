package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"chancery/feed"
	"chancery/store"
)

func (p *program) itemsCommand() *cobra.Command {
	var reason string
	decide := func(use, short string, least int, kind store.Kind, done string) *cobra.Command {
		c := &cobra.Command{
			Use:   use + " ID…",
			Short: short,
			Args: func(_ *cobra.Command, args []string) error {
				if len(args) < least {
					return fmt.Errorf("%d ids are needed, %d given", least, len(args))
				}
				return nil
			},
			RunE: p.archive(writes, func(ctx context.Context, e *Env, args []string) error {
				ids, err := e.itemIDs(ctx, args)
				if err != nil {
					return err
				}
				edit := store.Edit{Kind: kind, Items: ids, Reason: reason, By: "command"}
				if err := e.Archive.Change(ctx, []store.Edit{edit}); err != nil {
					return err
				}
				return e.printf("%d items %s\n", len(ids), done)
			}),
		}
		c.Flags().StringVar(&reason, "reason", "", "kept with the record")
		return c
	}
	return group("items", "Decide about items: one story or two, withdrawn, taken down",
		decide("merge", "Say that items tell one story", 2, store.KindMerge, "are one story"),
		decide("split", "Say that items are each a story of their own", 1, store.KindSplit, "are stories of their own"),
		decide("withdraw", "Leave items out of feeds; their content is kept", 1, store.KindWithdrawn, "withdrawn"),
		decide("takedown", "Remove the content of items for good; that they were there stays", 1, store.KindTakedown, "taken down"),
	)
}

// itemIDs reads ids from a command line and checks that the items exist.
func (e *Env) itemIDs(ctx context.Context, args []string) ([]feed.ItemID, error) {
	ids := make([]feed.ItemID, len(args))
	for i, a := range args {
		id, err := feed.ParseItemID(a)
		if err != nil {
			return nil, failWith(exitData, err)
		}
		ids[i] = id
	}
	for part := range slices.Chunk(ids, 1000) {
		have, err := e.Archive.Items(ctx, part, 0)
		if err != nil {
			return nil, err
		}
		known := make(map[feed.ItemID]bool, len(have))
		for i := range have {
			known[have[i].ID] = true
		}
		for _, id := range part {
			if !known[id] {
				return nil, dataError("no item %s in the archive", id)
			}
		}
	}
	return ids, nil
}
