package bolt_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"

	"chancery/store"
	"chancery/store/bolt"
	"chancery/store/storetest"
)

var update = flag.String("update", "", "write an archive as this program makes it to testdata/format1-`NAME`.tar.zst; an old one is never written again")

// OPS-29: archives of every format there has been, and of programs that wrote the same
// format in other ways, are read: each is a backup, packed. The first of them is of the
// first program that there was.
func TestFormats(t *testing.T) {
	if *update != "" {
		name := filepath.Join("testdata", "format1-"+*update+".tar.zst")
		if _, err := os.Stat(name); err == nil {
			t.Fatalf("%s is there already", name)
		}
		dir, _ := filled(t, bolt.Options{VolumeSize: 1 << 20})
		s := open(t, dir, bolt.Options{})
		var b bytes.Buffer
		if err := s.Backup(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, enc.EncodeAll(b.Bytes(), nil), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob(filepath.Join("testdata", "format*.tar.zst"))
	if err != nil || len(files) == 0 {
		t.Fatal("no archives in testdata", err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		dec, err := zstd.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(t.TempDir(), "a")
		rep, err := bolt.Restore(t.Context(), dec, dir)
		dec.Close()
		if err != nil || rep.Items != 32 {
			t.Errorf("%s: %d items, want 32, %v", name, rep.Items, err)
			continue
		}
		s := open(t, dir, bolt.Options{})
		if rep, err = s.Verify(t.Context(), true, nil); err != nil || len(rep.Faults) > 0 {
			t.Errorf("%s: verify: %v, %v", name, rep.Faults, err)
		}
		// And written on.
		out, err := s.Append(t.Context(), store.Batch{Source: "alpha", Drafts: []store.Draft{storetest.Draft("new", "new")}})
		if err != nil || out[0].State != store.New {
			t.Errorf("%s: append: %v, %v", name, out, err)
		}
	}
}
