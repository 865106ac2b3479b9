package html

import "golang.org/x/net/html/atom"

// kind is what the shaper must know about an element to nest it as HTML's parser
// does (HTML Living Standard, 13.2.6).
type kind uint16

const (
	phrasing  kind = 1 << iota // part of a line
	formatted                  // phrasing that goes on after a misplaced end tag: b, i, …
	special                    // a block: ends an open p
	heading
	item      // li, dt, dd: end the one before
	tabular   // table and its parts
	barrier   // end tags and implied ends don't reach across: table, td, th, caption
	void      // has no content
	media     // video, audio, picture
	rubyPart  // rt, rp, rb
	dropped   // goes with its content
	framelike // becomes a link
)

// attrKind is the form an attribute's value must have to stay.
type attrKind uint8

const (
	plainText  attrKind = iota + 1
	linkURL             // http, https, mailto
	webURL              // http, https
	secureURL           // https (SEC-13)
	imageSet            // srcset
	number              // 0 to 99999
	dimension           // a number, perhaps with %
	language            // a BCP 47 tag
	direction           // ltr, rtl, auto
	present             // boolean
	oneOf               // a short word of letters and hyphens
	mediaType           // type/subtype, perhaps with codecs
	mediaQuery          // of source and sizes
)

// element is what is allowed of one element.
type element struct {
	kind  kind
	as    atom.Atom // written under this name, if set
	attrs map[string]attrKind
	// attrNeeded: without an attribute the tags mean nothing and are left out.
	attrNeeded bool
}

// global attributes are allowed everywhere. id and name would let a post address
// or overwrite parts of the page it is shown in; style and class let it dress up
// as something else (SEC-12).
var global = map[string]attrKind{"title": plainText, "lang": language, "dir": direction}

