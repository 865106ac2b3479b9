package bolt

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"go.etcd.io/bbolt"
)

// dictSum is the key in a volume's meta of the SHA-256 of a dictionary. One damaged
// byte in a dictionary spoils many bodies, and their records' checksums can't tell:
// they are over the packed bytes.
func dictSum(number uint64) []byte { return binary.AppendUvarint([]byte("dict"), number) }

// bucketSpare has each dictionary once more, packed by itself. They lie in other pages:
// with one page of a dictionary every body that was packed with it would be gone.
var bucketSpare = []byte("spare")

// putDict stores a dictionary with its digest and its spare.
func putDict(tx *bbolt.Tx, number uint64, dict []byte) error {
	if err := tx.Bucket(bucketDict).Put(binary.AppendUvarint(nil, number), dict); err != nil {
		return err
	}
	spare, err := tx.CreateBucketIfNotExists(bucketSpare)
	if err != nil {
		return err
	}
	if err := spare.Put(binary.AppendUvarint(nil, number), denseCoders().enc.EncodeAll(dict, nil)); err != nil {
		return err
	}
	sum := sha256.Sum256(dict)
	return tx.Bucket(bucketMeta).Put(dictSum(number), sum[:])
}

// dictOf gives a dictionary as it was stored, from its spare if it was damaged. Volumes
// of before have neither spares nor digests.
func dictOf(tx *bbolt.Tx, number uint64, d []byte) []byte {
	want := tx.Bucket(bucketMeta).Get(dictSum(number))
	if want == nil || sumOf(d) == string(want) {
		return slices.Clone(d)
	}
	if b := tx.Bucket(bucketSpare); b != nil {
		if x, err := plainSpare(b.Get(binary.AppendUvarint(nil, number))); err == nil {
			if sumOf(x) == string(want) {
				return x
			}
		}
	}
	return slices.Clone(d)
}

// plainSpare unpacks a spare.
func plainSpare(b []byte) ([]byte, error) { return denseCoders().dec.DecodeAll(b, nil) }

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
			if want != nil && sumOf(d) != string(want) {
				spoiled = append(spoiled, n)
			}
			return nil
		})
	})
	return spoiled, err
}

// spared reports whether the spare of a dictionary is what was stored.
func (v *volume) spared(number uint64) (ok bool) {
	_ = v.view(func(tx *bbolt.Tx) error {
		want := tx.Bucket(bucketMeta).Get(dictSum(number))
		ok = want != nil && sumOf(dictOf(tx, number, nil)) == string(want)
		return nil
	})
	return ok
}

func sumOf(b []byte) string {
	sum := sha256.Sum256(b)
	return string(sum[:])
}
