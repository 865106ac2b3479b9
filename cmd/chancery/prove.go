package main

import (
	"context"
	"encoding/json"

	"github.com/spf13/cobra"

	"chancery/feed"
	"chancery/publish"
	"chancery/store"
)

func (p *program) proveCommand() *cobra.Command {
	var revision int
	c := &cobra.Command{
		Use:   "prove ID",
		Short: "Print the proof that an item is in the archive",
		Long: `Prints, as JSON, a version of an item with the proof that it is one of the records
under a signed checkpoint of the archive. docs/archive-format.md has a short
program that checks it.` + namingItems,
		Args: exactly("ID"),
		RunE: p.archive(reads, func(ctx context.Context, e *Env, args []string) error {
			if revision < 0 {
				return usageError("--revision %d: versions count from 1", revision)
			}
			id, err := e.itemID(ctx, args[0])
			if err != nil {
				return err
			}
			c, err := newCheckpointer(ctx, e.Archive, e.DataDir)
			if err != nil {
				return err
			}
			if _, err := e.revision(ctx, id, revision); err != nil {
				return err
			}
			proof, err := c.prove(ctx, id, revision)
			if err != nil {
				return noItem(err, "such version of item "+id.String())
			}
			enc := json.NewEncoder(e.Out)
			enc.SetIndent("", " ")
			return enc.Encode(proof)
		}),
	}
	c.Flags().IntVar(&revision, "revision", 0, "version `N`, from 1; 0 is the newest")
	return c
}

// prove gives the proof that a version of an item (0: the newest) is in the archive,
// under a head that is signed now.
func (c *checkpointer) prove(ctx context.Context, id feed.ItemID, revision int) (*store.SignedProof, error) {
	proof, err := c.archive.Prove(ctx, id, revision)
	if err != nil {
		return nil, err
	}
	if err := proof.Check(); err != nil { // a damaged archive proves nothing
		return nil, failWith(exitFailed, err)
	}
	signed, err := c.sign(proof.Head)
	if err != nil {
		return nil, err
	}
	return proof.Sign(id, signed, c.public), nil
}

// proofs gives readers the proofs of an archive; nil if it has none.
func proofs(archive store.Store, dir string) publish.Prover {
	if _, ok := archive.(store.Trust); !ok {
		return nil
	}
	return func(ctx context.Context, id feed.ItemID, revision int) (*store.SignedProof, error) {
		c, err := newCheckpointer(ctx, archive, dir)
		if err != nil {
			return nil, err
		}
		return c.prove(ctx, id, revision)
	}
}