// elements is the whole policy: what is not here loses its tags and keeps its
// content.
var elements = map[atom.Atom]*element{
	// Blocks.
	atom.Address:    {kind: special},
	atom.Article:    {kind: special},
	atom.Aside:      {kind: special},
	atom.Blockquote: {kind: special, attrs: map[string]attrKind{"cite": webURL}},
	atom.Center:     {kind: special, as: atom.Div},
	atom.Details:    {kind: special, attrs: map[string]attrKind{"open": present}},
	atom.Div:        {kind: special},
	atom.Dl:         {kind: special},
	atom.Dir:        {kind: special, as: atom.Ul},
	atom.Fieldset:   {kind: special, as: atom.Div},
	atom.Figcaption: {kind: special},
	atom.Figure:     {kind: special},
	atom.Footer:     {kind: special},
	atom.Form:       {kind: special, as: atom.Div},
	atom.Header:     {kind: special},
	atom.Hgroup:     {kind: special, as: atom.Div},
	atom.Hr:         {kind: special | void},
	atom.Main:       {kind: special, as: atom.Div},
	atom.Menu:       {kind: special, as: atom.Ul},
	atom.Nav:        {kind: special},
	atom.Ol:         {kind: special, attrs: map[string]attrKind{"start": number, "type": oneOf, "reversed": present}},
	atom.P:          {kind: special},
	atom.Plaintext:  {kind: special, as: atom.Pre},
	atom.Listing:    {kind: special, as: atom.Pre},
	atom.Pre:        {kind: special},
	atom.Section:    {kind: special},
	atom.Summary:    {kind: special},
	atom.Ul:         {kind: special},
	atom.Xmp:        {kind: special, as: atom.Pre},
	atom.H1:         {kind: special | heading},
	atom.H2:         {kind: special | heading},
	atom.H3:         {kind: special | heading},
	atom.H4:         {kind: special | heading},
	atom.H5:         {kind: special | heading},
	atom.H6:         {kind: special | heading},
	atom.Li:         {kind: special | item, attrs: map[string]attrKind{"value": number}},
	atom.Dt:         {kind: special | item},
	atom.Dd:         {kind: special | item},

	// Tables. Columns only carry width and style, so they are left out.
	atom.Table:   {kind: special | tabular | barrier},
	atom.Caption: {kind: special | tabular | barrier},
	atom.Thead:   {kind: special | tabular},
	atom.Tbody:   {kind: special | tabular},
	atom.Tfoot:   {kind: special | tabular},
	atom.Tr:      {kind: special | tabular},
	atom.Td:      {kind: special | tabular | barrier, attrs: map[string]attrKind{"colspan": number, "rowspan": number, "align": oneOf, "valign": oneOf}},
	atom.Th:      {kind: special | tabular | barrier, attrs: map[string]attrKind{"colspan": number, "rowspan": number, "align": oneOf, "valign": oneOf, "scope": oneOf, "abbr": plainText}},

	// Text-level.
	atom.A:       {kind: phrasing, attrs: map[string]attrKind{"href": linkURL, "hreflang": language}},
	atom.Abbr:    {kind: phrasing},
	atom.Acronym: {kind: phrasing, as: atom.Abbr},
	atom.B:       {kind: phrasing | formatted},
	atom.Bdi:     {kind: phrasing},
	atom.Bdo:     {kind: phrasing, attrNeeded: true},
	atom.Big:     {kind: phrasing, as: atom.Span, attrNeeded: true},
	atom.Br:      {kind: phrasing | void},
	atom.Cite:    {kind: phrasing},
	atom.Code:    {kind: phrasing | formatted},
	atom.Data:    {kind: phrasing, as: atom.Span, attrNeeded: true},
	atom.Del:     {kind: phrasing, attrs: map[string]attrKind{"cite": webURL, "datetime": plainText}},
	atom.Dfn:     {kind: phrasing},
	atom.Em:      {kind: phrasing | formatted},
	atom.Font:    {kind: phrasing, as: atom.Span, attrNeeded: true},
	atom.I:       {kind: phrasing | formatted},
	atom.Ins:     {kind: phrasing, attrs: map[string]attrKind{"cite": webURL, "datetime": plainText}},
	atom.Kbd:     {kind: phrasing},
	atom.Mark:    {kind: phrasing},
	atom.Q:       {kind: phrasing, attrs: map[string]attrKind{"cite": webURL}},
	atom.S:       {kind: phrasing | formatted},
	atom.Samp:    {kind: phrasing},
	atom.Small:   {kind: phrasing | formatted},
	atom.Span:    {kind: phrasing, attrNeeded: true},
	atom.Strike:  {kind: phrasing | formatted, as: atom.S},
	atom.Strong:  {kind: phrasing | formatted},
	atom.Sub:     {kind: phrasing},
	atom.Sup:     {kind: phrasing},
	atom.Time:    {kind: phrasing, attrs: map[string]attrKind{"datetime": plainText}},
	atom.Tt:      {kind: phrasing | formatted, as: atom.Code},
	atom.U:       {kind: phrasing | formatted},
	atom.Var:     {kind: phrasing},
	atom.Wbr:     {kind: phrasing | void},
	atom.Ruby:    {kind: phrasing},
	atom.Rt:      {kind: phrasing | rubyPart},
	atom.Rp:      {kind: phrasing | rubyPart},

	// Images and media.
	atom.Img: {kind: phrasing | void, attrs: map[string]attrKind{
		"src": webURL, "srcset": imageSet, "sizes": mediaQuery, "alt": plainText, "width": dimension, "height": dimension,
	}},
	atom.Image:   {kind: phrasing | void, as: atom.Img},
	atom.Picture: {kind: phrasing | media},
	atom.Video: {kind: phrasing | media, attrs: map[string]attrKind{
		"src": secureURL, "poster": webURL, "width": dimension, "height": dimension, "loop": present, "muted": present,
	}},
	atom.Audio: {kind: phrasing | media, attrs: map[string]attrKind{"src": secureURL, "loop": present, "muted": present}},
	atom.Source: {kind: void, attrs: map[string]attrKind{
		"src": secureURL, "srcset": imageSet, "sizes": mediaQuery, "type": mediaType, "media": mediaQuery,
	}},
	atom.Track: {kind: void, attrs: map[string]attrKind{
		"src": secureURL, "kind": oneOf, "srclang": language, "label": plainText, "default": present,
	}},

	// What becomes a link, and what goes with its content.
	atom.Iframe:   {kind: framelike | dropped},
	atom.Embed:    {kind: framelike | void},
	atom.Script:   {kind: dropped},
	atom.Style:    {kind: dropped},
	atom.Template: {kind: dropped},
	atom.Head:     {kind: dropped},
	atom.Title:    {kind: dropped},
	atom.Noembed:  {kind: dropped},
	atom.Noframes: {kind: dropped},
	atom.Textarea: {kind: dropped},
	atom.Select:   {kind: dropped},
	atom.Datalist: {kind: dropped},
	atom.Svg:      {kind: dropped},
	atom.Canvas:   {kind: dropped},
}

// active are elements that only lose their tags, but count as removed.
var active = map[atom.Atom]bool{
	atom.Object: true, atom.Applet: true, atom.Button: true, atom.Input: true, atom.Base: true, atom.Link: true,
	atom.Meta: true, atom.Frame: true, atom.Frameset: true, atom.Param: true,
}
