package web

import (
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// apiPage is the data of the page /api: the OpenAPI document for people.
type apiPage struct {
	Text       []string
	Operations []apiOperation
	Problems   []problemKind
	Schemas    []apiSchema
	Private    bool
}

type apiOperation struct {
	ID, Path, Summary, Text string
	Params                  []apiParam
	Result                  string
	Fails                   []apiFailure
	Paged                   bool
	Try                     string // an address to look at; empty if it needs an id
}

type apiParam struct{ Name, Type, Standard, Text, Where string }

type apiFailure struct {
	Code int
	Text string
}

// apiSchema is an object with its members.
type apiSchema struct {
	Name, Text string
	Members    []apiMember
}

type apiMember struct {
	Name, Type, Text string
	Link             string // the schema that it is of
	Always           bool
}

// apiPage serves /api.
func (s *Server) apiPage(w http.ResponseWriter, r *http.Request) {
	_, fr, ok := s.site(w, r)
	if !ok {
		return
	}
	p := apiPage{Text: strings.Split(apiText, "\n\n"), Problems: problemKinds, Schemas: schemaList(), Private: s.lib.Private()}
	for _, op := range operations() {
		p.Operations = append(p.Operations, s.tell(&op))
	}
	fr.Title, fr.Here = "API · "+fr.Site, "api"
	fr.JSON = s.lib.Base() + apiRoot + "/openapi.json"
	fr.Body = p
	s.show(w, r, "api", fr)
}

// tell is an operation for people.
func (s *Server) tell(op *operation) apiOperation {
	o := apiOperation{ID: op.id, Path: apiRoot + op.path, Summary: op.summary, Text: op.text, Result: op.result, Paged: op.paged}
	for i := range op.params {
		p := &op.params[i]
		where := ""
		if slices.Contains(pathParams(op.path), p.name) {
			where = "in the path"
		} else if p.required {
			where = "needed"
		}
		o.Params = append(o.Params, apiParam{Name: p.name, Type: p.words(), Standard: p.standard, Text: p.text, Where: where})
	}
	for _, code := range op.failures(s.lib.Private()) {
		o.Fails = append(o.Fails, apiFailure{code, failureTexts[code]})
	}
	if len(pathParams(op.path)) == 0 {
		o.Try = s.lib.Base() + apiRoot + op.path
		if op.id == searchItems.id {
			o.Try += "?q=&limit=5"
		}
	}
	return o
}

// words says what values a parameter takes.
func (p *param) words() string {
	switch p.kind {
	case aNumber:
		return fmt.Sprintf("number from %d to %d", p.least, p.most)
	case aSwitch:
		return "true or false"
	case aDate:
		return "day or instant"
	case anID:
		return "id"
	case anItem:
		return "id of an item"
	}
	if len(p.choices) > 0 {
		return strings.Join(p.choices, " or ")
	}
	return "text"
}

// schemaList are the schemas of the document, by name.
var schemaList = sync.OnceValue(func() []apiSchema {
	var all map[string]jsonSchema
	if err := json.Unmarshal(schemasJSON, &all); err != nil {
		panic("web: apischemas.json: " + err.Error()) // it is part of the program, and tested
	}
	var out []apiSchema
	for _, name := range slices.Sorted(maps.Keys(all)) {
		sc := all[name]
		if len(sc.Properties) == 0 {
			continue
		}
		a := apiSchema{Name: name, Text: sc.Description}
		sc.members("", &a.Members)
		out = append(out, a)
	}
	return out
})

// jsonSchema is a schema as far as the page tells it.
type jsonSchema struct {
	Description string
	Type        any
	Format      string
	Ref         string `json:"$ref"`
	AllOf       []jsonSchema
	Items       *jsonSchema
	Properties  map[string]jsonSchema
	Required    []string
	Enum        []string
}

// members lists the members of an object, and of the objects in it.
func (sc *jsonSchema) members(prefix string, out *[]apiMember) {
	for _, name := range slices.Sorted(maps.Keys(sc.Properties)) {
		p := sc.Properties[name]
		typ, link, inner := p.words()
		*out = append(*out, apiMember{Name: prefix + name, Type: typ, Text: p.Description, Link: link, Always: slices.Contains(sc.Required, name)})
		if inner != nil {
			inner.members(prefix+name+".", out)
		}
	}
}

// words says what a schema is of: its type, the schema that it names, and the members
// that it has itself.
func (sc *jsonSchema) words() (typ, link string, inner *jsonSchema) {
	switch {
	case sc.Ref != "":
		name := sc.Ref[strings.LastIndexByte(sc.Ref, '/')+1:]
		if strings.HasSuffix(name, "ID") {
			return "id", "", nil // a string: it has no table of its own
		}
		return name, name, nil
	case len(sc.AllOf) == 1:
		return sc.AllOf[0].words()
	case sc.Items != nil:
		typ, link, inner = sc.Items.words()
		return "list of " + typ, link, inner
	case len(sc.Properties) > 0:
		return "object", "", sc
	case len(sc.Enum) > 0:
		return strings.Join(sc.Enum, " or "), "", nil
	case sc.Format != "":
		return sc.Format, "", nil
	}
	if t, ok := sc.Type.(string); ok {
		return t, "", nil
	}
	return "string", "", nil
}

// coded is a text of the document with what stands in backquotes as code.
func coded(s string) template.HTML {
	var b strings.Builder
	for i, part := range strings.Split(s, "`") {
		esc := template.HTMLEscapeString(part)
		if i%2 == 1 {
			esc = "<code>" + esc + "</code>"
		}
		b.WriteString(esc)
	}
	return template.HTML(b.String()) //nolint:gosec // each part is escaped
}
