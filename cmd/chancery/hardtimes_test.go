package main

import (
	"bytes"
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

// damage VOLUME: turns a bit of the second record, wherever it stands. damage VOLUME item:
// of the first item. damage VOLUME last: fills the pages in which the last record stands
// with noise.
func damage(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second, ReadOnly: true})
	ts.Check(err)
	var record []byte
	ts.Check(db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte("log"))
		switch {
		case len(args) == 1:
			record = bytes.Clone(b.Get(binary.BigEndian.AppendUint64(nil, 2)))
		case args[1] == "item":
			const kindItem = 1 // of docs/archive-format.md
			return b.ForEach(func(_, v []byte) error {
				if v[1] == kindItem && record == nil {
					record = bytes.Clone(v)
				}
				return nil
			})
		default:
			_, v := b.Cursor().Last()
			record = bytes.Clone(v)
		}
		return nil
	}))
	ts.Check(db.Close())
	file, err := os.ReadFile(path)
	ts.Check(err)
	const page = 64 << 10
	n := 0
	for at := 0; ; n++ {
		i := bytes.Index(file[at:], record)
		if i < 0 {
			break
		}
		at += i
		if len(args) > 1 && args[1] == "last" {
			for j := at / page * page; j < (at+len(record)+page-1)/page*page; j++ {
				file[j] = byte(j*7 + 13)
			}
		} else {
			file[at+len(record)/2] ^= 1
		}
		at += len(record)
	}
	if n == 0 {
		ts.Fatalf("the record is not in %s", path)
	}
	ts.Check(os.WriteFile(path, file, 0o600))
}
