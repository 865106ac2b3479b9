// Package store is the contract of the archive: what the aggregator may ask of
// it when writing, and publish and the commands when reading.
//
// The archive is a log. Records are only ever appended; each has a sequence
// number, and whoever wants to know what happened follows the log with a
// [Cursor] of its own. Everything that must be looked up is derived from the log
// and can be rebuilt from it.
//
// What every engine keeps (store/storetest holds them to it): no transaction,
// iterator or bucket leaks out; what is returned belongs to the caller; ids and
// cursors are made by the engine and opaque; "done" means durable; all methods
// are safe for concurrent use; errors wrap one of the closed set of errors.go.
//
// store/bolt is the engine on bbolt. The interfaces are split by role, and one
// type implements them all.
package store

import (
	"context"
	"io"
	"time"

	"chancery/feed"
)

// Cursor is a place in the log: everything up to and with that sequence number
// was seen. Zero is before the first record.
type Cursor uint64

// Store is all roles of the archive in one.
type Store interface {
	Archive
	Frontier
	Ledger
	Keeper
	io.Closer
}

// Archive takes in what the aggregator found and gives it out again.
type Archive interface {
	// Known reports, for each digest of an entry's own bytes, whether the source
	// has carried exactly these bytes before, so that they need not be parsed.
	Known(ctx context.Context, source feed.SourceID, digests []feed.Digest) ([]bool, error)

	// Lookup gives, for each list of keys of one entry (strongest first), the item of
	// the source that the first known key names, or the zero id. It is what Append
	// would find now.
	Lookup(ctx context.Context, source feed.SourceID, keys [][]Key) ([]feed.ItemID, error)

	// Append takes in what did not come from a poll (an import): batches one after
	// the other. They are one commit: all of it is durable when Append returns nil, or
	// none of it is. The outcomes are in the order of the drafts, batch after batch.
	// Appending the same again changes nothing but last-seen times.
	Append(ctx context.Context, batches ...Batch) ([]Outcome, error)

	// Change records what a person or a rule decided. It is one commit. Without edits
	// it writes nothing and returns when the writer has come to it, for watchdogs.
	Change(ctx context.Context, edits []Edit) error

	// Items gives the newest revision of each id, in the order of ids. An unknown
	// id is left out, and, of several, an item that is damaged (Ping tells). At most
	// 1,000 ids.
	Items(ctx context.Context, ids []feed.ItemID, fields Fields) ([]feed.Item, error)

	// Revisions gives all versions of an item, oldest first, or ErrNotFound. Of several,
	// one that is damaged is left out (Ping tells).
	Revisions(ctx context.Context, id feed.ItemID) ([]feed.Item, error)

	// Raw gives the document that a revision (from 1; 0 is the newest) came in,
	// byte for byte as received, or ErrNotFound.
	Raw(ctx context.Context, id feed.ItemID, revision int) (Document, error)

	// Document gives the document of a raw record by its place in the log, byte for
	// byte as received: what is needed to read the archive again with a newer parser.
	// ErrNotFound if there is no raw record there, or if an entry of it was taken down.
	Document(ctx context.Context, at Cursor) (Document, error)

	// DocumentOf gives the document of a source whose body has a digest, as Document
	// does; ErrNotFound if it was not kept.
	DocumentOf(ctx context.Context, source feed.SourceID, body feed.Digest) (Document, error)

	// Heads lists items without their content; see [HeadQuery].
	Heads(ctx context.Context, q HeadQuery) ([]Head, error)

	// Follow gives records after a cursor in commit order without a gap, at most
	// max, fewer where they are large, and the cursor to go on from. It blocks until
	// there is one or ctx ends (then it returns context.Cause). Records of kinds not
	// asked for are passed over but move the cursor, and so are records that are damaged
	// (Ping tells): behind those it does not wait, so that there may be none.
	Follow(ctx context.Context, after Cursor, kinds Kinds, max int) ([]Record, Cursor, error)

	// Records gives what Follow gives, and does not wait: at the end of the log there is
	// no record, and the cursor is End's.
	Records(ctx context.Context, after Cursor, kinds Kinds, max int) ([]Record, Cursor, error)

	// Keys gives by what an item is known in its source, as far as its versions have
	// brought it: also of one that was taken down. ErrNotFound if there is no such item.
	Keys(ctx context.Context, id feed.ItemID) ([]Key, error)

	// End is the cursor of the last record.
	End(ctx context.Context) (Cursor, error)
}

