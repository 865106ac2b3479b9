package aggregator

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"chancery/feed"
	"chancery/feed/feedtest"
	"chancery/store"
)

// exported is a line of an export, with members added to it.
func exported(n int, source, members string) string {
	id := exportedID(n)
	return fmt.Sprintf(`{"id":"%v","source":%q,"guid":"g%d","title":"Title %d","first_seen":"2026-03-01T10:00:00Z","content_html":"<p>Words of post number %d</p>"%s}`+"\n",
		id, source, n, n, n, members)
}

func exportedID(n int) feed.ItemID {
	return feed.NewItemID(time.Date(2026, 3, 1, 10, 0, n, 0, time.UTC), 0, "x", "")
}

// What cannot be is refused with the file and the line, and nothing of that line is taken;
// the lines beside it are.
func TestImportLinesRefuses(t *testing.T) {
	one, two, none := exportedID(1).String(), exportedID(2).String(), exportedID(9).String()
	for name, c := range map[string]struct {
		line string
		says string // of line 2
		left int    // items
	}{
		"versions out of order":       {exported(2, "a", `,"revision":3,"earlier":[{"revision":2},{"revision":1}]`), "line 2: it contradicts itself: revision 1 stands behind revision 2", 2},
		"a merge with itself":         {exported(2, "a", `,"decisions":[{"kind":"merge","items":["`+two+`"]}]`), "joins an item with nothing", 2},
		"a merge of one and the same": {exported(2, "a", `,"decisions":[{"kind":"merge","items":["`+two+`","`+two+`"]}]`), "names an item twice", 2},
		"a decision that is none":     {exported(2, "a", `,"decisions":[{"kind":"burn"}]`), `line 2: it contradicts itself: decision 1 (burn): not "topics"`, 2},
		"a copy of itself":            {exported(2, "a", `,"also_in":[{"id":"`+two+`","source":"a"}]`), "a copy of itself", 2},
		"a key that is none":          {exported(2, "a", `,"known_as":["guid:zz"]`), `line 2: known_as: not a key: "guid:zz"`, 2},
		"a key of everybody's":        {exported(2, "a", `,"known_as":["url:00000000000000000000000000000000"]`), "is not a key within a source", 2},
		"a merge with what is not there": {
			exported(2, "a", `,"decisions":[{"kind":"merge","at":"2026-03-02T00:00:00Z","items":["`+two+`","`+none+`"]}]`),
			"line 2: a merge names item " + none + ", which is neither in the file nor in the archive", 3,
		},
		"a list that is nowhere": {
			exported(2, "a", `,"decisions":[{"kind":"split","at":"2026-03-02T00:00:00Z","listed_at":"`+one+`"}]`),
			"line 2: the items of a split stand with item " + one + ", and there they do not", 3,
		},
		"a version that is no item": {exported(2, "a", `,"revision":2,"earlier":[7]`), `line 2: "earlier": a JSON number cannot stand there`, 2},
	} {
		a, m := bench(t, &site{})
		file := exported(1, "a", "") + c.line + exported(3, "a", "")
		sum, err := a.Import(t.Context(), ImportOptions{Name: "x.jsonl"}, strings.NewReader(file))
		if err != nil || len(sum.Errors) != 1 || sum.Partial != 1 || sum.Errors[0].URL != "x.jsonl" || !strings.Contains(sum.Errors[0].Error, c.says) {
			t.Errorf("%s: %v, %+v; want %q", name, err, sum.Errors, c.says)
		}
		if n := len(items(t, m)); n != c.left {
			t.Errorf("%s: %d items, want %d", name, n, c.left)
		}
	}
}

// A byte order mark before the first line is none of it, and other programs that write
// lines put spaces between names and values.
func TestImportLinesOfOthers(t *testing.T) {
	line := exported(1, "a", "")
	for _, file := range []string{"\ufeff" + line, strings.ReplaceAll(strings.ReplaceAll(line, `":`, `": `), `,"`, `, "`)} {
		a, m := bench(t, &site{})
		sum, err := a.Import(t.Context(), ImportOptions{Name: "x.jsonl"}, strings.NewReader(file))
		if err != nil || len(sum.Errors) > 0 || len(items(t, m)) != 1 {
			t.Errorf("%q: %+v, %v", file, sum, err)
		}
	}
}

// A copy that stands before its original joins its story, and an original that never comes
// keeps no copy out.
func TestImportLinesWaitForTheirStory(t *testing.T) {
	a, m := bench(t, &site{})
	one, two, three, none := exportedID(1), exportedID(2), exportedID(3), exportedID(9)
	file := exported(1, "a", fmt.Sprintf(`,"story":"%v","also_in":[{"id":"%v","source":"b"}]`, three, three)) +
		exported(2, "a", fmt.Sprintf(`,"story":"%v","also_in":[{"id":"%v","source":"b"}]`, none, none)) +
		exported(3, "b", fmt.Sprintf(`,"story":"%v","also_in":[{"id":"%v","source":"a"}]`, three, one))
	sum, err := a.Import(t.Context(), ImportOptions{Name: "x.jsonl"}, strings.NewReader(file))
	if err != nil || len(sum.Errors) > 0 || sum.New != 2 || sum.Duplicate != 1 {
		t.Fatalf("%+v, %v", sum, err)
	}
	for i, want := range []feed.ItemID{three, two, three} {
		if it := items(t, m)[i]; it.Story != want {
			t.Errorf("item %v is of story %v, want %v", it.ID, it.Story, want)
		}
	}
}

