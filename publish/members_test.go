package publish

import (
	"math/rand/v2"
	"testing"
)

// Members are what a map would hold, whatever is put, put again and dropped.
func TestMembers(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, keys := range []uint64{4, 60, 5000} { // few keys: they are dropped and come again
		var m members
		want := map[uint64]uint32{}
		for step := range 60_000 {
			key := r.Uint64N(keys)
			if r.IntN(2) == 0 {
				key *= 0xD1B54A32D192ED03 // far apart, or next to each other
			}
			switch r.IntN(5) {
			case 0, 1, 2:
				m.put(key, uint32(step))
				want[key] = uint32(step)
				if key <= 1 { // the one pair of keys that is not told apart
					want[1-key] = uint32(step)
				}
			case 3:
				m.drop(key)
				delete(want, key)
				if key <= 1 {
					delete(want, 1-key)
				}
			}
			got, ok := m.of(key)
			if carrier, in := want[key]; ok != in || ok && got != carrier {
				t.Fatalf("step %d, key %x: %d %v, want %d %v", step, key, got, ok, carrier, in)
			}
		}
		for key, carrier := range want {
			if got, ok := m.of(key); !ok || got != carrier {
				t.Fatalf("key %x: %d %v, want %d", key, got, ok, carrier)
			}
		}
	}
}

// A story takes 12 bytes, and what is free at most a third as much again.
func TestMembersSize(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	var m members
	for m.n < 100_000 {
		m.put(r.Uint64(), 1)
		if m.n > 1000 && 12*cap(m.keys) > 18*m.n {
			t.Fatalf("%d places for %d stories", cap(m.keys), m.n)
		}
	}
}
