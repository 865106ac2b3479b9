package bolt

import (
	"context"
	"errors"
	"io"
)

// Backup implements store.Keeper.
func (s *Store) Backup(context.Context, io.Writer) error { return errors.New("not yet") }
