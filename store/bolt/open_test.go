package bolt_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"chancery/feed"
	"chancery/store"
	"chancery/store/bolt"
	"chancery/store/storetest"
)

// fill gives every field of v a value of its own.
func fill(v reflect.Value, n *int, depth int) {
	*n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Date(1990+*n%30, 2, 3, 4, 5, 6, *n, time.FixedZone("", 3600**n%40000))))
		return
	case feed.Digest:
		v.Set(reflect.ValueOf(feed.DigestOf([]byte{byte(*n)})))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("text %d\x00<&>\"", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint8:
		v.SetUint(uint64(*n))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n) - 40)
		if *n == 40 {
			v.SetInt(7)
		}
	case reflect.Float64:
		v.SetFloat(float64(*n) + 0.25)
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), n, depth)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n, depth)
	case reflect.Slice:
		if depth > 3 {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(v.Index(i), n, depth+1)
		}
	case reflect.Struct:
		for _, f := range v.Fields() {
			fill(f, n, depth+1)
		}
	default:
		panic(v.Type().String())
	}
}

// Every field of an entry comes back: a field added to feed.Entry and forgotten here fails.
func TestEntryRoundTrip(t *testing.T) {
	s := open(t, t.TempDir(), bolt.Options{})
	storetest.Source(t, s, "a")
	d := storetest.Draft("1", "one")
	n := 0
	fill(reflect.ValueOf(&d.Entry).Elem(), &n, 0)
	out, err := s.Append(t.Context(), store.Batch{Source: "a", Drafts: []store.Draft{d}})
	if err != nil {
		t.Fatal(err)
	}
	it, err := s.Items(t.Context(), []feed.ItemID{out[0].ID}, store.AllFields)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(d.Entry, it[0].Entry); diff != "" {
		t.Errorf("entry (-given +kept):\n%s", diff)
	}
}

// filled makes an archive with some content and closes it.
func filled(t *testing.T, o bolt.Options) (dir string, model *storetest.Model) {
	t.Helper()
	dir = t.TempDir()
	s, err := bolt.Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	model = storetest.NewModel()
	sc := storetest.NewScript(11)
	if err := sc.Setup(t.Context(), s, model); err != nil {
		t.Fatal(err)
	}
	for range 60 {
		if err := sc.Step(t.Context(), s, model); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, model
}

// same fails unless an archive holds what the model does, but for poll state and
// last-seen times, which are the catalog's own.
func same(t *testing.T, s store.Store, model store.Store) {
	t.Helper()
	rep, err := s.Verify(t.Context(), true, nil)
	if err != nil || len(rep.Faults) > 0 {
		t.Errorf("verify: %v, %v", rep.Faults, err)
	}
	a, errA := s.Heads(t.Context(), store.HeadQuery{})
	b, errB := model.Heads(t.Context(), store.HeadQuery{})
	if d := cmp.Diff(b, a); d != "" || errA != nil || errB != nil {
		t.Errorf("heads (-model +engine): %v %v\n%s", errA, errB, d)
	}
}

// A catalog that is missing, of another format, damaged or empty is made anew from the log.
func TestCatalogRebuilt(t *testing.T) {
	for name, harm := range map[string]func(t *testing.T, path string){
		"missing": func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		},
		"old format": func(t *testing.T, path string) { put(t, path, "meta", "format", []byte{99}) },
		"other archive": func(t *testing.T, path string) {
			put(t, path, "meta", "archive", []byte("0123456789abcdef"))
		},
		"both meta pages": func(t *testing.T, path string) { scribble(t, path, 0, 8192) },
		"no file of bbolt": func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte("nonsense"), 0o644); err != nil {
				t.Fatal(err)
			}
		},
		"found damaged before": func(t *testing.T, path string) {
			if err := os.WriteFile(path+".damaged", nil, 0o644); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, model := filled(t, bolt.Options{})
			harm(t, filepath.Join(dir, "catalog.bolt"))
			var told []string
			s := open(t, dir, bolt.Options{Progress: func(what string, _, _ int64) { told = append(told, what) }})
			if len(told) == 0 || told[0] != "rebuild" {
				t.Errorf("progress told %v, want a rebuild", told)
			}
			same(t, s, model)
		})
	}
}

func put(t *testing.T, path, bucket, key string, value []byte) {
	t.Helper()
	db, err := bbolt.Open(path, 0o644, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte(bucket)).Put([]byte(key), value) })
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