// A cycle of stories and originals ends, and so does what one item says of another that
// says the opposite.
func TestImportLinesCycle(t *testing.T) {
	a, m := bench(t, &site{})
	one, two := exportedID(1).String(), exportedID(2).String()
	at := `"at":"2026-03-02T00:00:00Z"`
	file := exported(1, "a", `,"story":"`+two+`","original":"`+two+`","also_in":[{"id":"`+two+`","source":"b"}],"decisions":[{"kind":"merge",`+at+`,"listed_at":"`+two+`"}]`) +
		exported(2, "b", `,"story":"`+one+`","original":"`+one+`","decisions":[{"kind":"merge",`+at+`,"items":["`+one+`","`+two+`"],"original":"`+one+`"},{"kind":"split",`+at+`,"items":["`+two+`"]}]`)
	sum, err := a.Import(t.Context(), ImportOptions{Name: "x.jsonl"}, strings.NewReader(file))
	if err != nil || len(sum.Errors) > 0 || len(items(t, m)) != 2 {
		t.Errorf("%+v, %v", sum, err)
	}
}

// What was decided here stays: an older decision of a file changes nothing, a newer one
// that is not recorded yet comes in, once; content that is here is not removed by a file.
func TestImportLinesLeavesDecisions(t *testing.T) {
	a, m := bench(t, &site{})
	in := func(file string) Summary {
		t.Helper()
		sum, err := a.Import(t.Context(), ImportOptions{Name: "x.jsonl"}, strings.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	in(exported(1, "a", "") + exported(2, "a", "") + exported(3, "b", ""))
	decide := func(e store.Edit) {
		t.Helper()
		e.By = "command"
		if err := m.Change(t.Context(), []store.Edit{e}); err != nil {
			t.Fatal(err)
		}
	}
	decide(store.Edit{Kind: store.KindWithdrawn, Items: []feed.ItemID{exportedID(1)}})
	decide(store.Edit{Kind: store.KindMerge, Items: []feed.ItemID{exportedID(1), exportedID(3)}})
	end, _ := m.End(t.Context())
	older := exported(1, "a", `,"decisions":[{"kind":"withdraw","at":"2026-03-02T00:00:00Z","undo":true},{"kind":"split","at":"2026-03-02T00:00:00Z","items":["`+exportedID(1).String()+`"]}]`)
	if sum := in(older); len(sum.Errors) > 0 {
		t.Error(sum.Errors)
	}
	if now, _ := m.End(t.Context()); now != end {
		t.Errorf("older decisions: the log grew from %d to %d", end, now)
	}
	newer := exported(2, "a", `,"withdrawn":true,"untagged":["iran"],"decisions":[{"kind":"withdraw","at":"2026-03-02T00:00:00Z","reason":"asked"},{"kind":"topics","at":"2026-03-03T00:00:00Z","untagged":["iran"]}]`)
	in(newer)
	in(newer)
	it := items(t, m)[1]
	if now, _ := m.End(t.Context()); now != end+2 || !it.Withdrawn || len(it.Topics) != 1 || it.Topics[0].Score >= 0 {
		t.Errorf("two decisions that were not here: the log grew from %d to %d; %+v", end, now, it)
	}
	gone := `{"id":"` + exportedID(3).String() + `","source":"b","taken_down":true,"known_as":["` + keyOf(t, m, exportedID(3)) + `"],"decisions":[{"kind":"takedown","at":"2026-03-04T00:00:00Z","reason":"a court"}]}` + "\n"
	sum := in(gone)
	if len(sum.Errors) != 1 || !strings.Contains(sum.Errors[0].Error, "line 1: item "+exportedID(3).String()+" was taken down there and stays here") {
		t.Errorf("taken down elsewhere: %+v", sum.Errors)
	}
	if items(t, m)[2].TakenDown {
		t.Error("a file removed what was here")
	}
}

func keyOf(t *testing.T, s store.Archive, id feed.ItemID) string {
	t.Helper()
	keys, err := s.Keys(t.Context(), id)
	if err != nil || len(keys) == 0 {
		t.Fatal(keys, err)
	}
	return keys[0].String()
}

// An item that is taken down comes as such, and its feed does not bring it back.
func TestImportLinesTakenDown(t *testing.T) {
	s := &site{}
	a, m := bench(t, s)
	subscribe(t, a)
	s.set(feedURL, page{200, rss(rssItem(1, "Soup", "A recipe.")), "", nil})
	poll(t, a)
	key := keyOf(t, m, items(t, m)[0].ID)
	a2, m2 := bench(t, s)
	subscribe(t, a2)
	line := `{"id":"` + exportedID(1).String() + `","source":"blog","published":"2009-01-02T00:00:00Z","taken_down":true,"known_as":["` + key + `"]}`
	if sum, err := a2.Import(t.Context(), ImportOptions{Name: "x.jsonl"}, strings.NewReader(line)); err != nil || sum.New != 1 {
		t.Fatalf("%+v, %v", sum, err)
	}
	if sum := poll(t, a2); sum.New+sum.Revised != 0 || sum.Seen != 1 {
		t.Errorf("the feed brought it back: %+v", sum)
	}
	if all := items(t, m2); len(all) != 1 || !all[0].TakenDown || all[0].ID != exportedID(1) {
		t.Errorf("%+v", all)
	}
}

// Lines that would take a hundred times their size in memory, or that are too long, cost
// bounded time and memory and are named (CONFORMANCE SEC-10 has it for what servers send).
func TestImportLinesBounds(t *testing.T) {
	if testing.Short() {
		t.Skip("makes lines of 65 MB")
	}
	head := strings.TrimSuffix(exported(1, "a", ""), "}\n")
	long := func(member, one string) io.Reader {
		return io.MultiReader(strings.NewReader(head+`,"`+member+`":[`+one), &repeated{text: "," + one, left: (30 << 20) / len(","+one) * len(","+one)}, strings.NewReader("]}\n"))
	}
	for name, c := range map[string]struct {
		file io.Reader
		says string
	}{
		"versions":        {long("earlier", `{}`), "more than 200000 members and elements"},
		"authors":         {long("authors", `{}`), "more than 200000 members and elements"},
		"numbers":         {long("earlier", `0`), "more than 200000 members and elements"},
		"10,001 versions": {strings.NewReader(head + `,"revision":20000,"earlier":[` + versions(10_001) + "]}\n"), "10001 earlier versions, at most 10000"},
		"merges":          {merges(11, 199_000), "line 11: the merges and splits of the file name more than 2097152 items"},
		"one long line":   {io.MultiReader(strings.NewReader(exported(1, "a", "")), &repeated{text: "x", left: 66 << 20}), "line 2: longer than 64 MiB"},
	} {
		a, _ := bench(t, &site{})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		used := feedtest.CPU(t)
		sum, err := a.Import(t.Context(), ImportOptions{Name: "x.jsonl"}, c.file)
		used = feedtest.CPU(t) - used
		runtime.ReadMemStats(&after)
		if err != nil || len(sum.Errors) == 0 || !strings.Contains(sum.Errors[0].Error, c.says) {
			t.Errorf("%s: %v, %.300v", name, err, sum.Errors)
		}
		if got := (after.TotalAlloc - before.TotalAlloc) >> 20; got > 1000 { // in all; the merges are 65 MB themselves
			t.Errorf("%s: %d MiB were allocated", name, got)
		}
		t.Logf("%s: %v CPU, %d MiB allocated", name, used, (after.TotalAlloc-before.TotalAlloc)>>20)
	}
}

// merges are lines of posts, each merged with many that are not there.
func merges(lines, each int) io.Reader {
	var all []io.Reader
	for i := range lines {
		var b strings.Builder
		b.WriteString(strings.TrimSuffix(exported(i+1, "a", `,"decisions":[{"kind":"merge","at":"2026-03-02T00:00:00Z","items":["`+exportedID(i+1).String()+`"`), "}\n"))
		for j := range each {
			b.WriteString(`,"` + feed.ItemID{1, byte(i), byte(j >> 16), byte(j >> 8), byte(j)}.String() + `"`)
		}
		b.WriteString("]}]}\n")
		all = append(all, strings.NewReader(b.String()))
	}
	return io.MultiReader(all...)
}

func versions(n int) string {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, `{"revision":%d},`, i+1)
	}
	return strings.TrimSuffix(b.String(), ",")
}

// repeated is a text again and again.
type repeated struct {
	text string
	at   int
	left int
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, io.EOF
	}
	p = p[:min(len(p), r.left)]
	for i := range p {
		p[i] = r.text[r.at]
		r.at = (r.at + 1) % len(r.text)
	}
	r.left -= len(p)
	return len(p), nil
}

// Lines as they stand are read, whatever ends them, and an error is that of its line.
func TestLineReader(t *testing.T) {
	in := lineReader{r: newSmallReader("one\r\n\ntwo longer than the buffer of sixteen\nlast", errors.New("torn"))}
	var got []string
	for in.next() {
		got = append(got, fmt.Sprint(in.n, string(in.line)))
	}
	if fmt.Sprint(got) != "[1one 2 3two longer than the buffer of sixteen]" || in.n != 4 || in.err == nil || in.err.Error() != "torn" {
		t.Errorf("%q, line %d: %v", got, in.n, in.err)
	}
}

func newSmallReader(text string, err error) *bufio.Reader {
	return bufio.NewReaderSize(io.MultiReader(strings.NewReader(text), iotest.ErrReader(err)), 16)
}
