package bolt

import (
	"fmt"

	"go.etcd.io/bbolt"
	"golang.org/x/mod/sumdb/tlog"

	"chancery/store"
)

// The bucket tree keeps of the Merkle tree every fourth level, sixteen hashes a row:
// those between are made of them when they are asked for, at 15 hashes at most.
const (
	tileLevels = 4
	tileWidth  = 1 << tileLevels
)

// tile names a row of the bucket tree: hashes n·16 to n·16+15 of level 4·group.
type tile struct {
	group byte
	n     uint64
}

// key orders rows by the record that fills them, so that the tree grows at its end.
func (t tile) key() []byte {
	return append(be64((t.n+1)<<(tileLevels*(uint(t.group)+1))), t.group)
}

// grow adds a record to the Merkle tree and moves the end.
func (c *catalogTx) grow(seq uint64, kind store.Kind, head []byte, at int64) error {
	return c.growBy(seq, leafHash(seq, kind, head), at)
}

func (c *catalogTx) growBy(seq uint64, h tlog.Hash, at int64) error {
	n := seq - 1
	for group := byte(0); ; group++ {
		t := tile{group, n / tileWidth}
		row, ok := c.tiles[t]
		if !ok {
			row = append(make([]byte, 0, tileWidth*tlog.HashSize), c.b[bTree].Get(t.key())...)
		}
		if len(row) != int(n%tileWidth)*tlog.HashSize {
			return damaged(part("catalog: tree"), fmt.Errorf("row %d of level %d has %d bytes before record %d", t.n, group*tileLevels, len(row), seq))
		}
		row = append(row, h[:]...)
		c.tiles[t] = row
		if n%tileWidth != tileWidth-1 {
			break
		}
		h = subtree(row)
		n /= tileWidth
	}
	c.end, c.counts.Last = seq, at
	return nil
}

// finishTree writes the rows that grew.
func (c *catalogTx) finishTree() error {
	for t, row := range c.tiles {
		if err := c.b[bTree].Put(t.key(), row); err != nil {
			return err
		}
	}
	return nil
}

// leaves calls f with the leaf hashes of records, in order.
func (c *catalogTx) leaves(first, last uint64, f func(tlog.Hash)) error {
	for n := first - 1; n < last; {
		row := c.b[bTree].Get(tile{0, n / tileWidth}.key())
		for i := n % tileWidth; i < tileWidth && n < last; i, n = i+1, n+1 {
			if len(row) < int(i+1)*tlog.HashSize {
				return damaged(part("catalog: tree"), fmt.Errorf("the leaf of record %d is missing", n+1))
			}
			f(tlog.Hash(row[i*tlog.HashSize:]))
		}
	}
	return nil
}

// subtree is the hash over hashes, a power of two of them, that stand side by side.
func subtree(hashes []byte) tlog.Hash {
	if len(hashes) == tlog.HashSize {
		return tlog.Hash(hashes)
	}
	half := len(hashes) / 2
	return tlog.NodeHash(subtree(hashes[:half]), subtree(hashes[half:]))
}

// hashReader reads stored hashes of the Merkle tree, as committed.
func (c *catalogTx) hashReader() tlog.HashReaderFunc { return treeReader(c.b[bTree]) }

func treeReader(b *bbolt.Bucket) tlog.HashReaderFunc {
	return func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			level, n := tlog.SplitStoredHashIndex(x)
			width := int64(1) << (level % tileLevels) // hashes of the level that is kept
			first := n * width
			row := b.Get(tile{byte(level / tileLevels), uint64(first / tileWidth)}.key())
			from := int(first%tileWidth) * tlog.HashSize
			to := from + int(width)*tlog.HashSize
			if len(row) < to {
				return nil, fmt.Errorf("hash %d of level %d is missing", n, level)
			}
			out[i] = subtree(row[from:to])
		}
		return out, nil
	}
}

// leaf is the leaf hash of a record, as the tree has it.
func (c *catalogTx) leaf(seq uint64) (tlog.Hash, bool) { return leafIn(c.b[bTree], seq) }

// leafIn reads a leaf hash, held to the hash above it if that is there; the zero one is
// none.
func leafIn(b *bbolt.Bucket, seq uint64) (h tlog.Hash, ok bool) {
	n := seq - 1
	row := b.Get(tile{0, n / tileWidth}.key())
	at := int(n%tileWidth) * tlog.HashSize
	if len(row) < at+tlog.HashSize || len(row)%tlog.HashSize != 0 {
		return h, false
	}
	h = tlog.Hash(row[at : at+tlog.HashSize])
	if len(row) == tileWidth*tlog.HashSize {
		n /= tileWidth
		above := b.Get(tile{1, n / tileWidth}.key())
		at := int(n%tileWidth) * tlog.HashSize
		if len(above) < at+tlog.HashSize || tlog.Hash(above[at:at+tlog.HashSize]) != subtree(row) {
			return h, false
		}
	}
	return h, h != tlog.Hash{}
}
