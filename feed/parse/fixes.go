package parse

import (
	"math/bits"
	"slices"
)

// fixes is a set of repairs: leniencies that were needed to read a document. Each
// has a name that is kept with the snapshot (CONFORMANCE P-14).
type fixes uint32

const (
	fixBareLess fixes = 1 << iota
	fixAttribute
	fixTruncated
	fixDoctype
	fixUnclosed
	fixStrayEnd
	fixBareAmp
	fixEntity
	fixIllegalChar
	fixInvalidBytes
	fixCharset
	fixLeadingJunk
	fixTrailingJunk
	fixNamespace
	fixPrefix
	fixRoot
	fixNoID
	fixMemberType
	fixUnsafeLink
	fixTooMany
	fixDouble
	fixUpdated
	fixRepeatedID
	fixTitleHabit
	fixEntityLimit
	fixVersion
)

var fixNames = [...]string{
	"bare-less-than",    // a '<' that is text, or stands in an attribute
	"attribute-syntax",  // unquoted, without a value, or without a closing quote
	"truncated",         // the document ends before its root does
	"doctype",           // a DOCTYPE without an end
	"unclosed-element",  // an end tag is missing
	"stray-end-tag",     // an end tag without a beginning
	"bare-ampersand",    // an '&' that begins no reference
	"html-entity",       // a named HTML entity that the document does not declare
	"illegal-character", // a character or reference that XML forbids
	"invalid-bytes",     // bytes that are not of the charset, now U+FFFD
	"charset",           // the declared charset is unknown or not that of the bytes
	"leading-junk",      // something before the root: text, stray tags, output of PHP
	"trailing-junk",     // something after the root
	"namespace",         // a core element in a misspelled, unknown or missing namespace
	"undeclared-prefix", // a prefix without declaration, read by convention
	"root",              // a missing or unusual root
	"item-without-id",   // a JSON Feed item without id, left out
	"member-type",       // a JSON member of a wrong type, left out
	"unsafe-link",       // javascript:, data: and the like, or no host; not taken as a link
	"too-many-elements", // an entry with more elements than are read
	"duplicate-element", // an element that may stand once stands more often
	"updated-missing",   // updated taken from published
	"repeated-id",       // several entries share an id
	"title-habit",       // titles of this feed are HTML, although its format says text
	"entity-limit",      // entity declarations beyond the limit, left alone
	"json-version",      // the version of JSON Feed as a number instead of its URL
}

// names lists the repairs, sorted.
func (f fixes) names() []string {
	if f == 0 {
		return nil
	}
	out := make([]string, 0, bits.OnesCount32(uint32(f)))
	for ; f != 0; f &= f - 1 {
		out = append(out, fixNames[bits.TrailingZeros32(uint32(f))])
	}
	slices.Sort(out)
	return out
}
