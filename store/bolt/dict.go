package bolt

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"

	"go.etcd.io/bbolt"
)

// dictSum is the key in a volume's meta of the SHA-256 of a dictionary. One damaged
// byte in a dictionary spoils many bodies, and their records' checksums can't tell:
// they are over the packed bytes.
func dictSum(number uint64) []byte { return binary.AppendUvarint([]byte("dict"), number) }

// putDict stores a dictionary with its digest.
func putDict(tx *bbolt.Tx, number uint64, dict []byte) error {
	if err := tx.Bucket(bucketDict).Put(binary.AppendUvarint(nil, number), dict); err != nil {
		return err
	}
	sum := sha256.Sum256(dict)
	return tx.Bucket(bucketMeta).Put(dictSum(number), sum[:])
}

// spoiledDicts are the numbers of the dictionaries that are not what was stored.
// Older volumes have no digests of them, and so none.
func (v *volume) spoiledDicts() (spoiled []uint64, err error) {
	err = v.view(func(tx *bbolt.Tx) error {
		dicts := tx.Bucket(bucketDict)
		if dicts == nil {
			return nil
		}
		return dicts.ForEach(func(k, d []byte) error {
			n := getUint(k)
			want := tx.Bucket(bucketMeta).Get(dictSum(n))
			if sum := sha256.Sum256(d); want != nil && !bytes.Equal(want, sum[:]) {
				spoiled = append(spoiled, n)
			}
			return nil
		})
	})
	return spoiled, err
}
