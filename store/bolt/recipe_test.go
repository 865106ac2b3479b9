package bolt

import (
	"bytes"
	"testing"

	"chancery/feed"
)

// Whatever bytes an entry has, its recipe gives them back.
func FuzzRecipe(f *testing.F) {
	const long = "Words that are long enough to be cut out, & with <b>\"marks\"</b> and 'quotes' é"
	for _, esc := range escapers {
		f.Add([]byte("<item><title>x</title><description>"+esc(long)+"</description></item>"), long, "a short one")
	}
	f.Add([]byte("{\"a\":\""+long+long+"\"}"), long, long)
	f.Add([]byte{}, "", "")
	f.Fuzz(func(t *testing.T, own []byte, content, summary string) {
		e := feed.Entry{Content: feed.Text{Value: content}, Summary: feed.Text{Value: summary}, Title: feed.Text{Value: content}}
		got, err := cook(cut(own, &e), &e, nil)
		if err != nil || !bytes.Equal(got, own) {
			t.Errorf("%q came back as %q, %v", own, got, err)
		}
	})
}

// A text that the document repeats, however escaped, is kept once.
func TestCutOut(t *testing.T) {
	const text = "Words that are long enough to be cut out, & with <b>\"marks\"</b> and 'quotes' é and / slashes"
	for i, esc := range escapers {
		own := []byte("<item>" + esc(text) + "</item>")
		e := feed.Entry{Content: feed.Text{Value: text}}
		if r := cut(own, &e); len(r) > 30 {
			t.Errorf("escape %d: the recipe has %d bytes: %q", i, len(r), r)
		}
	}
}

// Records damaged in any way are errors, never a panic or much memory.
func FuzzRecord(f *testing.F) {
	h := header{kind: 1, time: 5, source: "a", tags: []feed.Tag{{Topic: "iran", Score: 1}}}
	p, digest := pack(bytes.Repeat([]byte("text "), 50), nil)
	h.content = digest
	f.Add(frame(7, 1, h.encode(), p)[:60], uint64(7))
	f.Add(h.encode(), uint64(1))
	f.Fuzz(func(t *testing.T, b []byte, seq uint64) {
		if _, err := decodeHeader(seq, 1, b); err == nil {
			_, _ = decodeBody(b)
			_, _ = decodeRaw(b)
			_, _ = decodeRow(b)
		}
		// With a checksum that is right, so that what follows it is reached.
		whole := append(append([]byte{framing, 1}, b...), 0, 0, 0, 0)
		sum := checksum(seq, whole[:len(whole)-4])
		for i := range 4 {
			whole[len(whole)-4+i] = byte(sum >> (8 * i))
		}
		if fr, err := unframe(seq, whole); err == nil && fr.pack != nil {
			_, _ = unpack(fr.pack, func(uint64) (*coders, error) { return nil, errShort }, func(uint64) ([]byte, error) { return nil, errShort })
		}
	})
}
