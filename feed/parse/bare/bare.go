// Package bare is gofeed as it is, without what [chancery/feed/parse] puts around
// it: the bound that benchmarks hold the program to. Nothing else uses it.
package bare

import (
	"bytes"

	"github.com/mmcdole/gofeed"
)

// Parse reads a document with gofeed's own parser and counts its entries.
func Parse(document []byte) (entries int, err error) {
	f, err := gofeed.NewParser().Parse(bytes.NewReader(document))
	if err != nil {
		return 0, err
	}
	return len(f.Items), nil
}
