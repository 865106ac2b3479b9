package fetch

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// follow judges where a redirect leads (CONFORMANCE F-42, F-44, F-50).
func (c *Client) follow(r *Request, from *url.URL, resp *http.Response) (*url.URL, error) {
	refuse := func(format string, args ...any) error {
		return &Error{Class: Redirect, URL: show(from), Status: resp.StatusCode, Text: fmt.Sprintf(format, args...)}
	}
	next, err := from.Parse(resp.Header.Get("Location"))
	if err != nil {
		return nil, refuse("redirected to what is not a URL")
	}
	switch {
	case next.Scheme != "http" && next.Scheme != "https":
		return nil, refuse("redirected to the scheme %.20q", next.Scheme)
	case next.User != nil:
		return nil, refuse("redirected to a URL with a user name in it")
	case next.Hostname() == "":
		return nil, refuse("redirected to a URL without host")
	case from.Scheme == "https" && next.Scheme == "http" && !r.AllowDowngrade:
		return nil, refuse("redirected from https to http, which is not permitted for this source")
	}
	next.Fragment, next.RawFragment = "", ""
	if wait, ok := RetryAfter(resp.Header, time.Now()); ok && wait > 0 {
		return next, &Error{
			Class: Wait, URL: show(from), Status: resp.StatusCode, RetryAfter: wait, HasRetry: true,
			Text: fmt.Sprintf("redirected, to be followed not before %v from now", wait),
		}
	}
	return next, nil
}

// drain reads a little of a body that nobody wants, so that the connection can
// be used again, and closes it.
func drain(resp *http.Response) {
	if resp.ContentLength >= 0 && resp.ContentLength <= 4<<10 {
		_, _ = io.CopyN(io.Discard, resp.Body, 4<<10) // an error only costs the connection
	}
	resp.Body.Close()
}

// isNet reports whether err came from the connection rather than a decoder.
func isNet(err error) bool {
	var n net.Error
	return errors.As(err, &n)
}
