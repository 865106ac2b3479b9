package bolt_test

import (
	"fmt"
	"testing"

	"chancery/store"
	"chancery/store/bolt"
	"chancery/store/storetest"
)

func open(t *testing.T, dir string, o bolt.Options) *bolt.Store {
	t.Helper()
	s, err := bolt.Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// Whatever pipelines and people do, the engine answers as the model does, also
// after it was closed and opened.
func TestAgainstModel(t *testing.T) {
	seeds, steps := 4, 90
	if testing.Short() {
		seeds = 1
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := open(t, dir, bolt.Options{})
			storetest.RunScript(t, uint64(seed), steps, s, func(old store.Store) store.Store {
				if err := old.Close(); err != nil {
					t.Fatal(err)
				}
				return open(t, dir, bolt.Options{})
			})
		})
	}
}

// The engine keeps the contract.
func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		s, err := bolt.Open(t.Context(), t.TempDir(), bolt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}
