package publish

import (
	"container/list"
	"sync"
)

// cache keeps values up to a sum of sizes and drops those that were not used for
// the longest time. It is safe for concurrent use.
type cache[K comparable, V any] struct {
	max int64

	mu   sync.Mutex // guards all below
	size int64
	by   map[K]*list.Element
	used *list.List // front: last used
}

type cached[K comparable, V any] struct {
	key  K
	val  V
	size int64
}

func newCache[K comparable, V any](limit int64) *cache[K, V] {
	return &cache[K, V]{max: limit, by: map[K]*list.Element{}, used: list.New()}
}

func (c *cache[K, V]) get(k K) (v V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.by[k]
	if !ok {
		return v, false
	}
	c.used.MoveToFront(e)
	return e.Value.(*cached[K, V]).val, true
}

// put keeps v unless it alone is larger than a quarter of the room: one giant
// must not empty the cache for all.
func (c *cache[K, V]) put(k K, v V, size int64) {
	c.putIf(k, v, size, func() bool { return true })
}

// putIf is put, if v is still good: what drop or clear takes out after still was asked
// is out. So what makes values old first makes still false, and then drops them.
func (c *cache[K, V]) putIf(k K, v V, size int64, still func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !still() {
		return
	}
	c.remove(k)
	if size > c.max/4 {
		return
	}
	c.by[k] = c.used.PushFront(&cached[K, V]{k, v, size})
	c.size += size
	for c.size > c.max {
		c.remove(c.used.Back().Value.(*cached[K, V]).key)
	}
}

func (c *cache[K, V]) drop(k K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(k)
}

func (c *cache[K, V]) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.by)
	c.used.Init()
	c.size = 0
}

// remove needs mu.
func (c *cache[K, V]) remove(k K) {
	if e, ok := c.by[k]; ok {
		c.used.Remove(e)
		delete(c.by, k)
		c.size -= e.Value.(*cached[K, V]).size
	}
}

// bytes is the sum of sizes.
func (c *cache[K, V]) bytes() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.size
}
