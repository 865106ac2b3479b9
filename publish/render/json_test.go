package render

import (
	"strings"
	"testing"
	"time"
)

// schema11 is the JSON Schema of JSON Feed 1.1 as Go types: what is not here is
// not allowed, apart from extensions, which begin with "_".
type schema11 struct {
	Version     string         `json:"version"`
	Title       *string        `json:"title"`
	HomePageURL string         `json:"home_page_url"`
	FeedURL     string         `json:"feed_url"`
	Description string         `json:"description"`
	UserComment string         `json:"user_comment"`
	NextURL     *string        `json:"next_url"`
	Icon        string         `json:"icon"`
	Favicon     string         `json:"favicon"`
	Authors     []person11     `json:"authors"`
	Language    *string        `json:"language"`
	Expired     bool           `json:"expired"`
	Hubs        []hub11        `json:"hubs"`
	Items       *[]item11      `json:"items"`
	Search      map[string]any `json:"_opensearch"`
}

type person11 struct{ Name, URL, Avatar string }

type hub11 struct{ Type, URL string }

type item11 struct {
	ID            string         `json:"id"`
	URL           string         `json:"url"`
	ExternalURL   *string        `json:"external_url"`
	Title         *string        `json:"title"`
	ContentHTML   *string        `json:"content_html"`
	ContentText   *string        `json:"content_text"`
	Summary       *string        `json:"summary"`
	Image         string         `json:"image"`
	BannerImage   string         `json:"banner_image"`
	DatePublished *time.Time     `json:"date_published"`
	DateModified  *time.Time     `json:"date_modified"`
	Authors       []person11     `json:"authors"`
	Tags          []string       `json:"tags"`
	Language      *string        `json:"language"`
	Attachments   []attachment11 `json:"attachments"`
	Extension     map[string]any `json:"_chancery"`
}

type attachment11 struct {
	URL      string   `json:"url"`
	MIMEType string   `json:"mime_type"`
	Title    string   `json:"title"`
	Size     *int64   `json:"size_in_bytes"`
	Duration *float64 `json:"duration_in_seconds"`
}

func strict(t testing.TB, b []byte) schema11 {
	t.Helper()
	var d schema11
	decodeJSON(t, b, &d)
	return d
}

// PUB-37 to PUB-43: every document holds to JSON Feed 1.1, with no unknown key.
func TestJSONFeed(t *testing.T) {
	forEach(t, []Format{FormatJSON}, func(t *testing.T, f *Feed, _ Format, b []byte) {
		d := strict(t, b)
		if d.Version != "https://jsonfeed.org/version/1.1" || d.Title == nil || d.Items == nil || d.FeedURL != f.Self.In(FormatJSON) {
			t.Errorf("version %q title %v items %v feed_url %q", d.Version, d.Title, d.Items, d.FeedURL)
		}
		if d.NextURL != nil && (*d.NextURL == d.FeedURL || *d.NextURL == "") {
			t.Errorf("next_url %q", *d.NextURL)
		}
		if len(*d.Items) != len(f.Entries) {
			t.Fatalf("%d items, want %d", len(*d.Items), len(f.Entries))
		}
		for i, it := range *d.Items {
			if it.ID != f.entries()[i].ID || it.ID == "" {
				t.Errorf("item %d: id %q", i, it.ID)
			}
			if (it.ContentHTML == nil) == (it.ContentText == nil) {
				t.Errorf("item %d: content_html %v and content_text %v, want one", i, it.ContentHTML, it.ContentText)
			}
			if it.DateModified == nil || it.Title != nil && *it.Title == "" || it.Language != nil && *it.Language == "" {
				t.Errorf("item %d: %+v", i, it)
			}
			for _, a := range it.Attachments {
				if !strings.Contains(a.MIMEType, "/") || !strings.HasPrefix(a.URL, "http") {
					t.Errorf("item %d: attachment %+v", i, a)
				}
			}
			for k := range it.Extension {
				if strings.Contains(k, ".") {
					t.Errorf("item %d: key %q has a dot", i, k)
				}
			}
			if it.Extension["about"] == nil || it.Extension["source"] == nil {
				t.Errorf("item %d: extension %v", i, it.Extension)
			}
		}
	})
	if !strings.Contains(string(mustWrite(t, variants(t)["empty"], FormatJSON)), `"items":[]`) {
		t.Error("an empty feed has no empty list of items")
	}
}

// PUB-39, PUB-40, PUB-42: what an item says.
func TestJSONItem(t *testing.T) {
	d := strict(t, mustWrite(t, variants(t)["full"], FormatJSON))
	it := (*d.Items)[0]
	if *it.Title != "Remaining in Iraq & after" || *it.Summary != "What the government < said & did." || it.URL != "https://lobelog.example/2009/01/post?a=1&b=2" {
		t.Errorf("title %q summary %q url %q", *it.Title, *it.Summary, it.URL)
	}
	if it.ExternalURL != nil {
		t.Errorf("external_url %q, though there is no third page", *it.ExternalURL)
	}
	if len(it.Authors) != 2 || it.Authors[0].Name != "Ali Gharib" || it.Authors[0].URL != "https://lobelog.example/ali" {
		t.Errorf("authors %+v", it.Authors)
	}
	if got := strings.Join(it.Tags, "|"); got != "IRAN|MEK|The Middle East|war & peace" {
		t.Errorf("tags %s", got)
	}
	a := it.Attachments
	if len(a) != 2 || *a[0].Size != 5_000_000_000 || *a[0].Duration != 90 || a[1].MIMEType != "application/pdf" || a[1].Size != nil {
		t.Errorf("attachments %+v", a)
	}
	if !it.DatePublished.Equal(day) || !it.DateModified.Equal(day.Add(30*time.Minute)) || *it.Language != "en-US" {
		t.Errorf("dates %v %v language %v", it.DatePublished, it.DateModified, it.Language)
	}
	if len(d.Hubs) != 1 || d.Hubs[0].Type != "WebSub" {
		t.Errorf("hubs %+v", d.Hubs)
	}
	topics, _ := it.Extension["topics"].([]any)
	first, _ := topics[0].(map[string]any)
	if len(topics) != 2 || first["id"] != "iran" || first["score"] != 3.5 || first["about"] != true {
		t.Errorf("topics %v", topics)
	}
}
