package main

import (
	"context"
	"encoding/json"

	"github.com/spf13/cobra"

	"chancery/feed"
	"chancery/store"
)

// proofJSON is a proof as it is printed. Bytes are in base 64.
type proofJSON struct {
	Item       string   `json:"item"`
	Checkpoint string   `json:"checkpoint"` // signed note: archive, size, root
	Key        string   `json:"key"`        // checks the note's signature
	Index      int64    `json:"index"`
	Leaf       []byte   `json:"leaf"`
	Salt       []byte   `json:"salt"`    // empty if the content was taken down
	Content    []byte   `json:"content"` // the record's plain body
	Path       [][]byte `json:"path"`
}

func (p *program) proveCommand() *cobra.Command {
	var revision int
	c := &cobra.Command{
		Use:   "prove ID",
		Short: "Print the proof that an item is in the archive",
		Long: `Prints, as JSON, a version of an item with the proof that it is one of the records
under a signed checkpoint of the archive. docs/archive-format.md has a short
program that checks it.`,
		Args: exactly("ID"),
		RunE: p.archive(reads, func(ctx context.Context, e *Env, args []string) error {
			id, err := feed.ParseItemID(args[0])
			if err != nil {
				return failWith(exitData, err)
			}
			if revision < 0 {
				return usageError("--revision %d: versions count from 1", revision)
			}
			c, err := newCheckpointer(ctx, e.Archive, e.DataDir)
			if err != nil {
				return err
			}
			proof, err := c.archive.Prove(ctx, id, revision)
			if err != nil {
				return noItem(err, "such version of item "+id.String())
			}
			if err := proof.Check(); err != nil { // a damaged archive proves nothing
				return failWith(exitFailed, err)
			}
			return e.printProof(c, id, &proof)
		}),
	}
	c.Flags().IntVar(&revision, "revision", 0, "version `N`, from 1; 0 is the newest")
	return c
}

func (e *Env) printProof(c *checkpointer, id feed.ItemID, proof *store.Proof) error {
	signed, err := c.sign(proof.Head)
	if err != nil {
		return err
	}
	out := proofJSON{
		Item: id.String(), Checkpoint: signed, Key: c.public,
		Index: proof.Index, Leaf: proof.Leaf, Salt: proof.Salt, Content: proof.Content, Path: [][]byte{},
	}
	for _, h := range proof.Path {
		out.Path = append(out.Path, h[:])
	}
	enc := json.NewEncoder(e.Out)
	enc.SetIndent("", " ")
	return enc.Encode(out)
}
