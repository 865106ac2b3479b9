package main

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"chancery/aggregator/schedule"
	"chancery/store"
)

// stateMetrics looks up how the daemon stands when /metrics is asked for. It
// implements prometheus.Collector.
type stateMetrics struct{ d *daemon }

// scrapeTime bounds a look.
const scrapeTime = 10 * time.Second

// stateDescs are the names, help texts and labels of what stateMetrics gives.
var stateDescs = map[string]*prometheus.Desc{}

func stateDesc(name, help string, labels ...string) string {
	stateDescs[name] = prometheus.NewDesc(name, help, labels, nil)
	return name
}

var (
	mBuild       = stateDesc("chancery_build_info", "The program; always 1.", "version", "go")
	mStarted     = stateDesc("chancery_start_time_seconds", "When the daemon started, seconds since 1970.")
	mUp          = stateDesc("chancery_archive_up", "1 if the archive answers.")
	mStoring     = stateDesc("chancery_archive_storing", "1 if what the last poll brought could be stored.")
	mItems       = stateDesc("chancery_archive_items", "Items in the archive.")
	mRevisions   = stateDesc("chancery_archive_revisions", "Versions of items in the archive.")
	mStories     = stateDesc("chancery_archive_stories", "Stories in the archive.")
	mDocuments   = stateDesc("chancery_archive_documents", "Documents kept as received.")
	mRecords     = stateDesc("chancery_archive_records", "Records in the log.")
	mBytes       = stateDesc("chancery_archive_bytes", "Size of all files of the archive.")
	mVolumes     = stateDesc("chancery_archive_volumes", "Files of the log.")
	mLostRecords = stateDesc("chancery_archive_lost_records", "Records that cannot be read, as far as is known.")
	mCommit      = stateDesc("chancery_archive_last_commit_timestamp_seconds", "When something was last recorded.")
	mDiskFree    = stateDesc("chancery_disk_free_bytes", "Room on the archive's file system for us.")
	mDiskSize    = stateDesc("chancery_disk_size_bytes", "Size of the archive's file system.")
	mSources     = stateDesc("chancery_sources", "Sources by state.", "state")
	mFailing     = stateDesc("chancery_sources_failing", "Polled sources whose last poll failed, whatever their state.")
	mDue         = stateDesc("chancery_sources_due", "Sources whose poll is due.")
	mPolling     = stateDesc("chancery_sources_polling", "Sources being polled at this moment.")
	mLag         = stateDesc("chancery_sources_lag_seconds", "How long the most overdue source has been waiting.")
	mSilent      = stateDesc("chancery_sources_silent", "Sources that answer, but by their own rhythm should have posted by now.")
	mLastPoll    = stateDesc("chancery_last_poll_timestamp_seconds", "When a source was last polled.")
	mLastChange  = stateDesc("chancery_last_change_timestamp_seconds", "When a poll last brought something new.")
	mFeedsBehind = stateDesc("chancery_feeds_behind_records", "Records of the log that our feeds have not seen.")
	mIndexBehind = stateDesc("chancery_index_behind_records", "Records of the log that the full-text index has not seen.")
	mIndexItems  = stateDesc("chancery_index_items", "Items in the full-text index.")
	mIndexBytes  = stateDesc("chancery_index_bytes", "Size of the full-text index.")
	mIndexGrows  = stateDesc("chancery_index_rebuilding", "1 while the full-text index is being made.")
	mIndexFault  = stateDesc("chancery_index_fault", "1 if the full-text index cannot be used or written.")
	mSubscribers = stateDesc("chancery_hub_subscriptions", "WebSub subscriptions.")
	mSubFailing  = stateDesc("chancery_hub_subscriptions_failing", "Subscriptions whose last delivery failed.")
	mVerifying   = stateDesc("chancery_hub_verifying", "Requests of subscribers that wait to be verified.")
	mDeliveries  = stateDesc("chancery_hub_deliveries_total", "Documents sent to subscribers by result, since the last reload.", "result")
	mConns       = stateDesc("chancery_http_connections", "Open connections of readers.")
	mRefused     = stateDesc("chancery_http_connections_refused_total", "Connections refused because there were too many.")
	mNeeds       = stateDesc("chancery_needs_person", "Things that only a person can mend, by kind.", "event")
)

