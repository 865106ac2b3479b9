// Package schedule decides when a source is polled again, and runs the polls.
//
// [Finish] is the rule: from what was remembered of a source and what a poll
// brought it makes what is to be remembered, with the next due time and, in
// words, the reason. It is pure: no clock, no I/O, and the time comes in as an
// argument. [Plan] says, before a poll, how it shall ask. [Loop] does the waiting:
// earliest deadline first, hosts apart from each other, nothing in a burst.
//
// The interval follows from how often a source posts: polls in proportion to the
// square root of the posting rate minimize the mean delay until a post is found,
// at a given number of requests (CONFORMANCE F-72). It is bounded below by what
// the server and the document ask for, above by the time in which half of the
// document would roll over, so that nothing is lost between two polls (F-74).
//
// The package knows nothing of fetching or parsing: facts come in an [Outcome].
package schedule
