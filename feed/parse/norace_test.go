//go:build !race

package parse

const raceFactor = 1
