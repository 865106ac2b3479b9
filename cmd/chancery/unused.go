package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"chancery/store"
)

// newArchive is an archive that a command made because there was none.
type newArchive struct {
	dir     string
	madeDir bool // its directory, too
}

// willMake reports whether opening dir for writing makes an archive there.
func willMake(dir string) *newArchive {
	if _, err := os.Stat(filepath.Join(dir, "archive")); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	_, err := os.Stat(dir)
	return &newArchive{dir: dir, madeDir: errors.Is(err, fs.ErrNotExist)}
}

// removeUnused takes away the archive that a failed command or start made, if nothing is in it
// but what the configuration says: a wrong name on the command line leaves nothing
// behind. It holds the archive's lock meanwhile, so nobody else is in it.
func (m *newArchive) removeUnused(ctx context.Context, archive store.Store) {
	if m == nil || archive == nil {
		return
	}
	st, err := archive.Stats(ctx)
	if err != nil || st.Items > 0 || st.Raw > 0 {
		return
	}
	sources, err := archive.Sources(ctx)
	if err != nil {
		return
	}
	for _, s := range sources {
		if s.Origin != originConfig {
			return
		}
	}
	if tokens, err := archive.LedgerScan(ctx, "tokens", "", "", 1); err != nil || len(tokens) > 0 {
		return
	}
	for _, name := range []string{"archive", "catalog.bolt", "catalog.anchor", "ledger.bolt", "index", "lock"} {
		_ = os.RemoveAll(filepath.Join(m.dir, name))
	}
	if m.madeDir {
		_ = os.Remove(m.dir) // only if nothing else came into it
	}
}

// originConfig is store.Source.Origin of what the configuration subscribes to.
const originConfig = "config"