// Frontier knows what is polled, when, and by whom.
type Frontier interface {
	// Sources lists every source with its poll state, sorted by id. Removed
	// sources are listed only if they still have items; Source.Removed says so.
	Sources(ctx context.Context) ([]SourceState, error)

	// Changes counts what was done to sources, themselves and not their poll state:
	// while the count stays, what was listed holds. It begins anew with each opening.
	Changes(ctx context.Context) (uint64, error)

	// Source gives one source, or ErrNotFound.
	Source(ctx context.Context, id feed.SourceID) (SourceState, error)

	// Lease hands out sources for polling, earliest due first. A source is leased
	// to one worker at a time; a lease ends by Finish, Release or its time.
	Lease(ctx context.Context, q LeaseQuery) ([]Lease, error)

	// Finish ends a lease with what the poll brought. Items, raw document and poll
	// state are one commit, so validators are never stored without their items
	// (CONFORMANCE F-12). A result without batch and source is only a poll state: it
	// is seen at once and may become durable some seconds later, since losing it costs
	// one repeated request. ErrLeaseLost if the lease ran out and was given to another.
	Finish(ctx context.Context, l Lease, r PollResult) ([]Outcome, error)

	// Release gives a lease back unused; the source is due as before.
	Release(ctx context.Context, l Lease) error
}

// Ledger is a small durable key space for publish: minted feed ids, archive
// pages, hub leases, tokens. It is not derived from the log.
type Ledger interface {
	// LedgerGet gives the value of a key in a space, or ErrNotFound.
	LedgerGet(ctx context.Context, space, key string) ([]byte, error)
	// LedgerScan lists keys with a prefix in order, after (not with) a key, at most max.
	LedgerScan(ctx context.Context, space, prefix, after string, max int) ([]LedgerEntry, error)
	// LedgerWrite applies all writes in one commit; a nil Value deletes. If any
	// write has Create set and its key exists, nothing is written: ErrConflict.
	LedgerWrite(ctx context.Context, writes []LedgerEntry) error
}

// LedgerEntry is one key of a [Ledger].
type LedgerEntry struct {
	Space, Key string
	Value      []byte
	Create     bool // on write: only if the key is not there
}

// Keeper is the care of the archive as a whole.
type Keeper interface {
	// Stats counts; it costs no scan.
	Stats(ctx context.Context) (Stats, error)
	// Verify checks structure and hashes, and if deep recomputes every derived row
	// from the log. Faults found are in the report; an error means that the check
	// itself could not be done. progress may be nil.
	Verify(ctx context.Context, deep bool, progress func(done, total int64)) (Report, error)
	// Backup writes a consistent copy of everything that is not derived, while
	// the archive goes on being used.
	Backup(ctx context.Context, w io.Writer) error
	// Ping makes a cheap read, for watchdogs: an error means that the archive
	// cannot serve; one that wraps ErrLost, that all but single records is served.
	Ping(ctx context.Context) error
}

// Batch is what one document brought.
type Batch struct {
	// Source is whose entries these are; empty is Document.Source, and in Finish the
	// source of the lease. Append to a source that is not there is ErrNotFound.
	Source   feed.SourceID
	Document *Document // nil if the raw bytes are not kept
	Drafts   []Draft
	// From says where the batch came from when it was no poll: a file's name.
	From string
	// Add, if not nil, is the source itself, to be added in the same commit if none
	// has its id. Finish takes no notice of it.
	Add *Source
	// Reparsed: the drafts are what a newer parser reads in a document that the
	// archive gave (Archive.Document). A draft is the item that its bytes made,
	// whatever its keys are by now; where any field but Repairs differs, and the newest
	// revision was read from the same bytes, the revision is a record of KindReparsed:
	// not an edit of the publisher's. It is no sighting, last-seen times stay.
	Reparsed bool
	// At is the time of record, so that a re-import gets the times of the first
	// one; zero is now.
	At time.Time
}

// Document is a feed document as received.
type Document struct {
	Source    feed.SourceID
	URL       string // from which it was received, after redirects; or a file's name
	MediaType string // Content-Type as received
	Status    int    // HTTP status; 0 for a file
	ETag      string
	Modified  string // Last-Modified as received
	Received  time.Time
	// Body is decoded from content coding, otherwise as received. Without a body the
	// document is not kept: its Parts serve only PollResult.Seen and Draft.Part. A
	// document that the source brought before, byte for byte, is kept once.
	Body []byte
	// Parts are the entries' own bytes in Body, in order and without overlap. The
	// engine keeps each part once, however many documents carry it. Empty if the
	// parts could not be told apart; then the body is kept whole.
	Parts   []Part
	Repairs []string
}

