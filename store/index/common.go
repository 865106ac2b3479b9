package index

import "sync"

// commonCache keeps in which versions the commonest words stand: reading their
// lists is what a search takes longest for. A version never changes its words, so
// what is kept stays true; what came later is read when it is asked for.
type commonCache struct {
	mu    sync.Mutex // guards all
	words map[string]*commonWord
	bytes int
	clock int
}

type commonWord struct {
	upTo int // versions looked at
	docs set
	used int
}

const (
	commonBytes = 16 << 20 // the 128 commonest words among a million posts
	// A word is common if it is in one of so many versions: then the bitmap is about
	// as large as the list.
	commonShare = 50
	commonFrom  = 4096 // versions; with fewer a list is read at once
)

// docs is the versions below n, and maybe some from n on, that have a word. It is
// not to be changed.
func (c *commonCache) docs(r *reader, word string, n int) (set, error) {
	c.mu.Lock()
	known := c.words[word]
	if known != nil {
		c.clock++
		known.used = c.clock
	}
	c.mu.Unlock()
	from := 0
	docs := newSet(n)
	if known != nil {
		if known.upTo >= n {
			return known.docs, nil
		}
		from, docs = known.upTo, known.docs.clone(n)
	}
	list, err := r.open(word)
	if err != nil {
		return nil, err
	}
	if _, ok, err := list.seek(uint32(from)); err != nil {
		return nil, err
	} else if ok {
		for _, p := range list.parts[list.k:] {
			if int(p.doc) >= n {
				break
			}
			docs.add(p.doc)
			if err := p.rest(docs, n); err != nil {
				return nil, err
			}
		}
	}
	count := docs.count()
	if known != nil || n >= commonFrom && count*commonShare >= n {
		c.keep(word, &commonWord{upTo: n, docs: docs})
	}
	return docs, nil
}

func (c *commonCache) keep(word string, w *commonWord) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.words == nil {
		c.words = map[string]*commonWord{}
	}
	if old := c.words[word]; old != nil {
		if old.upTo >= w.upTo {
			return
		}
		c.bytes -= 8 * len(old.docs)
	}
	c.clock++
	w.used = c.clock
	c.words[word] = w
	c.bytes += 8 * len(w.docs)
	for c.bytes > commonBytes {
		oldest := ""
		for k, v := range c.words {
			if oldest == "" || v.used < c.words[oldest].used {
				oldest = k
			}
		}
		c.bytes -= 8 * len(c.words[oldest].docs)
		delete(c.words, oldest)
	}
}
