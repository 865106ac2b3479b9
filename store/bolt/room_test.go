package bolt

import (
	"errors"
	"testing"

	"chancery/store"
)

// The room that a process made which was killed is given back by the next that writes.
func TestRoomOfAKilledProcess(t *testing.T) {
	live, dir := t.TempDir(), t.TempDir()
	anchored(t, live, 2, 2)
	copied(t, live, dir)
	path := volumePath(dir, 1)
	if size, err := fileSize(path); err != nil || size < volumeRoom {
		t.Fatalf("%d bytes, %v: there is no room in it", size, err)
	}
	s, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Change(t.Context(), []store.Edit{{Kind: store.KindRuleset}}); err != nil {
		t.Fatal(err)
	}
	high, err := s.live().high()
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	if size, err := fileSize(path); err != nil || size != high {
		t.Errorf("%d bytes after a close, want %d; %v", size, high, err)
	}
}

// A volume is not smaller for the room that it had: who compacts is not told so.
func TestCompactCountsNoRoom(t *testing.T) {
	s := anchored(t, t.TempDir(), 2, 2)
	if n := allocated(s.live().path); n < volumeRoom/2 {
		t.Fatalf("%d bytes are allocated: there is no room", n)
	}
	out, err := s.Compact(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if f := out.Files[0]; f.Before > volumeRoom/4 || f.After > f.Before {
		t.Errorf("%s: %d bytes before, %d after", f.Name, f.Before, f.After)
	}
}
