package bolt

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"chancery/store"
)

// A volume that claims more records than its file has room for, or numbers that no
// archive has, is refused at once: a backup may come from anywhere, and looking for each
// of them would take years.
func TestVolumesThatClaimTooMuch(t *testing.T) {
	for name, change := range map[string]func(tx *bbolt.Tx) error{
		"it begins with record 0": func(tx *bbolt.Tx) error { return tx.Bucket(bucketMeta).Put(keyFirst, be64(0)) },
		"it begins with record 7": func(tx *bbolt.Tx) error { return tx.Bucket(bucketMeta).Put(keyFirst, be64(7)) },
		"its seal says too much": func(tx *bbolt.Tx) error {
			return tx.Bucket(bucketMeta).Put(keySealed, seal{last: 1 << 50, records: 1 << 50}.encode())
		},
		"its last record is far away": func(tx *bbolt.Tx) error {
			return tx.Bucket(bucketLog).Put(be64(1<<50), frame(1<<50, store.KindBlob, nil, nil))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := closing(t)
			path := s.live().path
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			db, err := openVolumeDB(path, false)
			if err == nil {
				err = errors.Join(db.Update(change), db.Close())
			}
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			for _, readOnly := range []bool{true, false} {
				s, err := Open(ctx, s.dir, Options{ReadOnly: readOnly})
				if err == nil {
					_ = s.Close()
				}
				if !errors.Is(err, store.ErrCorrupt) {
					t.Errorf("opened for reading: %v; it is %v, want ErrCorrupt", readOnly, err)
				}
			}
		})
	}
}

// Numbers of parts in a header are not taken for more than they are.
func TestHeadersThatNameFarParts(t *testing.T) {
	far := binary.AppendUvarint(nil, math.MaxUint64)
	for tag, v := range map[uint64][]byte{22: append(far, make([]byte, 16)...), 23: far} {
		if h, err := decodeHeader(1, store.KindRaw, putField(nil, tag, v)); err == nil {
			t.Errorf("field %d: %v %v, want an error", tag, h.found, h.inline)
		}
	}
}
