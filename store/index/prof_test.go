package index

import (
	"testing"

	"chancery/feed/query"
	"chancery/store"
)

func BenchmarkProf(b *testing.B) {
	x, err := Open(b.Context(), "/tmp/index/b100", nil, DefaultConfig(), nil)
	if err != nil {
		b.Fatal(err)
	}
	for _, text := range []string{"nosu", `"nosu"`, `"suvuing"`, "xx*", `"nosu zype"`} {
		q, _ := query.Parse(text)
		b.Run(text, func(b *testing.B) {
			for b.Loop() {
				x.Search(b.Context(), q, store.SearchOptions{})
			}
		})
	}
}