// Describe implements prometheus.Collector.
func (s stateMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range stateDescs {
		ch <- d
	}
}

// Collect implements prometheus.Collector. What cannot be looked up is left out, and
// chancery_archive_up says so.
func (s stateMetrics) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	d := s.d
	put := func(name string, v float64, labels ...string) {
		kind := prometheus.GaugeValue
		if name == mDeliveries || name == mRefused {
			kind = prometheus.CounterValue
		}
		ch <- prometheus.MustNewConstMetric(stateDescs[name], kind, v, labels...)
	}
	build := buildLabels()
	put(mBuild, 1, build["version"], build["go"])
	put(mStarted, seconds(d.started))
	put(mStoring, oneIf(d.lost.Load() == nil))
	if d.conns != nil {
		open, refused := d.conns.Open()
		put(mConns, float64(open))
		put(mRefused, float64(refused))
	}
	now := time.Now().UTC()
	if err := d.archive.Ping(ctx); err != nil && !errors.Is(err, store.ErrLost) {
		put(mUp, 0)
		return
	}
	survey, err := d.surveys.at(ctx, now)
	put(mUp, oneIf(err == nil))
	if err != nil {
		return
	}
	survey.put(put)
	d.putRunning(ctx, put)
	needs := map[string]int{}
	list, _ := d.needs(ctx, now)
	for _, n := range list {
		needs[n.Event]++
	}
	for _, event := range needEvents {
		put(mNeeds, float64(needs[event]), event)
	}
}

// put gives what the archive shows.
func (s *survey) put(put func(name string, v float64, labels ...string)) {
	st := s.Stats
	for name, v := range map[string]int64{
		mItems: st.Items, mRevisions: st.Revisions, mStories: st.Stories, mDocuments: st.Raw, mRecords: st.Records,
		mBytes: st.Bytes, mVolumes: int64(st.Volumes), mLostRecords: st.Lost, mDiskFree: s.Disk.Free, mDiskSize: s.Disk.Size,
	} {
		put(name, float64(v))
	}
	put(mCommit, seconds(st.Last))
	states := map[string]bool{}
	for _, state := range append(schedule.Conditions(), "imported", "merged", "removed") {
		states[state] = true
		put(mSources, float64(s.States[state]), state)
	}
	for state, n := range s.States { // of a closed set all the same: Word's
		if !states[state] {
			put(mSources, float64(n), state)
		}
	}
	put(mFailing, float64(len(s.Failing)))
	put(mDue, float64(s.Due))
	put(mLag, s.Lag.Seconds())
	put(mSilent, float64(len(s.Silent)))
	put(mLastPoll, seconds(s.LastAt))
	put(mLastChange, seconds(s.Changed))
}

// putRunning gives what only the running parts know.
func (d *daemon) putRunning(ctx context.Context, put func(name string, v float64, labels ...string)) {
	g := d.current.Load()
	_, polling, _, _ := d.polling.Load().works.aggregator.Load()
	put(mPolling, float64(polling))
	end, err := d.archive.End(ctx)
	if err == nil {
		put(mFeedsBehind, max(float64(end)-float64(g.publisher.Seen()), 0))
	}
	if x := d.indexState(); x != nil {
		if err == nil {
			put(mIndexBehind, max(float64(end)-float64(x.Cursor), 0))
		}
		put(mIndexItems, float64(x.Items))
		put(mIndexBytes, float64(x.Bytes))
		put(mIndexGrows, oneIf(x.Rebuilding))
		put(mIndexFault, oneIf(x.Fault != ""))
	}
	if h, ok := g.publisher.HubStats(); ok {
		put(mSubscribers, float64(h.Subscriptions))
		put(mSubFailing, float64(h.Failing))
		put(mVerifying, float64(h.Verifying))
		put(mDeliveries, float64(h.Delivered), "delivered")
		put(mDeliveries, float64(h.Failed), "failed")
	}
}

func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