func scribble(t *testing.T, path string, at int64, n int) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	junk := make([]byte, n)
	for i := range junk {
		junk[i] = byte(i*7 + 13)
	}
	_, err = f.WriteAt(junk, at)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// What the catalog has not seen is replayed: the catalog of before stands in for the
// crash between the two commits.
func TestReplay(t *testing.T) {
	dir := t.TempDir()
	s, err := bolt.Open(t.Context(), dir, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	model := storetest.NewModel()
	sc := storetest.NewScript(5)
	if err := sc.Setup(t.Context(), s, model); err != nil {
		t.Fatal(err)
	}
	step := func(n int) {
		for range n {
			if err := sc.Step(t.Context(), s, model); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	step(30)
	path := filepath.Join(dir, "catalog.bolt")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if s, err = bolt.Open(t.Context(), dir, bolt.Options{}); err != nil {
		t.Fatal(err)
	}
	step(30)
	if err := os.WriteFile(path, before, 0o644); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, bolt.Options{})
	same(t, s, model)
}

// OPS-24: a second process is told who has the archive.
func TestLocked(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, bolt.Options{Command: "chancery serve"})
	start := time.Now()
	_, err := bolt.Open(t.Context(), dir, bolt.Options{})
	if !errors.Is(err, store.ErrBusy) || !strings.Contains(err.Error(), "chancery serve") || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("second Open = %v, want ErrBusy with the command and pid of the first", err)
	}
	if took := time.Since(start); took > 10*time.Second { // at once, that is, on however busy a machine
		t.Errorf("it took %v to say so", took)
	}
	var who string
	if _, err := bolt.Open(t.Context(), dir, bolt.Options{Wait: 150 * time.Millisecond, Waiting: func(w string) { who = w }}); !errors.Is(err, store.ErrBusy) || who == "" {
		t.Errorf("Open with patience = %v, told %q", err, who)
	}
	if _, err := bolt.Open(t.Context(), dir, bolt.Options{ReadOnly: true}); !errors.Is(err, store.ErrBusy) {
		t.Errorf("Open for reading = %v, want ErrBusy", err)
	}
}

