package publish

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"chancery/feed"
)

// eventKind is what happened to a story in a feed.
type eventKind byte

const (
	entered eventKind = 'e'
	revised eventKind = 'r'
	left    eventKind = 'l'
)

// event is one step of a feed's history.
type event struct {
	kind  eventKind
	item  feed.ItemID
	story feed.ItemID // that the item carries
	rev   uint32
	at    time.Time // of the record that caused it
}

const eventSize = 1 + 16 + 16 + 4 + 8

func appendEvent(b []byte, e event) []byte {
	b = append(b, byte(e.kind))
	b = append(b, e.item[:]...)
	b = append(b, e.story[:]...)
	b = binary.BigEndian.AppendUint32(b, e.rev)
	return binary.BigEndian.AppendUint64(b, uint64(e.at.UnixMilli())) //nolint:gosec // a time after 1970
}

func readEvents(b []byte) ([]event, error) {
	if len(b)%eventSize != 0 {
		return nil, fmt.Errorf("%d bytes are no list of events", len(b))
	}
	out := make([]event, 0, len(b)/eventSize)
	for c := range slices.Chunk(b, eventSize) {
		e := event{kind: eventKind(c[0]), rev: binary.BigEndian.Uint32(c[33:]), at: time.UnixMilli(int64(binary.BigEndian.Uint64(c[37:]))).UTC()} //nolint:gosec // as written
		copy(e.item[:], c[1:])
		copy(e.story[:], c[17:])
		out = append(out, e)
	}
	return out, nil
}
