package bolt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"chancery/store"
)

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
		return nil
	}
	return view(s.led, part("ledger"), f)
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
	if len(writes) == 0 {
		return nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return store.ErrClosed
	}
	defer guard(part("ledger"), &err)()
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
