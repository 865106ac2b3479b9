package main

import (
	"compress/gzip"
	"os"

	"github.com/rogpeppe/go-internal/testscript"
)

// pack FILE: packs a file by gzip into FILE.gz.
func pack(ts *testscript.TestScript, _ bool, args []string) {
	f, err := os.Create(ts.MkAbs(args[0] + ".gz"))
	ts.Check(err)
	z := gzip.NewWriter(f)
	_, err = z.Write([]byte(ts.ReadFile(args[0])))
	ts.Check(err)
	ts.Check(z.Close())
	ts.Check(f.Close())
}
