package schedule

import (
	"slices"
	"testing"
	"time"

	"chancery/feed"
)

// What is remembered survives being stored, and nonsense is nothing.
func TestMemory(t *testing.T) {
	h := newHistory()
	o := posting(h.now, time.Hour)
	o.Hints = feed.Hints{TTL: time.Hour, SkipHours: []int{1}, SkipDays: []time.Weekday{time.Sunday}, Expired: true}
	o.Permanent, o.Trusted = "https://new.example/feed", true
	h.poll(o)
	m := recall(h.st.Schedule)
	if !slices.Equal(recall(m.bytes()).bytes(), h.st.Schedule) || m.TTL != time.Hour || m.Move == nil || m.Rate.Posts == 0 {
		t.Errorf("remembered %s", h.st.Schedule)
	}
	if len(h.st.Schedule) > 200 {
		t.Errorf("memory of %d bytes", len(h.st.Schedule))
	}
	for n := range len(h.st.Schedule) { // cut anywhere
		if m := recall(h.st.Schedule[:n]); m.Rate.Posts < 0 || len(m.SkipHours) > 24 {
			t.Errorf("cut to %d bytes: %+v", n, m)
		}
	}
	for _, b := range []string{"", "null", `{"rate":7}`, "\xff", "\x01\xff\xff\xff\xff"} {
		if m := recall([]byte(b)); m.TTL != 0 || m.Move != nil {
			t.Errorf("%q: %+v", b, m)
		}
	}
}

// FuzzMemory: any bytes are a memory by which the rules go on, within bounds.
func FuzzMemory(f *testing.F) {
	h := newHistory()
	h.poll(posting(h.now, time.Hour))
	f.Add(h.st.Schedule)
	f.Fuzz(func(t *testing.T, b []byte) {
		h := newHistory()
		h.poll(posting(h.now, time.Hour))
		h.st.Schedule = b
		Plan(h.st, 1, h.now)
		h.poll(unchanged)
		if w := h.wait(); w < time.Hour || w > 31*24*time.Hour {
			t.Errorf("next poll in %v", w)
		}
	})
}
