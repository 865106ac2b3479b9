// Package selfscore measures how polite the poller is, as publishers measure
// feed readers: by what a server sees.
//
// A [Server] is a web of pretend sites, one for each habit of servers that a
// reader can get wrong, and counts what it is asked against what it has given:
// validators made up or out of sequence, requests too soon or not waited for,
// cookies, invented addresses. [Run] replays 30 days of all sites by a simulated
// clock, with the real client and the real rule of schedule, in a few seconds; the
// test does the same with the whole aggregator under a fake clock. The counters
// are those of Kroll's feed reader score (CONFORMANCE 1.14, F-142): all bad ones
// must be zero.
package selfscore
