package store

import (
	"time"

	"chancery/feed"
)

// Kind is what a record of the log says.
type Kind uint8

// The kinds of record. Their numbers are part of the archive's format.
const (
	KindItem      Kind = 1  // an item's first revision
	KindRevision  Kind = 2  // a further one
	KindRaw       Kind = 3  // a document as received
	KindPoll      Kind = 4  // a poll that brought records
	KindSource    Kind = 5  // a source was added, moved, changed or removed
	KindTopics    Kind = 6  // tags of items changed
	KindRuleset   Kind = 7  // other topic rules are in force
	KindMerge     Kind = 8  // items are one story
	KindSplit     Kind = 9  // items are a story of their own
	KindWithdrawn Kind = 10 // withdrawn by the publisher or a person; content kept
	KindTakedown  Kind = 11 // content removed
	KindReparsed  Kind = 12 // a raw document read again by a newer parser
	KindBlob      Kind = 13 // reserved
	KindSeen      Kind = 14 // an item is known by further keys; nothing else changed
	KindExpired   Kind = 15 // documents are not kept any more; their items are
)

var kindNames = [...]string{
	KindItem: "item", KindRevision: "revision", KindRaw: "raw", KindPoll: "poll", KindSource: "source",
	KindTopics: "topics", KindRuleset: "ruleset", KindMerge: "merge", KindSplit: "split",
	KindWithdrawn: "withdrawn", KindTakedown: "takedown", KindReparsed: "reparsed", KindBlob: "blob", KindSeen: "seen",
	KindExpired: "expired",
}

func (k Kind) String() string {
	if int(k) < len(kindNames) && kindNames[k] != "" {
		return kindNames[k]
	}
	return "unknown"
}

// Kinds is a set of kinds.
type Kinds uint32

// AllKinds has every kind, those of the future included.
const AllKinds Kinds = 1<<32 - 1

// KindsOf makes a set.
func KindsOf(kinds ...Kind) Kinds {
	var s Kinds
	for _, k := range kinds {
		s |= 1 << k
	}
	return s
}

// Has reports whether k is in the set.
func (s Kinds) Has(k Kind) bool { return s&(1<<k) != 0 }

// Record is one record of the log as followers see it.
type Record struct {
	Seq    Cursor
	Kind   Kind
	Time   time.Time // of the commit, UTC
	Source feed.SourceID
	// Item is the whole item as of this record (KindItem, KindRevision, KindReparsed).
	// Followers share what it points to and change none of it.
	Item *feed.Item
	// Texts are the item's texts without markup if they are at hand, else nil.
	Texts *Texts
	// Edit is what was decided (KindSource and all later kinds).
	Edit *Edit
	// Keys are those by which an item is known from now on (KindSeen).
	Keys []Key
}