// Unreadable, among the Repairs of a document, says that no parser could read it: it
// is kept for a newer one. Nobody knows what is in it, so with the takedown of an
// item of its source it goes, and after one none is kept.
const Unreadable = "unreadable"

// Part is the place of one entry's own bytes in a document: Body[Start:End].
type Part struct {
	Start, End int
	Digest     feed.Digest // SHA-256 of Body[Start:End]
}

// Sketch is a one-permutation MinHash of an entry's folded shingles, cut to 8
// bits a value, for near-duplicates. Words is the number of words it was made of.
type Sketch struct {
	Values [128]uint8
	Words  int // 0: no sketch
}

// Draft is one entry as the aggregator hands it over: normalised, with its
// identities and topics computed. The engine decides whether it is new.
type Draft struct {
	Entry  feed.Entry
	Native string // what identifies the entry in its source
	Method string // how Native was found: "guid", "link", "content"
	// Keys identify the entry within its source, strongest first: an item of the
	// source with the first key that is known is this entry.
	Keys []Key
	// Story identifies what the entry tells across sources (KeyURL, KeyText): an
	// item of another source with one of them makes this one a Duplicate.
	Story  []Key
	Sketch Sketch
	// Version is the digest of the normalised fields. Equal to that of the newest
	// revision, the draft is Same.
	Version feed.Digest
	// Texts, if not nil, are what html.Plain makes of the entry. They are not kept: for a
	// moment followers get them with the record, and need not make them again.
	Texts *Texts
	// Trivial, if set, says whether the draft, as a further version of an item, says what
	// the version before said. It is a pure function and keeps nothing of was.
	Trivial func(was *feed.Entry) bool
	// Apart, if set, says what the draft is known by if it is another post than was, the
	// newest version of the item that its keys name; nil if it is that item. It is a pure
	// function and keeps nothing of was.
	Apart   func(was *feed.Entry) *Name
	Topics  []feed.Tag
	RuleSet feed.Digest // of the topic rules that made Topics
	Part    int         // index into Document.Parts, or -1
	// ID, if set, is the id that the item had where it was exported: it is given
	// again when no item has it yet and the draft is new.
	ID feed.ItemID
	// FirstSeen, if set, is the recorded first sighting of a re-import.
	FirstSeen time.Time
	// Recorded, if not nil, is what the archive that the draft was exported from says of
	// it beside what it is. Only batches without a document's body have such drafts.
	Recorded *Recorded
}

// Recorded is what an archive knew of a draft that comes from an export of it. It counts
// where the item is new with the batch; an item that is here already stays as it is.
type Recorded struct {
	// Earlier: the next draft of the batch is the version after this one of the same item.
	// Such a run is taken in whole if its item is new; else all but its last draft are
	// passed over.
	Earlier bool
	// Seen is when the version was first seen: for the first of an item that is
	// Draft.FirstSeen. LastSeen is when the item was last seen. Zero is now.
	Seen, LastSeen time.Time
	// Trivial and Reparsed mark a version after the first (feed.Item).
	Trivial, Reparsed bool
	// Story, if not empty, are items of the story that the item belongs to, the most
	// telling first: the item joins the story of the first that is here.
	Story []feed.ItemID
	// Apart, if not nil, says of which sources the items are known not to tell what this
	// one tells, but for those of Story.
	Apart func(feed.SourceID) bool
	// Known are keys by which the item is known beside those of its versions. They and
	// Decided stand with the last draft of a run.
	Known []Key
	// Decided is what was decided about the item alone (KindTopics, KindWithdrawn,
	// KindTakedown), in order; it is recorded with the item. Items are filled in. An item
	// that is taken down so comes without any content.
	Decided []Edit
}

// Name is what an entry is known by within its source; see [Draft].
type Name struct {
	Native, Method string
	Keys           []Key
}

// Texts are the texts of an entry without markup, as html.Plain gives them.
type Texts struct {
	Title, Summary, Content string
}

// State is what the engine decided about a draft.
type State uint8

// The states of an Outcome.
const (
	New       State = 1 + iota // a post not seen before in any source
	Revised                    // a known item with changed content: a further revision
	Same                       // a known item, unchanged
	Duplicate                  // an item new in its source that tells a story known from another
)

func (s State) String() string {
	return [...]string{"unknown", "new", "revised", "same", "duplicate"}[min(int(s), 4)]
}

// Outcome is what became of a draft.
type Outcome struct {
	ID       feed.ItemID
	State    State
	Revision int
	Story    feed.ItemID
}

