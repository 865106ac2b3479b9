package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"chancery/feed"
	"chancery/store"
)

// maxBeginning is up to how many items with ids that begin alike are counted.
const maxBeginning = 100

// namedItem deals with the address of an item that does not have the item's id as it is
// written: capitals lead to the address with small letters for good, the beginning of an
// id (feed.MinItemPrefix letters or more) to that of the only item that it fits, as
// commands take it. So each thing has one address. It reports whether it answered.
func (s *Server) namedItem(w http.ResponseWriter, r *http.Request) bool {
	under, rest, ok := strings.Cut(r.URL.Path, "/items/")
	if !ok || under != "" && under != apiRoot {
		return false
	}
	name, more, _ := strings.Cut(rest, "/")
	if more != "" {
		more = "/" + more
	}
	for _, f := range itemFormats {
		if base, ok := strings.CutSuffix(name, f); ok && under == "" && more == "" {
			name, more = base, f
		}
	}
	if id, err := feed.ParseItemID(name); err == nil {
		if id.String() == name {
			return false
		}
		s.permanent(w, r, http.StatusMovedPermanently, s.itemAddress(r, under, id, more))
		return true
	}
	found, err := store.Beginning(r.Context(), s.lib.Heads, name, maxBeginning+1)
	switch {
	case errors.Is(err, feed.ErrBadID):
		return false // what it can be else is said by who serves it
	case err != nil:
		s.fail(w, r, err)
	case len(found) == 0:
		s.fail(w, r, ErrNotFound)
	case len(found) == 1: // some day it may fit another one, too
		s.redirect(w, r, http.StatusFound, s.itemAddress(r, under, found[0].ID, more), "public, max-age=60")
	default:
		n := fmt.Sprint(len(found))
		if len(found) > maxBeginning {
			n = fmt.Sprintf("more than %d", maxBeginning)
		}
		s.fail(w, r, &problem{
			Type: severalItems, Title: "Several items fit", Status: http.StatusNotFound, Parameter: "id",
			Detail: fmt.Sprintf("the ids of %s items begin with %s; more letters tell them apart", n, strings.ToLower(name)),
		})
	}
	return true
}

// itemAddress is what a request asks of an item, at the item's own address.
func (s *Server) itemAddress(r *http.Request, under string, id feed.ItemID, more string) string {
	to := s.lib.Base() + under + "/items/" + id.String() + (&url.URL{Path: more}).EscapedPath()
	if r.URL.RawQuery != "" {
		to += "?" + r.URL.RawQuery
	}
	return to
}
