package bolt

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
)

// A file of bbolt has two heads, of its last commit and of the one before. With one of them
// it can be read; the other is what it falls back upon when that is damaged, too.

var errOneHead = errors.New("one of its two heads cannot be used; the other can")

// checkHeads looks at volumes of which one head cannot be used. If the one that is left is
// that of the last commit the other is made of it, else the volume is damaged. Of the newest
// only the catalog knows what was the last.
func (s *Store) checkHeads(ctx context.Context, all []foundVolume, old *oldCatalog) error {
	for i := range all {
		f, live := &all[i], i == len(all)-1
		if !f.half || f.fault != nil || f.v.db == nil {
			continue
		}
		last, err := f.v.last()
		end := last
		switch {
		case err != nil: // the volume will say so
			continue
		case live && f.v.sealedAs().records == 0 && old.db != nil && old.archive == f.v.archive:
			r := rescue{file: f.v.path}
			end = s.acknowledged(&r, max(last, old.end))
			if r.carved != nil {
				r.carved.close()
			}
		case !live && all[i+1].v.first > 0:
			end = all[i+1].v.first - 1
		}
		switch {
		case last != end:
			f.fault = damaged(inVolume(f.v.path), fmt.Errorf("one of its heads cannot be used, and the other ends with record %d of %d", last, end))
			continue
		case !live && f.v.sealedAs().records == 0:
			f.fault = damaged(inVolume(f.v.path), errors.New("one of its heads cannot be used, and the other is of before it was sealed"))
			continue
		case s.opts.ReadOnly:
			continue
		}
		if err := mendHead(f.v.path); err != nil {
			return fmt.Errorf("%s: %w", f.v.path, system(err))
		}
		s.log.WarnContext(ctx, "a head of a volume could not be used, and was written anew", "file", f.v.path)
	}
	return nil
}

// mendHead writes the head that can be used in the place of the one that cannot.
func mendHead(path string) error {
	p, err := openPages(path)
	if err != nil {
		return err
	}
	defer p.close()
	if !p.half || p.page == 0 {
		return nil
	}
	good := int64(0)
	if _, ok := p.headAt(0); !ok {
		good = 1
	}
	b := make([]byte, pageHeader+metaSize)
	if _, err := p.f.ReadAt(b, good*p.page); err != nil {
		return err
	}
	bad := 1 - good
	binary.NativeEndian.PutUint64(b, uint64(bad)) // the page's number
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(b, bad*p.page)
	return errors.Join(err, f.Sync(), f.Close())
}

// filePath is the file that is read: of one that is damaged, and must not be written, it is
// another than the volume's.
func (v *volume) filePath() string {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.file
}

// heads names a volume of which one head cannot be used. It may be written meanwhile: what
// is seen of a head on its way is not seen again.
func (c *check) heads(v *volume) error {
	const looks = 5
	for range looks {
		p, err := openPages(v.filePath())
		if err != nil {
			return system(err)
		}
		p.close()
		if !p.half {
			return nil
		}
	}
	c.fault("%v", damaged(inVolume(v.path), errOneHead))
	return nil
}
