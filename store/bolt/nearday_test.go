package bolt

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"chancery/feed"
	"chancery/store"
)

// The lists of a day with many posts find what looking at all of them finds.
func TestNearLists(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	effective := int64(20_000 * 24 * time.Hour)
	cache := &nearCache{days: map[uint32]*nearDay{}}
	for day := dayOf(effective) - nearDays; day <= dayOf(effective)+nearDays; day++ {
		cache.days[day] = &nearDay{}
	}
	tx := &txn{catalogTx: &catalogTx{near: cache}}
	d := cache.days[dayOf(effective)]
	id := func(i int) (id feed.ItemID) {
		binary.BigEndian.PutUint32(id[:], uint32(i+1))
		return id
	}
	var sketches []store.Sketch
	for i := range listed + 1000 {
		s := store.Sketch{Words: 100 + rnd.IntN(300)}
		for j := range s.Values {
			s.Values[j] = uint8(rnd.Uint32())
		}
		if i > 0 && rnd.IntN(3) == 0 { // like another one, more or less
			s = sketches[rnd.IntN(i)]
			for range rnd.IntN(100) {
				s.Values[rnd.IntN(len(s.Values))] = uint8(rnd.Uint32())
			}
		}
		sketches = append(sketches, s)
		cache.add(dayOf(effective), id(i), uint32(i%50), &s)
	}
	if d.lists == nil {
		t.Fatal("a day with many posts has no lists")
	}
	for range 300 {
		cache.remove(dayOf(effective), id(rnd.IntN(len(sketches))))
	}
	alone := (&intake{batch: &store.Batch{}}).sketchesBut(0)
	nobody := func(uint32) bool { return false }
	lists, found := d.lists, 0
	for i := range sketches {
		got, ok, err := tx.nearest(uint32(i%50), effective, &sketches[i], alone, nobody)
		d.lists = nil
		want, wantOK, err2 := tx.nearest(uint32(i%50), effective, &sketches[i], alone, nobody)
		d.lists = lists
		if got != want || ok != wantOK || err != nil || err2 != nil {
			t.Fatalf("post %d: found %v %v %v, by looking at all %v %v %v", i, got, ok, err, want, wantOK, err2)
		}
		if ok {
			found++
		}
	}
	if found < 100 {
		t.Errorf("only %d copies", found)
	}
}

// Twice never misses two bytes that agree.
func TestTwice(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		var x, y [8]byte
		zeros := 0
		for _, b := range []*[8]byte{&x, &y} {
			for i := range b {
				if b[i] = byte(r.IntN(4)); r.IntN(3) > 0 {
					b[i] = byte(r.IntN(256))
				}
				if b[i] == 0 {
					zeros++
				}
			}
		}
		got := twice(binary.LittleEndian.Uint64(x[:]), binary.LittleEndian.Uint64(y[:]))
		if zeros >= 2 && !got || zeros == 0 && got {
			t.Fatalf("%x %x: %d zeros, twice says %v", x, y, zeros, got)
		}
	}
}
