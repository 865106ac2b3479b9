package main

import (
	"sync"

	"chancery/aggregator"
	"chancery/publish/web"
)

// manners counts what polls cost publishers.
type manners struct {
	mu    sync.Mutex // guards count
	count web.Manners
}

func (m *manners) polled(p aggregator.Polled) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.count.Polls++
	switch p.Outcome {
	case "not_modified":
		m.count.Unchanged++
	case "unchanged":
		m.count.Repeated++
		m.count.RepeatedBytes += p.Bytes
	case "failed":
		m.count.Failed++
	}
}

// counted is what was counted so far.
func (m *manners) counted() web.Manners {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.count
}
