package web

import (
	"context"
	"errors"
	"net/http"

	"chancery/feed"
	"chancery/feed/query"
	"chancery/store"
)

type topicJSON struct {
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	Rule        string            `json:"rule,omitempty"`
	Threshold   float64           `json:"threshold,omitempty"`
	About       float64           `json:"about_threshold,omitempty"`
	Feeds       map[string]string `json:"feeds"`
	// Items is how many mention the topic; absent where that cannot be counted now.
	Items  *int        `json:"items,omitempty"`
	Facets *facetsJSON `json:"facets,omitempty"`
}

func (s *Server) topicJSON(l Listing) topicJSON {
	j := topicJSON{ID: l.Name, Name: l.Title, Description: l.Description, Feeds: s.feedsOf(l.Name, l.Formats)}
	if r := s.lib.Rule(topicID(l)); r != nil {
		j.Rule, j.Threshold, j.About = r.Text, r.Threshold, r.About
	}
	return j
}

type topicsPage struct {
	Topics []topicJSON `json:"topics"`
}

var listTopics = operation{
	id: "listTopics", path: "/topics", summary: "List topics",
	text:   "All topics, with their rules and how many items mention them.",
	result: "TopicsPage",
	serve: func(ctx context.Context, s *Server, _ args) (answer, error) {
		site, err := s.lib.Site(ctx)
		if err != nil {
			return answer{}, err
		}
		counts, err := s.countTopics(ctx)
		if err != nil {
			return answer{}, err
		}
		out := topicsPage{Topics: []topicJSON{}}
		for _, l := range site.Topics {
			j := s.topicJSON(l)
			if counts != nil {
				n := counts[l.Name]
				j.Items = &n
			}
			out.Topics = append(out.Topics, j)
		}
		return answer{body: out}, nil
	},
}

// countTopics counts the items of each topic; nil if they cannot be counted now.
func (s *Server) countTopics(ctx context.Context) (map[string]int, error) {
	found, err := s.lib.Search(ctx, nil, store.SearchOptions{Limit: -1, Facets: true})
	if notCounted(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	counts := map[string]int{}
	if found.Facets != nil {
		for _, f := range found.Facets.Topics {
			counts[f.Name] = f.Count
		}
	}
	return counts, nil
}

// unsearchable reports whether there is nothing to search, rather than a fault of
// this search.
func unsearchable(err error) bool {
	return errors.Is(err, ErrNoSearch) || errors.Is(err, store.ErrCorrupt)
}

var oneTopic = operation{
	id: "getTopic", path: "/topics/{id}", summary: "One topic",
	text:   "A topic, with the counts of its items by source, language and time, and of the other topics that they have.",
	params: []param{{name: "id", kind: anID, required: true, text: "The topic's id.", example: "mek"}},
	result: "Topic", fails: []int{http.StatusNotFound},
	serve: func(ctx context.Context, s *Server, a args) (answer, error) {
		site, err := s.lib.Site(ctx)
		if err != nil {
			return answer{}, err
		}
		for _, l := range site.Topics {
			if l.Name != a.text("id") {
				continue
			}
			j := s.topicJSON(l)
			q, err := query.Parse("topic:" + l.Name)
			if err != nil {
				return answer{}, err
			}
			found, err := s.lib.Search(ctx, q, store.SearchOptions{Limit: -1, Facets: true})
			if unsearchable(err) {
				return answer{body: j}, nil
			}
			if err != nil {
				return answer{}, err
			}
			j.Items = &found.Total
			if found.Facets != nil {
				j.Facets = facetsOf(found.Facets)
			}
			return answer{body: j}, nil
		}
		return answer{}, ErrNotFound
	},
}

func topicID(l Listing) feed.TopicID { return feed.TopicID(l.Name) }
