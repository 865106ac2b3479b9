package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"chancery/aggregator"
	"chancery/feed"
)

func (p *program) importCommand() *cobra.Command {
	var o struct {
		source string
		json   bool
	}
	c := &cobra.Command{
		Use:   "import FILE…",
		Short: "Take in saved feed documents, OPML, or what export wrote",
		Long: `Takes in what it is given, told by content: a saved feed document (RSS, Atom,
RDF, JSON Feed), OPML, or JSON Lines written by export, each as it is or packed by
gzip; "-" is standard input.
The source is --source, else the one whose address or site the document names,
else a new one that is not polled. Takes what it can, names the rest on standard
error, and then exits 65. Items of an export come with their versions and what was
decided about them; those that are there already keep theirs, and nothing is removed
by an import (docs/export.md). With --json "documents" counts the files that were read,
"partial" those of them that have faults, "failed" those that brought nothing.`,
		Args: atLeastOne("FILE"),
		RunE: p.archive(writes, func(ctx context.Context, e *Env, args []string) error {
			if o.source != "" && !feed.ValidID(o.source) {
				return usageError("--source: %s", badID(o.source))
			}
			sum, faults, err := e.importFiles(ctx, args, feed.SourceID(o.source))
			if err != nil && sum.Documents+sum.Failed == 0 {
				return err
			}
			if perr := e.printSummary(sum, o.json, "imported"); perr != nil || err != nil {
				return cmp.Or(err, perr) // what was stored is told before what stopped it
			}
			if faults {
				return quietly(exitData)
			}
			return nil
		}),
	}
	c.Flags().StringVar(&o.source, "source", "", "`ID` of the source that the documents belong to")
	c.Flags().BoolVar(&o.json, "json", false, "the summary as one JSON object")
	return c
}

// importFiles takes in file by file. faults tells that something could not be
// taken in; an error ends the import: the archive can't go on, or ctx ended.
func (e *Env) importFiles(ctx context.Context, names []string, source feed.SourceID) (sum aggregator.Summary, faults bool, err error) {
	w, err := e.worksOf()
	if err != nil {
		return sum, false, err
	}
	if e.Daemon == nil {
		// Alone in its process, an import may have memory for time: garbage is collected
		// when there is thrice as much of it as of what is needed.
		defer debug.SetGCPercent(debug.SetGCPercent(300))
		// Documents belong to configured sources, too.
		if err := e.takeConfig(ctx, w); err != nil {
			return sum, false, err
		}
	}
	start := time.Now()
	defer func() { sum.Seconds = time.Since(start).Seconds() }()
	progress := e.progress("imported", "files")
	defer progress.end()
	im := w.aggregator.NewImporter()
	for i := range len(names) + 1 {
		var one aggregator.Summary
		var err error
		if i < len(names) {
			one, err = e.importFile(ctx, im, names[i], source)
		} else {
			one, err = im.Flush(ctx)
		}
		sum.Add(one)
		if err != nil {
			if ctx.Err() != nil {
				return sum, false, context.Cause(ctx)
			}
			name, partly := "", false
			if of, ok := errors.AsType[*aggregator.FileError](err); ok {
				name, err, partly = of.Name, of.Err, of.Partly
			}
			if fatal(err) {
				return sum, false, fmt.Errorf("%s: %w", name, unnamed(err, name))
			}
			if !partly {
				sum.Failed++
			}
			sum.Errors = append(sum.Errors, aggregator.Failure{Source: source, URL: name, Error: err.Error()})
		}
		progress.show(int64(min(i+1, len(names))), int64(len(names)))
	}
	return sum, len(sum.Errors) > 0, nil
}

// unnamed is err without the name of its file in front.
func unnamed(err error, name string) error {
	if text := withoutPrefix(err.Error(), name); text != err.Error() {
		return &renamed{text, err}
	}
	return err
}

// renamed is an error in other words.
type renamed struct {
	text string
	err  error
}

func (r *renamed) Error() string { return r.text }
func (r *renamed) Unwrap() error { return r.err }

// fatal reports whether an error is the archive's and not the file's.
func fatal(err error) bool {
	switch statusOf(err) {
	case exitBusy, exitIO, exitPermission:
		return !isFileError(err)
	}
	return false
}

func (e *Env) importFile(ctx context.Context, im *aggregator.Importer, name string, source feed.SourceID) (aggregator.Summary, error) {
	f, err := e.Files.Open(name)
	if err != nil {
		return aggregator.Summary{}, &aggregator.FileError{Name: name, Err: &fileError{err}}
	}
	defer f.Close()
	r := &fileReader{r: f}
	sum, err := im.Take(ctx, aggregator.ImportOptions{Source: source, Name: name}, r)
	if of, ok := errors.AsType[*aggregator.FileError](err); ok && of.Name == name && r.err != nil {
		of.Err = &fileError{r.err}
	}
	return sum, err
}

// fileError is an error of a file that was named, not of the archive.
type fileError struct{ err error }

func (f *fileError) Error() string { return f.err.Error() }
func (f *fileError) Unwrap() error { return f.err }

func isFileError(err error) bool {
	_, ok := errors.AsType[*fileError](err)
	return ok
}

// fileReader remembers that reading failed, so that the failure can be told from
// one of the archive.
type fileReader struct {
	r   io.Reader
	err error
}

func (f *fileReader) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
	return n, err
}
