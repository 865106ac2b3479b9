package publish

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// document is an OpenAPI document as far as the test reads it.
type document struct {
	Paths map[string]map[string]struct {
		OperationID string `json:"operationId"`
		Parameters  []struct {
			Name, In string
			Required bool
			Schema   struct {
				Type             string
				Enum             []string
				Default          any
				Minimum, Maximum *int
				Pattern          string
				AnyOf            []any
			}
		}
		Responses map[string]any
	}
	Components struct{ Schemas map[string]any }
}

// strict forbids members that a schema does not name, so that the document cannot
// forget one, and calls see with each that it names.
func strict(v any, at string, see func(string)) {
	switch v := v.(type) {
	case map[string]any:
		if props, ok := v["properties"].(map[string]any); ok {
			if _, open := v["additionalProperties"]; !open {
				v["additionalProperties"] = false
			}
			for name := range props {
				see(at + "." + name)
			}
		}
		for k, x := range v {
			switch k {
			case "properties":
				for name, p := range x.(map[string]any) {
					strict(p, at+"."+name, see)
				}
			case "items", "allOf":
				strict(x, at, see)
			}
		}
	case []any:
		for _, x := range v {
			strict(x, at, see)
		}
	}
}

// The OpenAPI document is valid, and it and the handlers say the same: every
// operation answers as its schema says and with no member that it does not name,
// every member that it names is answered somewhere, every parameter that it names is
// taken, and no other.
func TestOpenAPI(t *testing.T) {
	w, ids := rich(t, testConfig())
	raw := w.body("/api/v1/openapi.json")
	validOpenAPI(t, raw)
	var doc document
	if err := json.Unmarshal([]byte(raw), &doc); err != nil {
		t.Fatal(err)
	}

	named, seen := map[string]bool{}, map[string]bool{}
	for name, s := range doc.Components.Schemas {
		strict(s, name, func(p string) { named[p] = true })
	}
	check := schemas(t, doc.Components.Schemas)

	// Requests that between them answer every member.
	edited, down, none := ids["edited"].String(), ids["down"].String(), "00000000000000000000000000"
	capitals, beginning := strings.ToUpper(edited), edited[:20]
	requests := map[string][]string{
		"/items":                {"", "limit=2", "source=two", "topic=mek", "from=2026-03-01&to=2026-03-01", "by=arrival&order=oldest", "content=false"},
		"/items/{id}":           {edited, edited + "?revision=1", edited + "?content=false", ids["copy"].String(), ids["withdrawn"].String(), ids["short"].String(), down, none, capitals, beginning},
		"/items/{id}/revisions": {edited, edited + "?content=true&limit=1", down, none, capitals, beginning},
		"/items/{id}/diff":      {edited + "?from=1&to=2", edited + "?from=2&to=1", edited + "?from=1&to=9", down + "?from=1&to=1", capitals, beginning},
		"/items/{id}/proof":     {edited, ids["short"].String(), none, capitals, beginning},
		"/search": {
			"q=", "q=needle", "q=ashraf&facets=true&fold=true&order=relevance", "q=tehran&limit=1&content=true", "q=camp&as_of=2026-03-01&all_versions=true",
			"q=(", "q=" + strings.Repeat("a+", 70), "q=day&order=oldest&snippets=false&limit=0",
		},
		"/topics": {""}, "/topics/{id}": {"mek", "none"},
		"/sources": {"", "state=failing", "limit=1"}, "/sources/{id}": {"one", "sick", "none"},
		"/statistics": {""}, "/openapi.json": {""},
	}
	for path, methods := range doc.Paths {
		op := methods["get"]
		if len(requests[path]) == 0 {
			t.Errorf("%s: the test asks nothing of it", path)
		}
		codes := map[string]bool{}
		taken := map[string]bool{}
		for _, req := range requests[path] {
			target := requestOf(path, req)
			u, err := url.Parse(target)
			if err != nil {
				t.Fatal(err)
			}
			for name := range u.Query() {
				taken[name] = true
			}
			rec := w.get(target)
			code := strconv.Itoa(rec.Code)
			if codes[code] = true; rec.Code/100 == 3 { // to the same at another address
				continue
			}
			schema, typ := resultOf(op.Responses, doc, code)
			if schema == "" {
				t.Errorf("%s: %s is not in the document", target, code)
				continue
			}
			if got := rec.Header().Get("Content-Type"); got != typ {
				t.Errorf("%s: %s, the document says %s", target, got, typ)
			}
			v, err := jsonschema.UnmarshalJSON(bytes.NewReader(rec.Body.Bytes()))
			if err != nil {
				t.Fatalf("%s: %v", target, err)
			}
			if schema == "Document" {
				continue
			}
			if err := check(schema).Validate(v); err != nil {
				t.Errorf("%s: %v\n%s", target, err, rec.Body)
			}
			cover(doc.Components.Schemas, doc.Components.Schemas[schema], schema, v, seen)
		}
		for code := range op.Responses {
			if !slices.Contains([]string{"304", "400", "503"}, code) && !codes[code] {
				t.Errorf("%s: the test sees no %s", path, code)
			}
		}
		sample := requestOf(path, requests[path][0])
		for _, p := range op.Parameters {
			if p.In != "query" {
				continue
			}
			// Every parameter is read: a value that it does not take is refused by name, and
			// with those that it takes.
			if p.Schema.Type == "string" && p.Schema.Enum == nil && p.Schema.AnyOf == nil && p.Schema.Pattern == "" && p.Name != "q" && p.Name != "cursor" {
				t.Errorf("%s: the document does not say what %s takes", path, p.Name)
			}
			for _, bad := range wrong(p.Schema.Type, p.Schema.Enum, p.Schema.AnyOf != nil, p.Schema.Minimum, p.Schema.Maximum) {
				rec := w.get(with(sample, p.Name, bad))
				var pr struct{ Parameter, Detail string }
				if err := json.Unmarshal(rec.Body.Bytes(), &pr); err != nil || rec.Code != http.StatusBadRequest || rec.Header().Get("Content-Type") != "application/problem+json" || pr.Parameter != p.Name {
					t.Errorf("%s with %s=%.40q: %d %s", sample, p.Name, bad, rec.Code, rec.Body)
				}
				for _, v := range append(p.Schema.Enum, limits(p.Schema.Minimum, p.Schema.Maximum)...) {
					if !strings.Contains(pr.Detail, v) {
						t.Errorf("%s with %s=%.40q does not say that it may be %s: %s", sample, p.Name, bad, v, pr.Detail)
					}
				}
			}
			for _, v := range append(p.Schema.Enum, limits(p.Schema.Minimum, p.Schema.Maximum)...) {
				if rec := w.get(with(sample, p.Name, v)); rec.Code == http.StatusBadRequest {
					t.Errorf("%s with %s=%s: %s", sample, p.Name, v, rec.Body)
				}
			}
		}
		if rec := w.get(with(sample, "nonsense", "1")); rec.Code != http.StatusBadRequest {
			t.Errorf("%s takes a parameter that is not in the document: %d", sample, rec.Code)
		}
		if path == "/items" || path == "/search" { // those with most of them
			for _, p := range op.Parameters {
				if !taken[p.Name] && p.Name != "cursor" {
					t.Errorf("%s: the test never gives %s", path, p.Name)
				}
			}
		}
	}
	for p := range named {
		top, _, _ := strings.Cut(p, ".")
		if !seen[p] && !slices.Contains(unanswered, p) && top != "Document" {
			t.Errorf("%s is in the document and in no answer", p)
		}
	}
	// And nothing is served below /api/v1 that is not in the document.
	for _, p := range []string{"/api/v1", "/api/v1/", "/api/v1/items/", "/api/v1/feeds", "/api/v2/items"} {
		if rec := w.get(p); rec.Code != http.StatusNotFound {
			t.Errorf("%s: %d", p, rec.Code)
		}
	}
}

