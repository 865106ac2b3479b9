// Package html is the one place that reads and cleans the HTML of posts: plain
// text for topics, search and quotes ([Plain], [Segments], [Excerpt]), safe HTML
// with absolute URLs for readers ([Sanitize], [Clean]), and the difference of two
// versions ([Diff]).
//
// Everything here is a pure function of its arguments, safe for concurrent use,
// and takes time and memory linear in the length of the text, whatever the text
// is. The original is never changed: sanitizing happens at output time, and
// [PolicyVersion] rises whenever its result may change, so that a better policy
// applies to the whole archive (CONFORMANCE SEC-11).
//
// The package does not fetch, and does not repair feeds: what type a text has is
// decided by feed/parse.
package html
