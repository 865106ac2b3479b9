package main

import (
	"encoding/binary"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.etcd.io/bbolt"
)

// unwritable DIR and writable DIR: the modes of a directory and all below it.
func setMode(file, dir os.FileMode) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if e.IsDir() {
				return os.Chmod(path, dir)
			}
			return os.Chmod(path, file)
		}))
	}
}

// limited STATUS COMMAND…: as exits, but root may not write everywhere.
func limited(ts *testscript.TestScript, neg bool, args []string) {
	if os.Geteuid() == 0 {
		args = append([]string{args[0], "setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner"}, args[1:]...)
	}
	exits(ts, neg, args)
}

// damage VOLUME: turns a bit of the second record with a body.
func damage(ts *testscript.TestScript, _ bool, args []string) {
	db, err := bbolt.Open(ts.MkAbs(args[0]), 0o600, &bbolt.Options{Timeout: time.Second})
	ts.Check(err)
	err = db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte("log"))
		k := binary.BigEndian.AppendUint64(nil, 2)
		v := append([]byte{}, b.Get(k)...)
		v[len(v)/2] ^= 1
		return b.Put(k, v)
	})
	ts.Check(err)
	ts.Check(db.Close())
}
