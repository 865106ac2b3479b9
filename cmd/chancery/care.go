package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
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
the header of every record, their sequence, sealed volumes, the Merkle tree, and
whether the ledger can be read. With --deep also every body and document against its
hash, and the catalog against the log, row by row. Found damage ends with 1. It works
while the daemon runs.`,
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
				if err := ofOutput(e.Archive.Backup(ctx, e.Out)); err != nil {
					return err
				}
				return e.tellLost(ctx)
			}
			f, err := e.Files.Create(args[0], true)
			if err != nil {
				return existing(err)
			}
			defer f.Abort()
			if err := ofOutput(e.Archive.Backup(ctx, f)); err != nil {
				return err
			}
			if err := f.Commit(); err != nil {
				return existing(err)
			}
			return e.tellLost(ctx)
		}),
	}
}

// tellLost says that a backup is of an archive of which records are lost: keep the one
// before it.
func (e *Env) tellLost(ctx context.Context) error {
	s, err := e.Archive.Stats(ctx)
	if err == nil && s.Lost > 0 {
		e.note("%s of the archive cannot be read, and are not in the backup: keep an older one, from which restore --fill brings them back", plural(s.Lost, "record"))
	}
	return err
}

func (p *program) restoreCommand() *cobra.Command {
	var fill bool
	c := &cobra.Command{
		Use:   "restore FILE",
		Short: "Put a backup in place where there is no archive, or bring back from it what is lost",
		Long: `Puts a backup in place where there is no archive, after verifying it.

With --fill the archive that is there stays: records of it that are lost, because a page
was damaged or a volume is missing, are taken out of the backup, if they are the ones that
the Merkle tree has in their place. Numbers, checkpoints and proofs stay as they are, and
so does all that came since the backup; what was taken down since comes back without its
content. It needs room for the archive in the backup, and that no daemon runs. What is
still lost then ends with 1.`,
		Args: exactly("FILE"),
		RunE: p.local(func(ctx context.Context, args []string) error {
			c, err := p.loadConfig()
			if err != nil {
				return err
			}
			dir, _, err := c.dataDir(p.flags.data, p.getenv)
			if err != nil {
				return err
			}
			err = archiveAt(dir)
			switch {
			case fill && err != nil:
				return err
			case !fill && err == nil:
				return failWith(exitExists, fmt.Errorf("there is an archive in %s already; move it away, name another place with --data, or bring back what is lost of it with --fill", dir))
			case !fill && statusOf(err) != exitUnavailable:
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
			if fill {
				return p.fill(ctx, c, dir, args[0], from)
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
	c.Flags().BoolVar(&fill, "fill", false, "bring back what is lost of the archive that is there")
	return c
}

// fill brings back what is lost of an archive, and opens it once more, so that all that is
// derived knows of it.
func (p *program) fill(ctx context.Context, c *Config, dir, name string, from io.Reader) error {
	log, err := p.logger(slog.LevelWarn)
	if err != nil {
		return err
	}
	open := func() (*bolt.Store, error) {
		a, err := openArchive(ctx, c, dir, p.name(), false, log, p.tellOpening()) //nolint:contextcheck // cobra carries the context to the commands
		if err != nil {
			return nil, err
		}
		return a.(*bolt.Store), nil //nolint:forcetypeassert // it is what it opens
	}
	s, err := open()
	if err != nil {
		return err
	}
	got, err := s.Fill(ctx, from)
	if err != nil {
		if !errors.Is(err, store.ErrReadOnly) { // that is the archive's, which the backup does not mend
			err = restoring(name, err)
		}
		return errors.Join(err, s.Close())
	}
	if err := s.Close(); err != nil {
		return err
	}
	if s, err = open(); err != nil {
		return err
	}
	if err := s.Close(); err != nil {
		return err
	}
	if got.Lost == 0 {
		_, err = fmt.Fprintf(p.out, "%s: nothing is lost\n", dir)
		return err
	}
	if _, err = fmt.Fprintf(p.out, "%s: %s of %d that were lost are there again\n", dir, plural(got.Back, "record"), got.Lost); err != nil {
		return err
	}
	if left := got.Lost - got.Back; left > 0 {
		return failWith(exitFailed, fmt.Errorf("%s of the archive in %s cannot be read; %s has others in their place, or none", plural(left, "record"), dir, name))
	}
	return nil
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
