//go:build race

package parse

// raceFactor is how much slower the race detector makes what is timed; documents
// are so much smaller.
const raceFactor = 20
