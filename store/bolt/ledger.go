package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"chancery/store"
)

// openLedger opens the ledger, or makes one. One that is damaged is read, as far as it can
// be, and not written: what cannot be read is not the same as what is not there.
func (s *Store) openLedger() error {
	path := s.ledgerPath()
	if s.opts.ReadOnly && !exists(path) {
		return nil
	}
	if !s.opts.ReadOnly {
		_ = os.Remove(path + ".new") // of a compaction that was interrupted
		if err := createLedger(path); err != nil {
			return err
		}
	}
	err := inspectLedger(path)
	if err == nil {
		s.led, err = openLedgerDB(path, s.opts.ReadOnly)
	}
	if !errors.Is(err, store.ErrCorrupt) {
		return err
	}
	_ = s.ledgerFault(damaged(part(path), err)) // for who uses it
	if s.led, err = openLedgerDB(path, true); err != nil {
		s.led = nil
	}
	return nil
}

// ledgerFault notes damage of the ledger, and gives the error of whoever wants to use it:
// as of one that is only read, since what cannot be read must not be made anew.
func (s *Store) ledgerFault(err error) error {
	fault := fmt.Errorf("%w: %w; take it out of a backup, or move it away and go on without its ids of feeds, subscriptions and tokens", store.ErrReadOnly, err)
	if !s.ledFault.CompareAndSwap(nil, &fault) {
		return fault
	}
	s.log.Error("the ledger is damaged: it is read as far as it can be, and not written", "error", err.Error())
	told := error(partial{fault})
	if d := s.damage.Load(); d != nil {
		told = partial{fmt.Errorf("%w; %w", fault, *d)}
	}
	s.damage.Store(&told)
	return fault
}

// ledgerRefused is why the ledger is not written, or nil.
func (s *Store) ledgerRefused() error {
	if p := s.ledFault.Load(); p != nil {
		return *p
	}
	return nil
}

// viewLedger runs f in a read transaction of the ledger.
func (s *Store) viewLedger(ctx context.Context, f func(tx *bbolt.Tx) error) error {
	if err := ctxErr(ctx); err != nil {
		return err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return store.ErrClosed
	}
	if s.led == nil { // opened for reading, and there is none
		return s.ledgerRefused()
	}
	err := view(s.led, part(s.ledgerPath()), f)
	if errors.Is(err, store.ErrCorrupt) {
		err = s.ledgerFault(err)
	}
	return err
}

// readLedger reads all of the ledger, so that a damaged page of it is met.
func (s *Store) readLedger(ctx context.Context) error {
	if err := s.ledgerRefused(); err != nil {
		return err
	}
	return s.viewLedger(ctx, func(tx *bbolt.Tx) error {
		return tx.ForEach(func(_ []byte, b *bbolt.Bucket) error {
			return b.ForEach(func(_, _ []byte) error { return ctxErr(ctx) })
		})
	})
}

// LedgerGet implements store.Ledger.
func (s *Store) LedgerGet(ctx context.Context, space, key string) ([]byte, error) {
	var v []byte
	err := s.viewLedger(ctx, func(tx *bbolt.Tx) error {
		if b := tx.Bucket([]byte(space)); b != nil {
			if x := b.Get([]byte(key)); x != nil {
				v = append([]byte{}, x...)
			}
		}
		return nil
	})
	if err == nil && v == nil {
		err = fmt.Errorf("%s %q: %w", space, key, store.ErrNotFound)
	}
	return v, err
}

// LedgerScan implements store.Ledger.
func (s *Store) LedgerScan(ctx context.Context, space, prefix, after string, limit int) ([]store.LedgerEntry, error) {
	var out []store.LedgerEntry
	err := s.viewLedger(ctx, func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(space))
		if b == nil {
			return nil
		}
		cur := b.Cursor()
		for k, v := cur.Seek([]byte(max(prefix, after))); k != nil; k, v = cur.Next() {
			key := string(k)
			if !strings.HasPrefix(key, prefix) || limit > 0 && len(out) == limit {
				if key > prefix {
					break
				}
				continue
			}
			if key > after {
				out = append(out, store.LedgerEntry{Space: space, Key: key, Value: append([]byte{}, v...)})
			}
		}
		return nil
	})
	return out, err
}

// LedgerWrite implements store.Ledger.
func (s *Store) LedgerWrite(ctx context.Context, writes []store.LedgerEntry) (err error) {
	for _, w := range writes {
		if w.Space == "" || w.Key == "" {
			return errors.New("ledger: a write without space or key")
		}
	}
	if err := ctxErr(ctx); err != nil {
		return err
	}
	if s.opts.ReadOnly {
		return s.refused()
	}
	if err := s.ledgerRefused(); err != nil {
		return err
	}
	if len(writes) == 0 {
		return nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return store.ErrClosed
	}
	defer func() {
		if errors.Is(err, store.ErrCorrupt) {
			err = s.ledgerFault(err)
		}
	}()
	defer guard(part(s.ledgerPath()), &err)()
	return system(s.led.Update(func(tx *bbolt.Tx) error {
		for _, w := range writes {
			if !w.Create {
				continue
			}
			if b := tx.Bucket([]byte(w.Space)); b != nil && b.Get([]byte(w.Key)) != nil {
				return fmt.Errorf("%s %q: %w", w.Space, w.Key, store.ErrConflict)
			}
		}
		for _, w := range writes {
			b, err := tx.CreateBucketIfNotExists([]byte(w.Space))
			if err != nil {
				return err
			}
			if w.Value == nil {
				err = b.Delete([]byte(w.Key))
			} else {
				err = b.Put([]byte(w.Key), slices.Clone(w.Value))
			}
			if err != nil {
				return err
			}
		}
		return nil
	}))
}
