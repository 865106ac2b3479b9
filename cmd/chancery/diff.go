package main

import (
	"chancery/feed"
)

func (e *Env) printDiff(old, now *feed.Item) error { return nil }
