package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"chancery/store"
	"chancery/store/bolt"
)

func (p *program) verifyCommand() *cobra.Command {
	var deep bool
	var checkpoint, key string
	c := &cobra.Command{
		Use:   "verify",
		Short: "Check the archive: structure and checksums; with --deep every body and all that is derived",
		Long: `Checks the archive and names what is wrong with it. Without --deep: the checksum and
the header of every record, their sequence, sealed volumes, and the Merkle tree. With
--deep also every body and document against its hash, and the catalog against the
log, row by row. Found damage ends with 1. It works while the daemon runs.`,
		Args: exactly(),
		RunE: p.archive(reads, func(ctx context.Context, e *Env, _ []string) error {
			if checkpoint != "" { // a wrong name is told before the long work
				f, err := e.Files.Open(checkpoint)
				if err != nil {
					return &fileError{err}
				}
				_ = f.Close()
			}
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
			for _, l := range r.Lost {
				if err := e.printf("lost: %s\n", printable(l)); err != nil {
					return err
				}
			}
			faults := int64(len(r.Faults)) + r.More
			if err := e.printf("%s: %s\n", counted(r), plural(faults, "fault")); err != nil {
				return err
			}
			if faults > 0 {
				return failWith(exitFailed, fmt.Errorf("the archive in %s is damaged", e.DataDir))
			}
			if checkpoint != "" { // what is lost has kept its place in the tree
				if err := e.checkFile(ctx, checkpoint, key); err != nil {
					return err
				}
			}
			if r.LostRecords > 0 {
				return failWith(exitFailed, fmt.Errorf("%s of the archive in %s cannot be read; all else is sound", plural(r.LostRecords, "record"), e.DataDir))
			}
			return nil
		}),
	}
	c.Flags().BoolVar(&deep, "deep", false, "also unpack every body and document, and recompute what is derived from the log")
	c.Flags().StringVar(&checkpoint, "checkpoint", "", "also compare with an earlier signed checkpoint in `FILE`")
	c.Flags().StringVar(&key, "key", "", "public `KEY` that signed it, if not the archive's own")
	return c
}

// counted says what a verification went through.
func counted(r store.Report) string {
	return fmt.Sprintf("%s, %s, %s, %s", plural(r.Records, "record"), plural(r.Items, "item"), plural(r.Revisions, "revision"), plural(r.Documents, "document"))
}

// ofOutput is an error without what the archive took it for, where what failed is the
// place that something was written to.
func ofOutput(err error) error {
	if out, ok := errors.AsType[*outputError](err); ok {
		return out
	}
	return err
}

func (p *program) backupCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE",
		Short: "Write a consistent copy of the archive while it goes on being used (- is standard output)",
		Args:  exactly("FILE"),
		RunE: p.archive(reads, func(ctx context.Context, e *Env, args []string) error {
			if args[0] == "-" {
				if e.Terminal.Out {
					return usageError("a backup is not for a terminal; name a file, or send the output into one")
				}
				return ofOutput(e.Archive.Backup(ctx, e.Out))
			}
			f, err := e.Files.Create(args[0], true)
			if err != nil {
				return existing(err)
			}
			defer f.Abort()
			if err := ofOutput(e.Archive.Backup(ctx, f)); err != nil {
				return err
			}
			return existing(f.Commit())
		}),
	}
}

func (p *program) restoreCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "restore FILE",
		Short: "Put a backup in place where there is no archive, after verifying it",
		Args:  exactly("FILE"),
		RunE: p.local(func(ctx context.Context, args []string) error {
			c, err := p.loadConfig()
			if err != nil {
				return err
			}
			dir, _, err := c.dataDir(p.flags.data, p.getenv)
			if err != nil {
				return err
			}
			if err := archiveAt(dir); err == nil {
				return failWith(exitExists, fmt.Errorf("there is an archive in %s already; move it away, or name another place with --data", dir))
			} else if statusOf(err) != exitUnavailable {
				return err
			}
			f, err := p.files.Open(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			from := bufio.NewReader(f)
			if head, err := from.Peek(512); !isBackup(head) {
				if err != nil && !errors.Is(err, io.EOF) {
					return fmt.Errorf("%s: %w", args[0], err)
				}
				return dataError("%s is not a backup of chancery", args[0])
			}
			r, err := bolt.Restore(ctx, from, dir)
			if err != nil {
				return restoring(args[0], err)
			}
			if !hasKey(dir) {
				_, _ = fmt.Fprintf(p.err, "chancery: the key that signs checkpoints is in no backup: put your copy of %s into %s before the first start, or a new one is made\n", checkpointKey, dir)
			}
			for _, l := range r.Lost {
				p.note("lost when the backup was made: %s", printable(strings.ReplaceAll(l, dir+".restoring", dir)))
			}
			_, err = fmt.Fprintf(p.out, "%s: %s, verified\n", dir, counted(r))
			return err
		}),
	}
}

// isBackup tells a backup from other files by its first header: a tar archive that
// begins with a file of an archive.
func isBackup(head []byte) bool {
	h, err := tar.NewReader(bytes.NewReader(head)).Next()
	return err == nil && (strings.HasPrefix(h.Name, "archive/v") || h.Name == "ledger.bolt")
}

// restoring gives faults of a backup their exit status: the file is bad, not the archive.
func restoring(name string, err error) error {
	err = fmt.Errorf("%s: %w", name, err)
	switch {
	case errors.Is(err, store.ErrConflict):
		return failWith(exitExists, err)
	case errors.Is(err, store.ErrCorrupt), errors.Is(err, store.ErrNewer):
		return failWith(exitData, err)
	}
	return err
}
