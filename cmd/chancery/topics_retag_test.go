package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"chancery/aggregator/topic"
	"chancery/feed"
	"chancery/feed/feedtest"
	"chancery/store"
	"chancery/store/bolt"
)

// madePosts makes posts of 2.45 KB of HTML, words by Zipf's law, of which one in a
// hundred names what a rule asks for.
func madePosts(n int) []store.Draft {
	rng := rand.New(rand.NewPCG(1, 2))
	zipf := rand.NewZipf(rng, 1.05, 1, 60_000)
	common := []string{"the", "of", "and", "to", "in", "that", "is", "was", "for", "with"}
	word := func() string {
		k := int(zipf.Uint64())
		if k < len(common) {
			return common[k]
		}
		return fmt.Sprintf("%c%x", 'g'+rune(k%16), k*2654435761%(1<<20))
	}
	drafts := make([]store.Draft, n)
	for i := range drafts {
		var b strings.Builder
		for b.Len() < 2450 {
			b.WriteString("<p>")
			for range 60 {
				b.WriteString(word())
				b.WriteByte(' ')
			}
			if rng.IntN(500) == 0 {
				b.WriteString("a new name in Tehran and Baghdad")
			}
			b.WriteString(".</p>\n")
		}
		id := fmt.Sprintf("https://blog.example/%d", i)
		drafts[i] = store.Draft{
			Entry: feed.Entry{
				ID: id, URL: id, Title: feed.Text{Value: fmt.Sprintf("Post %d %s", i, word())}, Language: "en",
				Content:   feed.Text{Type: feed.HTML, Value: b.String()},
				Published: feed.Date{Time: time.Date(2009, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * time.Minute)},
			},
			Native: id, Method: "guid", Part: -1, Version: feed.DigestOf([]byte(id)),
			Keys: []store.Key{{Class: store.KeyGUID, Hash: [16]byte{byte(i), byte(i >> 8), byte(i >> 16), 1}}},
		}
	}
	return drafts
}

// BenchmarkRetagArchive is `topics retag` of an archive of 100,000 items on disk
// after one of the three default rules changed: reading, tagging and writing.
func BenchmarkRetagArchive(b *testing.B) {
	const items = 100_000
	ctx := b.Context()
	c, err := parseConfig(builtinName, []byte(defaultDoc))
	if err != nil {
		b.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	archive, err := bolt.Open(ctx, b.TempDir(), bolt.Options{Log: log, ItemsPerDay: math.MaxInt32})
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := archive.Close(); err != nil {
			b.Error(err)
		}
	}()
	if err := archive.Change(ctx, []store.Edit{{Kind: store.KindSource, Source: &store.Source{ID: "blog", URL: "https://blog.example/feed"}}}); err != nil {
		b.Fatal(err)
	}
	var out strings.Builder
	e := &Env{Config: c, Archive: archive, Log: log, Out: &out, Err: io.Discard}
	take := func() {
		set, err := topic.Compile(c.Topics)
		if err == nil {
			err = e.takeRules(ctx, set)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	take()
	drafts := madePosts(items)
	for i := 0; i < items; i += 1000 {
		if _, err := archive.Append(ctx, store.Batch{Source: "blog", Drafts: drafts[i : i+1000], At: time.Date(2020, 1, 1, 0, 0, i, 0, time.UTC)}); err != nil {
			b.Fatal(err)
		}
	}
	drafts = nil
	retag(ctx, b, e, true) // the drafts came in without topics
	n := 0
	start := feedtest.CPU(b)
	for b.Loop() {
		n++
		c.Topics[0].Match += fmt.Sprintf(` OR "a new name"^%d`, 3+n)
		take()
		out.Reset()
		retag(ctx, b, e, false)
	}
	b.ReportMetric((feedtest.CPU(b)-start).Seconds()/float64(n), "CPU-s/op")
	b.Log(out.String())
}

func retag(ctx context.Context, b *testing.B, e *Env, all bool) {
	b.Helper()
	if err := e.retag(ctx, false, all); err != nil {
		b.Fatal(err)
	}
}
