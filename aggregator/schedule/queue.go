package schedule

import (
	"cmp"
	"container/heap"
	"time"

	"chancery/feed"
)

// queue holds the tasks of a Loop, by host. Each host has its tasks by time; of
// the hosts, those that wait are ordered by when they can start, those that can
// start now by their earliest deadline.
type queue struct {
	perHost int
	polling int
	tasks   map[feed.SourceID]*task
	hosts   map[string]*host
	waiting pile[*host]
	ready   pile[*host]
}

type task struct {
	Task
	at    time.Time // when it is due, monotonic
	busy  bool      // being polled
	gone  bool      // removed while being polled
	again bool      // put while being polled: at is newer than what the poll will say
	in    *host     // while being polled: the host that it is polled at
	index int
}

type host struct {
	name  string
	tasks pile[*task]
	busy  int       // tasks being polled
	held  time.Time // not before
	at    time.Time // when its first task can start; key of waiting
	due   time.Time // deadline of its first task; key of ready
	pile  *pile[*host]
	index int
}

func (q *queue) init(perHost int) {
	q.perHost = perHost
	q.tasks = map[feed.SourceID]*task{}
	q.hosts = map[string]*host{}
	q.waiting = pile[*host]{less: func(a, b *host) int { return a.at.Compare(b.at) }, place: placeHost}
	q.ready = pile[*host]{less: func(a, b *host) int {
		return cmp.Or(a.due.Compare(b.due), cmp.Compare(a.name, b.name))
	}, place: placeHost}
}

func placeHost(h *host, i int) { h.index = i }
func placeTask(t *task, i int) { t.index = i }

func byTime(a, b *task) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.ID, b.ID)) }

func (q *queue) host(name string) *host {
	h := q.hosts[name]
	if h == nil {
		h = &host{name: name, tasks: pile[*task]{less: byTime, place: placeTask}}
		q.hosts[name] = h
	}
	return h
}

// put adds or replaces a task, due at at.
func (q *queue) put(t Task, at time.Time) {
	if have := q.tasks[t.ID]; have != nil {
		if have.busy {
			have.Task, have.at, have.gone, have.again = t, at, false, true
			return
		}
		q.remove(t.ID)
	}
	n := &task{Task: t, at: at}
	q.tasks[t.ID] = n
	h := q.host(t.Host)
	heap.Push(&h.tasks, n)
	q.settle(h)
}

func (q *queue) remove(id feed.SourceID) {
	t := q.tasks[id]
	if t == nil {
		return
	}
	if t.busy {
		t.gone = true
		return
	}
	delete(q.tasks, id)
	h := q.hosts[t.Host]
	heap.Remove(&h.tasks, t.index)
	q.settle(h)
}

func (q *queue) hold(name string, until time.Time) {
	h := q.host(name)
	if until.After(h.held) {
		h.held = until
		q.settle(h)
	}
}

// settle puts a host where it belongs after a change. The keys of a host change
// only here, and in next, while it is in no pile.
func (q *queue) settle(h *host) {
	if h.pile != nil {
		heap.Remove(h.pile, h.index)
		h.pile = nil
	}
	if h.tasks.Len() == 0 {
		if h.busy == 0 && h.held.Before(time.Now()) {
			delete(q.hosts, h.name)
		}
		return
	}
	if h.busy >= q.perHost {
		return // done brings it back
	}
	h.due = h.tasks.items[0].at
	h.at = h.due
	if h.held.After(h.at) {
		h.at = h.held
	}
	h.pile = &q.waiting
	heap.Push(h.pile, h)
}

// next takes the task to poll now, or nil.
func (q *queue) next(now time.Time, ready func(string) (time.Time, bool)) *task {
	for q.waiting.Len() > 0 && !q.waiting.items[0].at.After(now) {
		h := heap.Pop(&q.waiting).(*host)
		h.pile = nil
		if ready != nil {
			at, ok := ready(h.name)
			if !ok {
				at = now.Add(time.Second) // somebody else asks this host: look again soon
			}
			if at.After(now) {
				h.at, h.pile = at, &q.waiting
				heap.Push(h.pile, h)
				continue
			}
		}
		h.pile = &q.ready
		heap.Push(h.pile, h)
	}
	if q.ready.Len() == 0 {
		return nil
	}
	h := heap.Pop(&q.ready).(*host)
	h.pile = nil
	t := heap.Pop(&h.tasks).(*task)
	t.busy, t.in = true, h
	h.busy++
	q.polling++
	q.settle(h)
	return t
}

// done ends the poll of a task. next is what it shall be; ok false drops it.
func (q *queue) done(id feed.SourceID, next Task, at time.Time, ok bool) {
	t := q.tasks[id]
	q.polling--
	h := t.in // Task.Host may be another by now
	h.busy--
	delete(q.tasks, id)
	switch {
	case t.gone:
	case t.again:
		q.put(t.Task, t.at)
	case ok:
		next.ID = id
		q.put(next, at)
	}
	q.settle(h)
}

// sleep is how long nothing can start.
func (q *queue) sleep(now time.Time) time.Duration {
	if q.ready.Len() > 0 {
		return 0
	}
	if q.waiting.Len() == 0 {
		return time.Hour
	}
	return max(q.waiting.items[0].at.Sub(now), 0)
}

// pile is a heap whose items know their places.
type pile[T any] struct {
	items []T
	less  func(a, b T) int
	place func(T, int)
}

func (p *pile[T]) Len() int           { return len(p.items) }
func (p *pile[T]) Less(i, j int) bool { return p.less(p.items[i], p.items[j]) < 0 }

func (p *pile[T]) Swap(i, j int) {
	p.items[i], p.items[j] = p.items[j], p.items[i]
	p.place(p.items[i], i)
	p.place(p.items[j], j)
}

// Push is for package heap.
func (p *pile[T]) Push(x any) {
	p.place(x.(T), len(p.items))
	p.items = append(p.items, x.(T))
}

// Pop is for package heap.
func (p *pile[T]) Pop() any {
	last := len(p.items) - 1
	x := p.items[last]
	var zero T
	p.items[last] = zero
	p.items = p.items[:last]
	return x
}
