package bolt

import (
	"crypto/rand"
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"

	"chancery/feed"
)

// Numbers of raw dictionaries inside zstd frames. They only have to agree.
const (
	dictID  = 1
	deltaID = 2
)

// leastPacked: shorter bodies are kept plain; a frame would be longer.
const leastPacked = 48

// packWindow is how far back an encoder looks, and what each of them holds in memory;
// nearly all bodies are smaller.
const packWindow = 1 << 20

// coders compress and decompress without a dictionary. They are safe for
// concurrent use and made once.
type coders struct {
	number uint64 // of the dictionary in its volume
	enc    *zstd.Encoder
	dec    *zstd.Decoder
}

var plainCoders = sync.OnceValue(func() coders { return newCoders(0, nil) })

// newCoders makes coders with a raw dictionary, or with none.
func newCoders(number uint64, dict []byte) coders {
	return newCodersAt(zstd.SpeedFastest, number, dict)
}

func newCodersAt(level zstd.EncoderLevel, number uint64, dict []byte) coders {
	eo := []zstd.EOption{zstd.WithEncoderLevel(level), zstd.WithEncoderCRC(false), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(packWindow)}
	do := []zstd.DOption{zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxBody), zstd.WithDecoderLowmem(true)}
	if dict != nil {
		eo = append(eo, zstd.WithEncoderDictRaw(dictID, dict))
		do = append(do, zstd.WithDecoderDictRaw(dictID, dict))
	}
	enc, err := zstd.NewWriter(nil, eo...)
	if err != nil {
		panic(err) // our own options
	}
	dec, err := zstd.NewReader(nil, do...)
	if err != nil {
		panic(err)
	}
	return coders{number, enc, dec}
}

// seal makes a packed body and its content digest. dict is nil where the volume
// has no dictionary yet.
func pack(plain []byte, dict *coders) (*packed, feed.Digest) {
	p := &packed{codec: codecPlain, size: len(plain), data: plain}
	_, _ = rand.Read(p.salt[:]) // never fails
	if len(plain) >= leastPacked {
		c, arg, as := plainCoders(), uint64(0), codecZstd
		if dict != nil {
			c, arg, as = *dict, dict.number, codecDict
		}
		if z := c.enc.EncodeAll(plain, make([]byte, 0, len(plain)/2)); len(z) < len(plain) {
			p.codec, p.arg, p.data = as, arg, z
		}
	}
	return p, contentDigest(p.salt, plain)
}

// leastBase: a shorter body is no help as a dictionary.
const leastBase = 256

// packDelta packs a body as the difference to the body of another record of the
// same volume.
func packDelta(plain, base []byte, baseSeq uint64) (*packed, feed.Digest, bool) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false),
		zstd.WithLowerEncoderMem(true), zstd.WithEncoderConcurrency(1), zstd.WithEncoderDictRaw(deltaID, base))
	if err != nil {
		return nil, feed.Digest{}, false
	}
	z := enc.EncodeAll(plain, make([]byte, 0, 512))
	_ = enc.Close()
	if len(z) >= len(plain) {
		return nil, feed.Digest{}, false
	}
	p := &packed{codec: codecDelta, arg: baseSeq, size: len(plain), data: z}
	_, _ = rand.Read(p.salt[:])
	return p, contentDigest(p.salt, plain), true
}

// room is an empty slice with room for n bytes: b's if it has as much.
func room(b []byte, n int) []byte {
	if b == nil || cap(b) < n {
		return make([]byte, 0, n)
	}
	return b[:0]
}

// unpack gives the plain body, in the room of dst if it is large enough. dict gives the coders of the volume's dictionary,
// base the plain body of another record; they are asked only if needed. It does
// not check the content digest.
func unpack(dst []byte, p *packed, dict func(n uint64) (*coders, error), base func(seq uint64) ([]byte, error)) ([]byte, error) {
	var dec *zstd.Decoder
	switch p.codec {
	case codecPlain:
		if len(p.data) != p.size {
			return nil, errShort
		}
		return append(room(dst, p.size), p.data...), nil
	case codecZstd:
		dec = plainCoders().dec
	case codecDict:
		c, err := dict(p.arg)
		if err != nil {
			return nil, err
		}
		dec = c.dec
	case codecDelta:
		b, err := base(p.arg)
		if err != nil {
			return nil, err
		}
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxMemory(maxBody), zstd.WithDecoderDictRaw(deltaID, b))
		if err != nil {
			return nil, err
		}
		defer d.Close()
		dec = d
	default:
		return nil, fmt.Errorf("body is packed in way %d, which this program does not know", p.codec)
	}
	out, err := dec.DecodeAll(p.data, room(dst, min(p.size, 1<<20)))
	if err != nil {
		return nil, err
	}
	if len(out) != p.size {
		return nil, fmt.Errorf("body has %d bytes, header says %d", len(out), p.size)
	}
	return out, nil
}
