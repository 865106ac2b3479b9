package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"
)

// apiRoot is where the API is. Its version changes when something that was there is
// taken away or means something else; what is added changes nothing.
const apiRoot = "/api/v1"

// operation is one thing that the API does. The table of operations is what is
// served and what the OpenAPI document and the page /api are made of: none of the
// three can have what the others lack.
type operation struct {
	id      string // operationId
	path    string // under apiRoot; {name} are path parameters
	summary string
	text    string // Markdown
	params  []param
	result  string // the schema of the answer, of schemas.json
	paged   bool   // has a cursor, and a Link to the next page
	fails   []int  // beside 400 and 503, and 401 where a token is needed
	serve   func(ctx context.Context, s *Server, a args) (answer, error)
}

// answer is what an operation gives.
type answer struct {
	body any
	next string // cursor of the next page; empty if there is none
	// maxAge is how long caches may keep it; 0 is a minute.
	maxAge time.Duration
}

// page is the part of an answer that all lists have.
type page struct {
	Next string `json:"next,omitempty"`
}

// operations are all of the API, in the order of the page /api.
func operations() []operation {
	return []operation{
		listItems, oneItem, itemRevisions, itemDiff, itemProof,
		searchItems, listTopics, oneTopic, listSources, oneSource, statistics, openAPI(),
	}
}

// routeAPI adds the operations to the server's routes.
func (s *Server) routeAPI() {
	for _, op := range operations() {
		s.mux.HandleFunc(apiRoot+op.path, func(w http.ResponseWriter, r *http.Request) { s.operate(w, r, &op) })
	}
	s.mux.HandleFunc(apiRoot+"/", func(w http.ResponseWriter, r *http.Request) { s.failAPI(w, r, ErrNotFound) })
	s.mux.HandleFunc(apiRoot+"/{$}", func(w http.ResponseWriter, r *http.Request) { s.failAPI(w, r, ErrNotFound) })
	s.mux.HandleFunc(apiRoot, func(w http.ResponseWriter, r *http.Request) { s.failAPI(w, r, ErrNotFound) })
}

// operation serves an operation at another address.
func (s *Server) operation(op *operation) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { s.operate(w, r, op) }
}

// suffixed serves an operation of one {id} where the id ends with .json, and a page
// elsewhere.
func (s *Server) suffixed(op *operation, page http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if id, ok := strings.CutSuffix(r.PathValue("id"), ".json"); ok {
			r.SetPathValue("id", id)
			s.operate(w, r, op)
			return
		}
		page(w, r)
	}
}

// maxTime bounds an operation (SEC-27): a list of what is rare walks the whole archive.
const maxTime = 10 * time.Second

// errSlow is why an operation ends that took its time.
var errSlow = errors.New("it took too long; ask for less, by a source or a time")

// operate answers a request for an operation.
func (s *Server) operate(w http.ResponseWriter, r *http.Request, op *operation) {
	ctx, cancel := context.WithTimeoutCause(r.Context(), maxTime, errSlow)
	defer cancel()
	a, err := readArgs(op, r)
	var ans answer
	if err == nil {
		ans, err = op.serve(ctx, s, a)
	}
	if err != nil && r.Context().Err() == nil && errors.Is(context.Cause(ctx), errSlow) {
		err = errSlow
	}
	if err != nil {
		s.failAPI(w, r, err)
		return
	}
	b, err := encodeJSON(ans.body)
	if err != nil {
		s.failAPI(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h["Access-Control-Allow-Origin"] = anyOrigin
	h["Access-Control-Expose-Headers"] = exposed
	h["X-Content-Type-Options"] = noSniff
	h["X-Robots-Tag"] = noIndex
	links := `<` + s.lib.Base() + apiRoot + `/openapi.json>; rel="service-desc"; type="application/json"`
	if ans.next != "" {
		q := r.URL.Query()
		q.Set("cursor", ans.next)
		links = `<` + s.lib.Base() + r.URL.Path + "?" + q.Encode() + `>; rel="next", ` + links
	}
	h.Set("Link", links)
	age := ans.maxAge
	if age == 0 {
		age = time.Minute
	}
	s.content(w, r, b, "public, max-age="+seconds(age))
}

// encodeJSON writes JSON that is read by programs and not put into a page.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// pathParams are the names in braces of a path.
func pathParams(path string) []string {
	var names []string
	for part := range strings.SplitSeq(path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			names = append(names, strings.TrimSuffix(name, "}"))
		}
	}
	return names
}