// unanswered are members that need what this world lacks: an index at work, thousands of
// hits, or pages of more than it has.
var unanswered = []string{
	"Statistics.index.rebuilding", "Statistics.index.done", "Statistics.index.replacing", "Statistics.index.total", "Statistics.index.fault", "Statistics.trouble_more",
	"Facets.sampled", "SearchPage.notes", "Activity.partial", "Problem.query.part",
}

// wrong are values that a parameter of a schema does not take.
func wrong(typ string, enum []string, date bool, least, most *int) []string {
	bad := []string{strings.Repeat("é!", 3000)}
	switch {
	case typ == "integer":
		bad = append(bad, "x", "1.5", "1e1", "-1", "99999999999999999999", strconv.Itoa(*least-1), strconv.Itoa(*most+1))
	case typ == "boolean":
		bad = append(bad, "perhaps", "2")
	case enum != nil:
		bad = append(bad, "abc", strings.ToUpper(enum[0]), enum[0]+","+enum[len(enum)-1])
	case date:
		bad = append(bad, "notadate", "2009", "2009-13-01", "2009-02-30", "2009-01-01T25:00:00Z")
	}
	return bad
}

func limits(least, most *int) (out []string) {
	for _, n := range []*int{least, most} {
		if n != nil {
			out = append(out, strconv.Itoa(*n))
		}
	}
	return out
}