// A command that only reads never makes an archive, and changes nothing in one.
func TestReadOnly(t *testing.T) {
	empty := t.TempDir()
	if _, err := bolt.Open(t.Context(), empty, bolt.Options{ReadOnly: true}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Open of nothing = %v, want ErrNotFound", err)
	}
	if left, _ := os.ReadDir(empty); len(left) > 0 {
		t.Errorf("it left %v", left)
	}
	dir, model := filled(t, bolt.Options{})
	for range 2 {
		s := open(t, dir, bolt.Options{ReadOnly: true})
		same(t, s, model)
		if _, err := s.Append(t.Context(), store.Batch{Source: "alpha"}); !errors.Is(err, store.ErrReadOnly) {
			t.Errorf("Append = %v, want ErrReadOnly", err)
		}
		if err := s.LedgerWrite(t.Context(), []store.LedgerEntry{{Space: "a", Key: "b"}}); !errors.Is(err, store.ErrReadOnly) {
			t.Errorf("LedgerWrite = %v, want ErrReadOnly", err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		// Without its catalog it makes one for itself.
		if err := os.Remove(filepath.Join(dir, "catalog.bolt")); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "catalog.bolt")); !errors.Is(err, os.ErrNotExist) {
		t.Error("reading made a catalog in the archive")
	}
}

// OPS-29: an archive of a later format is refused, and left as it is.
func TestNewer(t *testing.T) {
	dir, _ := filled(t, bolt.Options{})
	put(t, filepath.Join(dir, "archive", "v000001.bolt"), "meta", "format", []byte{bolt.Format + 1})
	if _, err := bolt.Open(t.Context(), dir, bolt.Options{}); !errors.Is(err, store.ErrNewer) {
		t.Errorf("Open = %v, want ErrNewer", err)
	}
}

// Volumes are sealed and followed by others; one that is not in its place is named. For one
// that is missing see TestMissingVolume.
func TestVolumes(t *testing.T) {
	dir, model := filled(t, bolt.Options{VolumeSize: 1})
	s, err := bolt.Open(t.Context(), dir, bolt.Options{VolumeSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	same(t, s, model)
	if st, _ := s.Stats(t.Context()); st.Volumes < 10 {
		t.Errorf("%d volumes, want one a commit", st.Volumes)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "archive", "v*.bolt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []string{"belongs to another archive", "says that it is volume 4"} {
		was, err := os.ReadFile(files[3])
		if err != nil {
			t.Fatal(err)
		}
		place := files[3]
		if strings.Contains(v, "another") {
			put(t, place, "meta", "archive", []byte("0123456789abcdef"))
		} else {
			place = files[4]
			if err := os.WriteFile(place, was, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := bolt.Open(t.Context(), dir, bolt.Options{}); !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), filepath.Base(place)) || !strings.Contains(err.Error(), v) {
			t.Errorf("Open = %v, want ErrCorrupt: %s %s", err, filepath.Base(place), v)
		}
		if err := os.WriteFile(files[3], was, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// A changed byte in a record is found, named, and does not hide the others.
func TestVerifyFindsDamage(t *testing.T) {
	dir, _ := filled(t, bolt.Options{})
	db, err := bbolt.Open(filepath.Join(dir, "archive", "v000001.bolt"), 0o644, &bbolt.Options{PageSize: 16 << 10})
	if err != nil {
		t.Fatal(err)
	}
	key := []byte{0, 0, 0, 0, 0, 0, 0, 9}
	err = db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte("log"))
		v := append([]byte{}, b.Get(key)...)
		v[len(v)/2] ^= 4
		return b.Put(key, v)
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir, bolt.Options{})
	rep, err := s.Verify(t.Context(), false, nil)
	if err != nil || len(rep.Faults) == 0 || !strings.Contains(rep.Faults[0], "record 9") {
		t.Errorf("verify: %v, %v; want a fault that names record 9", rep.Faults, err)
	}
	if rep.Records < 50 {
		t.Errorf("%d records checked", rep.Records)
	}
}

// A thousand polls that brought nothing are a few commits.
func TestGroupCommit(t *testing.T) {
	s := open(t, t.TempDir(), bolt.Options{})
	for i := range 200 {
		storetest.Source(t, s, feed.SourceID(fmt.Sprint("s", i)))
	}
	leases, err := s.Lease(t.Context(), store.LeaseQuery{Now: time.Now()})
	if err != nil || len(leases) != 200 {
		t.Fatalf("%d leases, %v", len(leases), err)
	}
	before := s.Commits()
	done := make(chan error)
	for _, l := range leases {
		go func() {
			_, err := s.Finish(context.Background(), l, store.PollResult{State: store.PollState{ETag: string(l.Source.ID)}})
			done <- err
		}()
	}
	for range leases {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if n := s.Commits() - before; n > 20 {
		t.Errorf("200 polls took %d commits", n)
	}
	st, err := s.Source(t.Context(), "s7")
	if err != nil || st.State.ETag != "s7" {
		t.Errorf("state %+v, %v", st.State, err)
	}
}

// A takedown leaves nothing of the content in the files, and an archive that verifies.
func TestTakedownLeavesNoTrace(t *testing.T) {
	for _, size := range []int64{0, 1} {
		dir := t.TempDir()
		s := open(t, dir, bolt.Options{VolumeSize: size})
		storetest.Source(t, s, "a")
		const secret = "Zanzibar-8831-secret"
		d := storetest.Draft("1", secret)
		body := []byte("<rss><item>" + secret + "</item></rss>")
		d.Part = 0
		out, err := s.Append(t.Context(), store.Batch{
			Document: &store.Document{Source: "a", Body: body, Parts: []store.Part{{Start: 5, End: len(body) - 6, Digest: feed.DigestOf(body[5 : len(body)-6])}}},
			Drafts:   []store.Draft{d},
		})
		if err != nil {
			t.Fatal(err)
		}
		if doc, err := s.Raw(t.Context(), out[0].ID, 0); err != nil || string(doc.Body) != string(body) {
			t.Fatalf("raw = %q, %v", doc.Body, err)
		}
		if err := s.Change(t.Context(), []store.Edit{{Kind: store.KindTakedown, Items: []feed.ItemID{out[0].ID}, Reason: "a court"}}); err != nil {
			t.Fatal(err)
		}
		rep, err := s.Verify(t.Context(), true, nil)
		if err != nil || len(rep.Faults) > 0 {
			t.Errorf("verify: %v, %v", rep.Faults, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		err = filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			if strings.Contains(string(b), secret) {
				t.Errorf("%s still has the content", filepath.Base(path))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
