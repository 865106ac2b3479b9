package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

func (p *program) verifyCommand() *cobra.Command {
	var deep bool
	c := &cobra.Command{
		Use:   "verify",
		Short: "Check the archive: structure and hashes; with --deep also what is derived from the log",
		Args:  cobra.NoArgs,
		RunE: p.archive(reads, func(ctx context.Context, e *Env, _ []string) error {
			progress := e.progress("verified", "records")
			r, err := e.Archive.Verify(ctx, deep, progress.show)
			progress.end()
			if err != nil {
				return err
			}
			for _, f := range r.Faults {
				if err := e.printf("fault: %s\n", printable(f)); err != nil {
					return err
				}
			}
			if r.More > 0 {
				if err := e.printf("and %d more\n", r.More); err != nil {
					return err
				}
			}
			faults := int64(len(r.Faults)) + r.More
			if err := e.printf("%d records, %d items, %d revisions, %d documents: %d faults\n",
				r.Records, r.Items, r.Revisions, r.Documents, faults); err != nil {
				return err
			}
			if faults > 0 {
				return failWith(exitFailed, fmt.Errorf("the archive in %s is damaged", e.DataDir))
			}
			return nil
		}),
	}
	c.Flags().BoolVar(&deep, "deep", false, "recompute every derived row from the log")
	return c
}

func (p *program) backupCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE",
		Short: "Write a consistent copy of the archive while it goes on being used",
		Args:  exactly("FILE"),
		RunE: p.archive(reads, func(ctx context.Context, e *Env, args []string) error {
			f, err := e.Files.Create(args[0], true)
			if err != nil {
				return existing(err)
			}
			defer f.Abort()
			if err := e.Archive.Backup(ctx, f); err != nil {
				return err
			}
			return existing(f.Commit())
		}),
	}
}
