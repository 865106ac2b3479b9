//go:build race

package parse

// raceFactor is how much slower the race detector makes what is timed.
const raceFactor = 20
