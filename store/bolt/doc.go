// Package bolt is the archive on bbolt: the log in volume files, a catalog
// derived from it, and publish's ledger. docs/archive-format.md has every byte.
//
// One goroutine writes. It takes all that is queued into one commit, the volume
// first, the catalog second; what the catalog has not seen after a crash is
// replayed by Open, and a catalog that is missing, old or damaged is made anew.
// Encoding, compressing and hashing are done before, in the callers' goroutines.
// Readers never wait for a commit's disk writes. A read transaction copies out
// and ends.
//
// It does not parse, fold or judge texts: keys, versions and sketches come with
// the drafts.
//
// # Where things are
//
// Opening and closing: bolt.go, lock.go, volumes.go, replay.go, errors.go.
//
// A batch on its way in, in the order in which it goes: append.go and frontier.go
// (from outside), prepare.go (all that needs no decision), writer.go (groups and
// commits), arrival.go (a batch at the writer), sighting.go and identity.go (which
// item a draft is), told.go and claim.go (which story its address and text tell),
// near.go, nearday.go and habits.go (which its nearest text tells, a source's
// boilerplate aside), decide.go (what is recorded), recorded.go (versions out of an
// export), quota.go, txn.go (the commit in the making), apply.go (what follows from
// a record), late.go and state.go (polls that brought nothing), recent.go and
// commit.go (for those who follow, and for metrics).
//
// The log: volume.go, record.go, entry.go, codec.go, wire.go, dict.go, recipe.go and
// escape.go (how records are written), parts.go and raw.go (documents), reading.go,
// seal.go, room.go, tree.go and trust.go (Merkle tree, proofs).
//
// The catalog and the ledger: catalog.go, row.go, anchor.go (how it is synced),
// remake.go, aside.go and sorted.go (making it anew), ledger.go.
//
// Asking: archive.go, heads.go, follow.go.
//
// Decisions and care: edits.go, takedown.go, retention.go, compact.go, backup.go,
// verify.go, deep.go, reassembly.go, decodeall.go.
//
// Damage: where.go (what was read where), damage.go (what is known of it), heal.go and
// rescue.go (a damaged volume is written anew), pages.go, carve.go and halves.go (files
// read without bbolt), missing.go, gaps.go, fill.go (out of a backup).
package bolt
