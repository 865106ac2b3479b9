package web

import (
	"context"
	_ "embed" // the schemas
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// schemasJSON are the schemas of what the API answers: the part of the document that
// is written by hand. A test holds the answers to them, and them to the answers.
//
//go:embed apischemas.json
var schemasJSON []byte

// apiVersion is that of the document, not of the program: it grows with what is
// added.
const apiVersion = "1.0.0"

func openAPI() operation {
	return operation{
		id: "getOpenAPI", path: "/openapi.json", summary: "This document",
		text:   "What the API does, as OpenAPI 3.1.",
		result: "Document",
		serve: func(_ context.Context, s *Server, _ args) (answer, error) {
			return answer{body: json.RawMessage(s.document31()), maxAge: 24 * time.Hour}, nil
		},
	}
}

// Parts of an OpenAPI document. Maps are written in the order of their keys, so the
// same program gives the same bytes.
type (
	object = map[string]any
	array  = []any
)

// document31 is the OpenAPI document.
func (s *Server) document31() []byte {
	var schemas object
	if err := json.Unmarshal(schemasJSON, &schemas); err != nil {
		panic("web: apischemas.json: " + err.Error()) // it is part of the program, and tested
	}
	paths := object{}
	for _, op := range operations() {
		paths[op.path] = object{"get": s.describe(&op)}
	}
	doc := object{
		"openapi": "3.1.0",
		"info": object{
			"title": "chancery", "version": apiVersion,
			"summary":     "An archive of posts of blogs, by topic.",
			"description": apiText,
			"license":     object{"name": "MIT", "identifier": "MIT"},
		},
		"servers":    array{object{"url": s.lib.Base() + apiRoot}},
		"paths":      paths,
		"components": object{"schemas": schemas, "responses": s.failures()},
	}
	if s.lib.Private() {
		doc["components"].(object)["securitySchemes"] = object{"token": object{"type": "http", "scheme": "bearer", "description": "A token of this service (chancery tokens add)."}}
		doc["security"] = array{object{"token": array{}}}
	}
	b, err := json.MarshalIndent(doc, "", " ")
	if err != nil {
		panic("web: OpenAPI document: " + err.Error()) // strings, numbers and maps of them
	}
	return b
}

const apiText = `Everything here is read with GET or HEAD and changes nothing. Answers are JSON, times are RFC 3339 in UTC, members that are not known are absent.

A list has ` + "`next`" + ` if there is more: ask again with it as ` + "`cursor`" + `, or follow the Link header with rel="next". Answers have an ETag; ask with If-None-Match, and what has not changed is a 304 without a body. Errors are problem documents (RFC 9457). Scripts of any origin may ask.`

// describe is an operation as the document has it.
func (s *Server) describe(op *operation) object {
	params := array{}
	for i := range op.params {
		p := &op.params[i]
		in := "query"
		if slices.Contains(pathParams(op.path), p.name) {
			in = "path"
		}
		o := object{"name": p.name, "in": in, "description": p.text, "schema": p.schema()}
		if p.required {
			o["required"] = true
		}
		if p.kind == aText && p.required {
			o["allowEmptyValue"] = true
		}
		if p.example != "" {
			o["example"] = p.example
		}
		params = append(params, o)
	}
	headers := object{
		"ETag":          object{"schema": object{"type": "string"}, "description": "A validator of what was answered."},
		"Cache-Control": object{"schema": object{"type": "string"}},
	}
	if op.paged {
		headers["Link"] = object{"schema": object{"type": "string"}, "description": `The next page, with rel="next", if there is one (RFC 8288).`}
	}
	answers := object{
		"200": object{
			"description": op.summary, "headers": headers,
			"content": object{"application/json": object{"schema": object{"$ref": "#/components/schemas/" + op.result}}},
		},
		"304": object{"description": "It has not changed since the answer whose ETag was sent in If-None-Match."},
	}
	if slices.ContainsFunc(op.params, func(p param) bool { return p.kind == anItem }) {
		answers["301"] = object{"description": "The id was written with capitals; Location has it without."}
		answers["302"] = object{"description": "It was the beginning of one item's id; Location has the id."}
	}
	for _, code := range op.failures(s.lib.Private()) {
		answers[strconv.Itoa(code)] = object{"$ref": "#/components/responses/" + strconv.Itoa(code)}
	}
	return object{"operationId": op.id, "summary": op.summary, "description": op.text, "parameters": params, "responses": answers}
}

// failures are the statuses of errors that an operation may answer with.
func (op *operation) failures(private bool) []int {
	codes := append([]int{http.StatusBadRequest, http.StatusServiceUnavailable}, op.fails...)
	if private {
		codes = append(codes, http.StatusUnauthorized)
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

// failureTexts say what the statuses of errors mean.
var failureTexts = map[int]string{
	http.StatusBadRequest:          "A parameter is wrong, or the query, or the cursor.",
	http.StatusUnauthorized:        "A token is needed.",
	http.StatusForbidden:           "It may not be republished.",
	http.StatusNotFound:            "There is nothing of that name, or no such version.",
	http.StatusGone:                "It was taken down; the problem says what is known of it.",
	http.StatusUnprocessableEntity: "The query would cost too much.",
	http.StatusServiceUnavailable:  "It cannot be answered now, or there is no index to search; Retry-After says when to ask again.",
}

func (s *Server) failures() object {
	out := object{}
	for code, text := range failureTexts {
		if code == http.StatusUnauthorized && !s.lib.Private() {
			continue
		}
		out[strconv.Itoa(code)] = object{
			"description": text,
			"content":     object{"application/problem+json": object{"schema": object{"$ref": "#/components/schemas/Problem"}}},
		}
	}
	return out
}

// schema is what values a parameter takes.
func (p *param) schema() object {
	o := object{"type": "string"}
	switch p.kind {
	case aNumber:
		o = object{"type": "integer", "minimum": p.least, "maximum": p.most}
		if n, err := strconv.Atoi(p.standard); err == nil {
			o["default"] = n
		}
		return o
	case aSwitch:
		o = object{"type": "boolean"}
		if b, err := strconv.ParseBool(p.standard); err == nil {
			o["default"] = b
		}
		return o
	case aDate:
		o["anyOf"] = array{object{"format": "date"}, object{"format": "date-time"}}
	case anID:
		o["pattern"] = "^[a-z0-9][a-z0-9-]{0,63}$"
	case anItem:
		o["pattern"] = "^[0-9a-hjkmnp-tv-zA-HJKMNP-TV-Z]{6,26}$"
	case aText:
		if p.most > 0 {
			o["maxLength"] = p.most
		}
		if len(p.choices) > 0 {
			o["enum"] = p.choices
		}
	}
	if p.standard != "" {
		o["default"] = p.standard
	}
	return o
}
