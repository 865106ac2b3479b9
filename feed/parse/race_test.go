//go:build race

package parse

// raceFactor is how much smaller the attack documents are under the race detector,
// which makes everything slower; times are not judged then.
const raceFactor = 20
