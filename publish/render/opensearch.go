package render

import (
	"encoding/xml"
	"strconv"
	"unicode/utf8"
)

// nsOpenSearch is OpenSearch 1.1.
const nsOpenSearch = "http://a9.com/-/spec/opensearch/1.1/"

// DescriptionType is the media type of OpenSearch descriptions, without parameters.
const DescriptionType = "application/opensearchdescription+xml"

// aboutOpenSearch is where the elements are described, for JSON Feed, whose
// extensions must say so.
const aboutOpenSearch = "https://github.com/dewitt/opensearch/blob/master/opensearch-1-1-draft-6.md#opensearch-response-elements"

// Search is what a document says of the search whose results it holds (PUB-87).
type Search struct {
	Terms       string // the query
	Total       int    // results in all; where that is not known, at least so many
	Start       int    // number of the first result here, from 1
	PerPage     int    // results a page, at most
	Description string // address of the description document, or empty
}

// openSearch are the elements of OpenSearch in Atom and RSS, in that order.
type openSearch struct {
	Total   string           `xml:"opensearch:totalResults"`
	Start   string           `xml:"opensearch:startIndex"`
	PerPage string           `xml:"opensearch:itemsPerPage"`
	Query   *openSearchQuery `xml:"opensearch:Query"`
}

type openSearchQuery struct {
	Role  string `xml:"role,attr"`
	Terms string `xml:"searchTerms,attr"`
	Start int    `xml:"startIndex,attr,omitempty"`
	Count int    `xml:"count,attr,omitempty"`
}

func (f *Feed) openSearch() *openSearch {
	s := f.Search
	if s == nil {
		return nil
	}
	return &openSearch{
		Total: strconv.Itoa(s.Total), Start: strconv.Itoa(s.Start), PerPage: strconv.Itoa(s.PerPage),
		Query: &openSearchQuery{Role: "request", Terms: s.Terms, Start: s.Start, Count: s.PerPage},
	}
}

// jsonSearch is the same in JSON Feed.
type jsonSearch struct {
	About   string `json:"about"`
	Total   int    `json:"totalResults"`
	Start   int    `json:"startIndex"`
	PerPage int    `json:"itemsPerPage"`
	Terms   string `json:"searchTerms"`
}

func (f *Feed) jsonSearch() *jsonSearch {
	s := f.Search
	if s == nil {
		return nil
	}
	return &jsonSearch{About: aboutOpenSearch, Total: s.Total, Start: s.Start, PerPage: s.PerPage, Terms: s.Terms}
}

// Description is an OpenSearch description document (PUB-86): it tells browsers
// and other programs how to search here.
type Description struct {
	ShortName   string // cut to 16 characters
	Description string // cut to 1,024 characters
	Contact     string // an e-mail address, or empty
	Icon        string
	Self        string
	URLs        []SearchURL
	Example     string // a query
}

// SearchURL is one way to search.
type SearchURL struct {
	Type     string // media type of the results
	Template string // address with {searchTerms}
}

type descriptionDocument struct {
	XMLName     xml.Name          `xml:"OpenSearchDescription"`
	Xmlns       string            `xml:"xmlns,attr"`
	ShortName   string            `xml:"ShortName"`
	Description string            `xml:"Description"`
	Contact     string            `xml:"Contact,omitempty"`
	Image       string            `xml:"Image,omitempty"`
	URLs        []descriptionURL  `xml:"Url"`
	Queries     []openSearchQuery `xml:"Query"`
	Language    string            `xml:"Language"`
	Input       string            `xml:"InputEncoding"`
	Output      string            `xml:"OutputEncoding"`
}

type descriptionURL struct {
	Type     string `xml:"type,attr"`
	Rel      string `xml:"rel,attr,omitempty"`
	Template string `xml:"template,attr"`
}

// OpenSearch writes a description document.
func OpenSearch(d *Description) ([]byte, error) {
	doc := &descriptionDocument{
		Xmlns: nsOpenSearch, ShortName: atMost(d.ShortName, 16), Description: atMost(d.Description, 1024),
		Contact: d.Contact, Image: d.Icon, Language: "*", Input: "UTF-8", Output: "UTF-8",
	}
	for _, u := range d.URLs {
		doc.URLs = append(doc.URLs, descriptionURL{Type: u.Type, Template: u.Template})
	}
	if d.Self != "" {
		doc.URLs = append(doc.URLs, descriptionURL{Type: DescriptionType, Rel: "self", Template: d.Self})
	}
	if d.Example != "" {
		doc.Queries = []openSearchQuery{{Role: "example", Terms: d.Example}}
	}
	b, err := xml.Marshal(doc)
	if err != nil {
		return nil, err
	}
	return append(append([]byte(xml.Header), b...), '\n'), nil
}

// atMost cuts plain text to n characters.
func atMost(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	r := []rune(s)
	return string(r[:n])
}
