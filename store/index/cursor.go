package index

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"path/filepath"
	"slices"
	"time"

	"chancery/feed"
	"chancery/feed/query"
	"chancery/store"
)

// cursor is behind which hit a page begins, and what must be the same on all pages.
// It names the hit, not a number of hits, so that what arrives moves nothing.
type cursor struct {
	search    uint64 // of query and options
	file      string
	bound     int // versions that were there
	now       time.Time
	total     int
	score     float32
	effective int64
	id        feed.ItemID
	revision  uint32
}

const cursorSize = 8 + 4 + 4 + 8 + 4 + 4 + 8 + 16 + 4

// fingerprint tells searches apart.
func (s *search) fingerprint() uint64 {
	h := fnv.New64a()
	text := ""
	if s.q != nil {
		text = s.q.String()
	}
	fmt.Fprintf(h, "%s\x00%d %d %v %v %v", text, s.o.Order, s.o.AsOf.UnixNano(), s.o.AllVersions, s.o.FoldStories, s.o.Steady)
	return h.Sum64()
}

// datesMove reports whether the answer depends on what time it is. Where it does not, the
// same search has the same cursors, and a page with them the same ETag.
func (s *search) datesMove() bool {
	moves := s.o.Order == store.Relevance
	if s.q != nil {
		query.Walk(s.q.Root, func(n query.Node) bool {
			w, ok := n.(*query.When)
			moves = moves || ok && w.Last > 0
			return !moves
		})
	}
	return moves
}

func (s *search) cursorAt(at uint32) string {
	fx := s.v.fixed(at)
	var score float32
	if s.scores != nil {
		score = s.scores[at]
	}
	var number uint32
	n, now, total := uint32(s.n), uint64(0), uint32(s.page.Total)
	if s.datesMove() {
		now = uint64(s.now.UnixNano())
	}
	if s.o.Steady && s.o.Order != store.Relevance {
		n, now, total = 0, 0, 0 // and no file has the number 0
	} else {
		_, _ = fmt.Sscanf(filepath.Base(s.f.path), fileName, &number) // it was made so
	}
	le := binary.LittleEndian
	b := make([]byte, 0, cursorSize)
	b = le.AppendUint64(b, s.fingerprint())
	b = le.AppendUint32(b, number)
	b = le.AppendUint32(b, n)
	b = le.AppendUint64(b, now)
	b = le.AppendUint32(b, total)
	b = le.AppendUint32(b, math.Float32bits(score))
	b = le.AppendUint64(b, uint64(fx.effective))
	b = append(b, fx.id[:]...)
	b = le.AppendUint32(b, fx.revision)
	return base64.RawURLEncoding.EncodeToString(b)
}

func parseCursor(text string, s *search) (*cursor, error) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) != cursorSize {
		return nil, fmt.Errorf("%.40q: %w", text, store.ErrBadCursor)
	}
	le := binary.LittleEndian
	c := &cursor{
		search: le.Uint64(b), file: filepath.Join(filepath.Dir(s.f.path), fmt.Sprintf(fileName, le.Uint32(b[8:]))),
		bound: int(le.Uint32(b[12:])), now: time.Unix(0, int64(le.Uint64(b[16:]))), total: int(le.Uint32(b[24:])),
		score: math.Float32frombits(le.Uint32(b[28:])), effective: int64(le.Uint64(b[32:])), revision: le.Uint32(b[56:]),
	}
	copy(c.id[:], b[40:])
	if le.Uint64(b[16:]) == 0 {
		c.now = s.now // what it is does not matter
	}
	if c.search != s.fingerprint() {
		return nil, fmt.Errorf("%.40q: %w", text, store.ErrBadCursor)
	}
	return c, nil
}

// compareKey compares a version with the cursor's by effective time and id.
func (c *cursor) compareKey(fx *fixed) int {
	return cmp.Or(cmp.Compare(fx.effective, c.effective), slices.Compare(fx.id[:], c.id[:]), cmp.Compare(fx.revision, c.revision))
}

// before reports whether a version comes behind the cursor.
func (c *cursor) before(s *search, n uint32) bool {
	k := c.compareKey(s.v.fixed(n))
	switch s.o.Order {
	case store.Oldest:
		return k > 0
	case store.Relevance:
		return cmp.Or(-cmp.Compare(s.scores[n], c.score), -k) > 0
	}
	return k < 0
}