// Edit is one decision to record. Kind says which; the fields it needs are named
// at the kinds.
type Edit struct {
	Kind   Kind
	Source *Source       // KindSource: the source as it shall be; Source.Removed removes it
	State  *PollState    // KindSource, optional: poll state to set with it
	Items  []feed.ItemID // KindTopics one; KindMerge: all become one story; KindSplit, KindWithdrawn, KindTakedown
	// First: KindMerge, optional: which of Items is the story's original, else it is the one
	// that arrived first. Items are then all that become one story. Its name is that of the
	// one that arrived first in any case, and so is what feeds carry.
	First  feed.ItemID
	Topics []feed.Tag  // KindTopics: all tags of the item from now on
	Rules  []byte      // KindRuleset: the rules in force, as text
	Digest feed.Digest // KindTopics, KindRuleset: digest of the rules
	// Before: KindExpired: documents recorded before are not kept any more, but for those
	// that later ones are made of. If there are none, nothing is recorded.
	Before    time.Time
	Documents int // KindExpired, as recorded: how many
	Reason    string
	By        string // who decided: "rule", or a person
	Undo      bool   // KindWithdrawn: bring them back
	// At is when it was decided, of a decision that was made in another archive and came
	// here by an export; else zero, and Record.Time is when.
	At time.Time
}

// Fields selects what Items fills in.
type Fields uint8

// What can be left out for speed.
const (
	WithContent Fields = 1 << iota // Summary, Content, Extensions
	WithStory                      // AlsoIn
	AllFields   = WithContent | WithStory
)

// Head is an item without its content: what lists and filters need.
type Head struct {
	ID        feed.ItemID
	Story     feed.ItemID
	Source    feed.SourceID
	Effective time.Time // see feed.Item.Effective, of the newest revision
	FirstSeen time.Time
	Revised   time.Time // of the newest revision that is not trivial; FirstSeen if that is the first
	Revision  int
	Topics    []feed.Tag
	Language  string
	Withdrawn bool
	TakenDown bool
}

// HeadQuery selects items for Heads. The zero value is all items, newest first
// by effective time.
type HeadQuery struct {
	Source feed.SourceID // only of this source
	Story  feed.ItemID   // only the members of this story
	Topic  feed.TopicID  // only items tagged so
	From   time.Time     // effective time not before
	To     time.Time     // effective time before; zero is no bound
	// ByArrival orders by id (arrival) instead of effective time.
	ByArrival bool
	Ascending bool
	// After continues behind the last head of the page before.
	After *Head
	Limit int // at most 1,000; 0 is 1,000
}

// LeaseQuery asks for work.
type LeaseQuery struct {
	Worker string
	N      int
	TTL    time.Duration
	Now    time.Time
	// Sources, if not empty, asks for these, due or not; All asks for every
	// enabled one. A PollState.NotBefore in the future still holds.
	Sources []feed.SourceID
	All     bool
}

// Lease is the right to poll a source once.
type Lease struct {
	Source Source
	State  PollState
	Fence  uint64
	Until  time.Time
}

// PollResult is what a poll brought.
type PollResult struct {
	State PollState // as it shall be from now on
	// Batch is what came; nil if nothing did (304, failure, identical body).
	Batch *Batch
	// Source, if not nil, replaces the source with the same commit: a title
	// learned, a redirect accepted. If the source is not any more what the lease says
	// it is left as it is: what somebody decided meanwhile stands, and the next poll
	// learns again.
	Source *Source
	// Seen are entries whose bytes were known (Archive.Known): their last-seen
	// time moves. In document order, as indexes into Batch.Document.Parts.
	Seen []int
}

// Stats are counts of the archive.
type Stats struct {
	Items, Revisions, Stories, Sources int64
	Records                            int64
	Raw                                int64 // documents kept
	Bytes                              int64 // of all files, allocated
	Volumes                            int
	Lost                               int64     // records that cannot be read, as far as is known
	First, Last                        time.Time // commit times of the first and last record
}

// Report is the result of Verify.
type Report struct {
	Records, Items, Revisions, Documents int64
	// Faults, at most 100, each a sentence that names the record or key. Empty: the
	// archive is sound.
	Faults []string
	More   int64 // faults beyond those listed
	// Lost are records that could not be read when their volume was found damaged, a
	// sentence for each run of them: nothing else is wrong with the archive by them, and
	// checkpoints and proofs hold. LostRecords is how many they are.
	Lost        []string
	LostRecords int64
}
