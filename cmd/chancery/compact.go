package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"chancery/store"
)

func (p *program) compactCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "compact",
		Short: "Give back space: write the files of the archive anew, smaller",
		Long: `Writes the files of the archive anew, one after the other: volumes packed tighter,
with a dictionary chosen from what they hold, catalog and ledger without gaps.
What the archive says does not change, nor do its proofs. It works while the
daemon runs, needs room for a copy of the largest file, and may be interrupted
at any moment: each file is the old one or the new one, never less. What is
packed already is not packed again.

Documents older than archive.keep_documents are let go first; their items stay.`,
		Args: exactly(),
		RunE: p.archive(changes, func(ctx context.Context, e *Env, _ []string) error {
			return e.compact(ctx)
		}),
	}
}

func (e *Env) compact(ctx context.Context) error {
	engine, ok := e.Archive.(store.Compactor)
	if !ok {
		return errors.New("this archive cannot be compacted")
	}
	if before := e.Config.Archive.KeepDocuments.before(time.Now()); !before.IsZero() {
		if err := e.letGo(ctx, before); err != nil {
			return err
		}
	}
	progress := e.progress("packed", "records")
	done, err := engine.Compact(ctx, progress.show)
	progress.end()
	before := int64(0)
	for _, f := range done.Files { // also what was done before it ended
		before += f.Before
		change := "left as it was"
		if f.After != f.Before {
			change = fmt.Sprintf("%s → %s", bytesText(f.Before), bytesText(f.After))
		}
		if perr := e.printf("%-22s %s\n", f.Name, change); perr != nil {
			return errors.Join(err, perr)
		}
	}
	if err != nil {
		return err
	}
	return e.printf("gave back %s of %s\n", bytesText(done.Gained()), bytesText(before))
}

// letGo records that documents from before a time are not kept, and says how many.
func (e *Env) letGo(ctx context.Context, before time.Time) error {
	edit := store.Edit{
		Kind: store.KindExpired, Before: before, By: "rule",
		Reason: fmt.Sprintf("archive.keep_documents = %q", e.Config.Archive.KeepDocuments),
	}
	gone := 0
	for {
		at, err := e.Archive.End(ctx)
		if err != nil {
			return err
		}
		if err := e.Archive.Change(ctx, []store.Edit{edit}); err != nil {
			return err
		}
		end, err := e.Archive.End(ctx)
		if err != nil {
			return err
		}
		more := false // one record lets go a bounded number
		for at < end {
			var records []store.Record
			if records, at, err = e.Archive.Follow(ctx, at, store.AllKinds, 100); err != nil {
				return err
			}
			for _, r := range records {
				if r.Kind == store.KindExpired {
					gone += r.Edit.Documents
					more = true
				}
			}
		}
		if !more {
			break
		}
	}
	if gone == 0 {
		return nil
	}
	return e.printf("let go %s from before %s\n", plural(gone, "document"), before.UTC().Format(time.DateOnly))
}
