// Package discover finds the feeds of a web page.
//
// [Candidates] reads what a page declares: link elements in its head and Link
// fields of its header, ranked, the feed of comments below the feed of posts.
// [Find] is the whole way from what a person typed to a subscription that can be
// proposed; it asks the network only through the function it is given, and never
// for an address that nobody named, unless told to guess.
//
// It follows the HTML standard (link type alternate), RFC 8288 for Link fields
// and RFC 9309 for robots.txt, which is heeded where addresses are guessed.
// Microformats (h-feed) are not offered, because they could not be read.
package discover
