// Package fetch gets one document from the web, politely and within bounds.
//
// A [Client] makes exactly one GET for a poll: conditional when validators are
// given, following redirects itself, decoding what it asked for, and refusing
// what a public web address should not lead to. It is the only door to the
// network: every other part of the program that sends a request uses
// [Client.Transport], which guards addresses in the dialer, on the address that
// is connected to, so that a name that resolves to something else between check
// and use gains nothing (CONFORMANCE SEC-01).
//
// What goes wrong comes back as an [*Error] with a [Class] of a closed set.
// Spacing and concurrency for each registrable domain are kept here too, for all
// callers, because only the client knows every request that is made.
//
// The package keeps no memory of sources: validators come with the [Request] and
// leave with the [Response]. When to ask again is aggregator/schedule's business.
// It follows RFC 9110 and RFC 9111 as a private cache that never serves.
package fetch
