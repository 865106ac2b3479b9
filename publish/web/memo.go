package web

import (
	"sync"
	"time"

	"chancery/store"
)

// memo keeps what is costly to make for a page: counts over the whole archive. A
// value is made again once the index has gone on, but not before fifty times as long
// has passed as it takes to make, or, if that is less, a minute. So a small archive is
// always shown as it is, and a large one costs little. It is safe for concurrent use.
type memo[V any] struct {
	mu sync.Mutex // guards by
	by map[string]*remembered[V]
}

type remembered[V any] struct {
	mu     sync.Mutex // held while a value is made
	made   bool
	value  V
	at     time.Time
	took   time.Duration
	cursor store.Cursor
}

const (
	memoEntries = 512 // by topic: more than anybody has
	memoShare   = 50
	memoLonger  = time.Minute
	memoLongest = 10 * time.Minute // "the last months" go on even where nothing new comes
)

// get gives the value of key, made by what is given if there is none that is good
// enough. cursor is how far the index is.
func (m *memo[V]) get(key string, cursor store.Cursor, create func() (V, error)) (V, error) {
	m.mu.Lock()
	if m.by == nil || len(m.by) >= memoEntries {
		m.by = map[string]*remembered[V]{}
	}
	e := m.by[key]
	if e == nil {
		e = &remembered[V]{}
		m.by[key] = e
	}
	m.mu.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	if age := time.Since(e.at); e.made && (age < min(memoShare*e.took, memoLonger) || e.cursor == cursor && age < memoLongest) {
		return e.value, nil
	}
	began := time.Now()
	v, err := create()
	if err != nil {
		return v, err
	}
	e.made, e.value, e.at, e.took, e.cursor = true, v, time.Now(), time.Since(began), cursor
	return v, nil
}
