package publish

import (
	"context"
	"sync/atomic"

	"chancery/publish/web"
)

// places bound how much costly work is done at once, and how many may wait for their
// turn (PUB-73).
type places struct {
	free    chan struct{}
	waiting atomic.Int64
	most    int64 // that wait
}

func newPlaces(n int, waiting int64) *places {
	return &places{free: make(chan struct{}, n), most: waiting}
}

// take waits for a place, or gives web.ErrBusy if too many wait already.
func (p *places) take(ctx context.Context) (release func(), err error) {
	release = func() { <-p.free }
	select {
	case p.free <- struct{}{}:
		return release, nil
	default:
	}
	if p.waiting.Add(1) > p.most {
		p.waiting.Add(-1)
		return nil, web.ErrBusy
	}
	defer p.waiting.Add(-1)
	select {
	case p.free <- struct{}{}:
		return release, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
