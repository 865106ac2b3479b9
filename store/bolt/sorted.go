package bolt

import (
	"bufio"
	"bytes"
	"cmp"
	"container/heap"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"slices"
)

// rowChange is what happens to a row. What changes make of a row is for those to say
// who read them.
type rowChange byte

// sortedMemory is how many bytes of changes are held before they are sorted and
// written to the file. Their places take about as much again.
const sortedMemory = 16 << 20

// sorted gives changes to rows, made in any order, in the order of their keys, and of time
// where keys are equal: it sorts what fits into memory, and merges. It costs a fraction of
// a tree on disk, whose pages such rows touch all over.
type sorted struct {
	dir     string // for the file
	most    int    // bytes held
	changes [bucketCount][]change
	buf     []byte // keys and values of changes
	file    *os.File
	size    int64
	runs    [bucketCount][]run // in the file, in the order of time
}

// change is one to a row: key and value lie in the buffer, one behind the other.
type change struct {
	first           uint64 // bytes of the key, or fewer and zeros: most comparisons end here
	key, value, end uint32
	what            rowChange
}

// run is a part of the file: changes to one bucket in the order of keys, and of time.
type run struct{ start, size int64 }

func newSorted(dir string) sorted { return sorted{dir: dir, most: sortedMemory} }

func (s *sorted) add(bucket int, what rowChange, k, v []byte) error {
	if len(s.buf) >= s.most {
		if err := s.spill(); err != nil {
			return err
		}
	}
	key := len(s.buf)
	s.buf = append(append(s.buf, k...), v...)
	c := change{key: uint32(key), value: uint32(key + len(k)), end: uint32(len(s.buf)), what: what}
	if len(k) >= 8 {
		c.first = binary.BigEndian.Uint64(k)
	} else {
		var b [8]byte
		copy(b[:], k)
		c.first = binary.BigEndian.Uint64(b[:])
	}
	s.changes[bucket] = append(s.changes[bucket], c)
	return nil
}

// sort puts the changes to a bucket in order.
func (s *sorted) sort(bucket int) {
	slices.SortFunc(s.changes[bucket], func(a, b change) int {
		if a.first != b.first {
			return cmp.Compare(a.first, b.first)
		}
		if c := bytes.Compare(s.buf[a.key:a.value], s.buf[b.key:b.value]); c != 0 {
			return c
		}
		return cmp.Compare(a.key, b.key) // the one before stands before
	})
}

// spill writes what is in memory to the file.
func (s *sorted) spill() error {
	if s.file == nil {
		f, err := os.CreateTemp(s.dir, "rows-*.tmp")
		if err != nil {
			return system(err)
		}
		s.file = f
		_ = os.Remove(f.Name()) // its blocks go when the process ends, however it does
	}
	w := bufio.NewWriterSize(io.NewOffsetWriter(s.file, s.size), 1<<18)
	var head []byte
	for bucket := range s.changes {
		start := s.size
		s.sort(bucket)
		for _, c := range s.changes[bucket] {
			head = append(head[:0], byte(c.what))
			head = binary.AppendUvarint(head, uint64(c.value-c.key))
			head = binary.AppendUvarint(head, uint64(c.end-c.value))
			_, _ = w.Write(head) // Flush tells
			_, _ = w.Write(s.buf[c.key:c.end])
			s.size += int64(len(head)) + int64(c.end-c.key)
		}
		if s.size > start {
			s.runs[bucket] = append(s.runs[bucket], run{start, s.size - start})
		}
		s.changes[bucket] = s.changes[bucket][:0]
	}
	s.buf = s.buf[:0]
	return system(w.Flush())
}

func (s *sorted) close() {
	if s.file != nil {
		_ = s.file.Close() // nobody sees it any more
	}
}

// merge gives all changes to a bucket. Nothing is added while they are read.
func (s *sorted) merge(bucket int) (*merging, error) {
	m := &merging{}
	for i, r := range s.runs[bucket] {
		from := &spilled{r: bufio.NewReaderSize(io.NewSectionReader(s.file, r.start, r.size), 1<<16)}
		m.from = append(m.from, feeder{order: i, source: from})
	}
	s.sort(bucket)
	m.from = append(m.from, feeder{order: len(m.from), source: &inMemory{buf: s.buf, changes: s.changes[bucket]}})
	var err error
	m.from = slices.DeleteFunc(m.from, func(f feeder) bool {
		more, failed := f.source.next()
		err = errors.Join(err, failed)
		return !more
	})
	heap.Init(m)
	return m, err
}

// changeSource gives changes one after the other.
type changeSource interface {
	next() (more bool, err error)
	current() (what rowChange, k, v []byte) // good until next
}

// inMemory are changes that were not written to the file.
type inMemory struct {
	buf     []byte
	changes []change
	at      int // behind the current one
}

func (m *inMemory) next() (bool, error) {
	m.at++
	return m.at <= len(m.changes), nil
}

func (m *inMemory) current() (what rowChange, k, v []byte) {
	c := m.changes[m.at-1]
	return c.what, m.buf[c.key:c.value], m.buf[c.value:c.end]
}

// spilled are changes in the file.
type spilled struct {
	r    *bufio.Reader
	what rowChange
	row  []byte
	key  int // its length in row
}

func (s *spilled) next() (bool, error) {
	what, err := s.r.ReadByte()
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	k, err := binary.ReadUvarint(s.r)
	if err != nil {
		return false, err
	}
	v, err := binary.ReadUvarint(s.r)
	if err != nil {
		return false, err
	}
	s.what, s.key = rowChange(what), int(k)
	s.row = slices.Grow(s.row[:0], int(k+v))[:k+v]
	_, err = io.ReadFull(s.r, s.row)
	return err == nil, err
}

func (s *spilled) current() (what rowChange, k, v []byte) {
	return s.what, s.row[:s.key], s.row[s.key:]
}

// feeder is a source of changes with its place in time.
type feeder struct {
	order  int
	source changeSource
}

// merging gives the changes of several sources in order. Its heap has the source with
// the least key on top, of those with equal keys the earliest.
type merging struct {
	from []feeder
	key  []byte
}

func (m *merging) Len() int      { return len(m.from) }
func (m *merging) Swap(i, j int) { m.from[i], m.from[j] = m.from[j], m.from[i] }
func (m *merging) Push(any)      {} // there are never more
func (m *merging) Pop() any {
	m.from = m.from[:len(m.from)-1]
	return nil
}

func (m *merging) Less(i, j int) bool {
	_, a, _ := m.from[i].source.current()
	_, b, _ := m.from[j].source.current()
	if c := bytes.Compare(a, b); c != 0 {
		return c < 0
	}
	return m.from[i].order < m.from[j].order
}

// row calls f for each change to the next row and gives its key, which is good until
// the next call; nil is the end. v is good until f returns.
func (m *merging) row(f func(what rowChange, v []byte)) (key []byte, err error) {
	for first := true; len(m.from) > 0; first = false {
		what, k, v := m.from[0].source.current()
		if first {
			m.key = append(m.key[:0], k...)
		} else if !bytes.Equal(k, m.key) {
			return m.key, nil
		}
		f(what, v)
		more, err := m.from[0].source.next()
		switch {
		case err != nil:
			return nil, err
		case !more:
			heap.Pop(m)
		case len(m.from) > 1:
			heap.Fix(m, 0)
		}
		key = m.key
	}
	return key, nil
}