// requestOf puts a request into a path: the value of its parameter, then the query.
func requestOf(path, req string) string {
	if strings.Contains(path, "{id}") {
		id, q, _ := strings.Cut(req, "?")
		path, req = strings.Replace(path, "{id}", id, 1), q
	}
	if req != "" {
		req = "?" + req
	}
	return "/api/v1" + path + req
}

func with(target, name, value string) string {
	u, err := url.Parse(target)
	if err != nil {
		panic(err)
	}
	q := u.Query()
	q.Set(name, value)
	u.RawQuery = q.Encode()
	return u.String()
}

// resultOf is the schema and the type of an answer.
func resultOf(responses map[string]any, doc document, code string) (schema, typ string) {
	r, ok := responses[code].(map[string]any)
	if !ok {
		return "", ""
	}
	if ref, ok := r["$ref"].(string); ok {
		if !strings.HasSuffix(ref, "/"+code) {
			return "", ""
		}
		return "Problem", "application/problem+json"
	}
	for typ, c := range r["content"].(map[string]any) {
		ref := c.(map[string]any)["schema"].(map[string]any)["$ref"].(string)
		return ref[strings.LastIndexByte(ref, '/')+1:], typ
	}
	return "", ""
}

// schemas compiles the schemas of the document, with formats asserted.
func schemas(t *testing.T, all map[string]any) func(name string) *jsonschema.Schema {
	t.Helper()
	b, err := json.Marshal(map[string]any{"components": map[string]any{"schemas": all}})
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	c.AssertContent()
	if err := c.AddResource("doc.json", v); err != nil {
		t.Fatal(err)
	}
	return func(name string) *jsonschema.Schema {
		s, err := c.Compile("doc.json#/components/schemas/" + name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return s
	}
}

// cover notes which members of a schema an answer has.
func cover(all map[string]any, schema any, at string, v any, seen map[string]bool) {
	s, ok := schema.(map[string]any)
	if !ok {
		return
	}
	if ref, ok := s["$ref"].(string); ok {
		name := ref[strings.LastIndexByte(ref, '/')+1:]
		cover(all, all[name], name, v, seen)
		return
	}
	if list, ok := s["allOf"].([]any); ok {
		for _, x := range list {
			cover(all, x, at, v, seen)
		}
	}
	if items, ok := s["items"]; ok {
		list, _ := v.([]any)
		for _, x := range list {
			cover(all, items, at, x, seen)
		}
	}
	if props, ok := s["properties"].(map[string]any); ok {
		o, _ := v.(map[string]any)
		for name, p := range props {
			if x, ok := o[name]; ok {
				seen[at+"."+name] = true
				cover(all, p, at+"."+name, x, seen)
			}
		}
	}
}

// validOpenAPI checks a document against the schema of OpenAPI 3.1
// (testdata/openapi-3.1.schema.json, of the OpenAPI Initiative, Apache-2.0).
func validOpenAPI(t *testing.T, raw string) {
	t.Helper()
	f, err := os.Open("testdata/openapi-3.1.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	meta, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("openapi.json", meta); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(v); err != nil {
		t.Error(err)
	}
}
