package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"chancery/store"
)

// LedgerGet implements store.Ledger.
func (m *Model) LedgerGet(ctx context.Context, space, key string) ([]byte, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	v, ok := m.ledger[space][key]
	if !ok {
		return nil, fmt.Errorf("%s %q: %w", space, key, store.ErrNotFound)
	}
	return append([]byte{}, v...), nil
}

// LedgerScan implements store.Ledger.
func (m *Model) LedgerScan(ctx context.Context, space, prefix, after string, limit int) ([]store.LedgerEntry, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var out []store.LedgerEntry
	for _, k := range slices.Sorted(maps.Keys(m.ledger[space])) {
		if strings.HasPrefix(k, prefix) && k > after && (limit <= 0 || len(out) < limit) {
			out = append(out, store.LedgerEntry{Space: space, Key: k, Value: append([]byte{}, m.ledger[space][k]...)})
		}
	}
	return out, nil
}

// LedgerWrite implements store.Ledger.
func (m *Model) LedgerWrite(ctx context.Context, writes []store.LedgerEntry) error {
	for _, w := range writes {
		if w.Space == "" || w.Key == "" {
			return errors.New("ledger: a write without space or key")
		}
	}
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	for _, w := range writes {
		if _, ok := m.ledger[w.Space][w.Key]; ok && w.Create {
			return fmt.Errorf("%s %q: %w", w.Space, w.Key, store.ErrConflict)
		}
	}
	for _, w := range writes {
		if m.ledger[w.Space] == nil {
			m.ledger[w.Space] = map[string][]byte{}
		}
		if w.Value == nil {
			delete(m.ledger[w.Space], w.Key)
			continue
		}
		m.ledger[w.Space][w.Key] = append([]byte{}, w.Value...)
	}
	return nil
}
