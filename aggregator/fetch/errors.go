package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// Class is the cause of a failed poll in a word. The set is closed.
type Class string

// The classes of failure.
const (
	BadURL     Class = "url"        // not an address that can be polled
	Refused    Class = "refused"    // our own guard: address, port or form of host not permitted
	DNS        Class = "dns"        // the name does not resolve
	Connect    Class = "connect"    // no connection
	TLS        Class = "tls"        // certificate or handshake
	Timeout    Class = "timeout"    // too slow at any step
	Broken     Class = "broken"     // the connection broke, or what came is not HTTP
	Truncated  Class = "truncated"  // the body ended before its end
	TooLarge   Class = "too-large"  // body or header over the limit
	Bomb       Class = "bomb"       // decodes to far more than was sent
	Coding     Class = "coding"     // a content coding that cannot be undone
	Redirect   Class = "redirect"   // a loop, a ladder, or a place that may not be followed
	Wait       Class = "wait"       // a redirect that asks to wait before following it
	Gone       Class = "gone"       // 410
	NotFound   Class = "not-found"  // 404
	Auth       Class = "auth"       // 401, 402, 407, 451
	Forbidden  Class = "forbidden"  // 403
	Limited    Class = "limited"    // 429
	Server     Class = "server"     // 5xx
	Status     Class = "status"     // any other status that brings no document
	HTML       Class = "html"       // 200, but a web page
	Empty      Class = "empty"      // 200 or 204, but nothing
	Blocked    Class = "wall"       // a bot wall in place of a document; Error.Wall names it
	Protocol   Class = "protocol"   // a 304 nobody asked for, a 206, a 226
	Busy       Class = "busy"       // no memory for one more large body in time: our fault
	Canceled   Class = "canceled"   // we stopped; says nothing about the source
	Unexpected Class = "unexpected" // none of the above
)

// Error is a poll that brought neither a document nor "not modified".
type Error struct {
	Class  Class
	URL    string // where it happened, without credentials, query or fragment
	Status int    // HTTP status; 0 if there was none
	// RetryAfter is how long the server asked to wait; see [RetryAfter]. HasRetry
	// tells a zero that was sent from none.
	RetryAfter time.Duration
	HasRetry   bool
	Wall       string // name of the bot wall, if one answered
	Text       string // what happened, for an operator
	Err        error  // the cause, or nil
}

// Error gives URL and text.
func (e *Error) Error() string { return e.URL + ": " + e.Text }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

var (
	errRefused = errors.New("not a public address") // from the dialer's hook
	errTotal   = errors.New("poll took too long")
	errStalled = errors.New("body stalled")
)

// show is a URL as errors and logs have it: without userinfo, query values and
// fragment, which may be secrets (CONFORMANCE SEC-29).
func show(u *url.URL) string {
	s := u.Scheme + "://" + u.Host + u.EscapedPath()
	if u.RawQuery != "" {
		s += "?…"
	}
	if len(s) > 500 {
		s = s[:500] + "…"
	}
	return s
}

// fail classes an error of the transport or of reading a body. It says nothing
// of addresses: whether a port inside is open is nobody's business (SEC-07).
func (c *Client) fail(ctx context.Context, u *url.URL, err error) *Error {
	e := &Error{URL: show(u), Err: err}
	if own, ok := errors.AsType[*Error](err); ok {
		return own
	}
	cause := context.Cause(ctx)
	var (
		dns    *net.DNSError
		cert   *tls.CertificateVerificationError
		record tls.RecordHeaderError
		alert  tls.AlertError
		host   x509.HostnameError
		ca     x509.UnknownAuthorityError
		bad    x509.CertificateInvalidError
		netErr net.Error
	)
	switch {
	case errors.Is(err, errRefused):
		e.Class, e.Text, e.Err = Refused, "the host leads to an address that is not public or not permitted (allow_networks, allow_ports)", errRefused
	case errors.Is(cause, errTotal) || errors.Is(err, errTotal):
		e.Class, e.Text = Timeout, fmt.Sprintf("not done within %v", c.cfg.Timeout)
	case errors.Is(cause, errStalled) || errors.Is(err, errStalled):
		e.Class, e.Text = Timeout, fmt.Sprintf("no byte of the body for %v", c.cfg.IdleTimeout)
	case cause != nil:
		e.Class, e.Text, e.Err = Canceled, "canceled", cause
	case errors.As(err, &dns):
		e.Class = DNS
		switch {
		case dns.IsNotFound:
			e.Text = fmt.Sprintf("the name %s does not exist", u.Hostname())
		case dns.IsTimeout:
			e.Text = fmt.Sprintf("the name %s could not be resolved in time", u.Hostname())
		default:
			e.Text = fmt.Sprintf("the name %s could not be resolved", u.Hostname())
		}
	case errors.As(err, &cert), errors.As(err, &host), errors.As(err, &ca), errors.As(err, &bad):
		e.Class, e.Text = TLS, "the certificate is not valid: "+tail(err)
	case errors.As(err, &record):
		e.Class, e.Text = TLS, "the server does not speak TLS there"
	case errors.As(err, &alert):
		e.Class, e.Text = TLS, "the server refused the TLS handshake: "+alert.Error()
	case errors.As(err, &netErr) && netErr.Timeout(), errors.Is(err, context.DeadlineExceeded):
		e.Class, e.Text = Timeout, "no answer in time: "+step(err)
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		e.Class, e.Text = Connect, "no connection"
	case strings.Contains(err.Error(), "response headers exceeded"), strings.Contains(err.Error(), "header list larger"),
		strings.Contains(err.Error(), "header too large"):
		e.Class, e.Text = TooLarge, fmt.Sprintf("response header over %d bytes", c.cfg.MaxHeaderBytes)
	case strings.Contains(err.Error(), "tls: "), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		e.Class, e.Text = TLS, tail(err)
	default:
		e.Class, e.Text = Broken, "the connection broke or no HTTP came: "+tail(err)
		if op, ok := errors.AsType[*net.OpError](err); ok {
			e.Text = "the connection broke"
			if op.Op == "dial" {
				e.Class, e.Text = Connect, "no connection"
			}
		}
	}
	return e
}

// tail is the innermost text of err: the outer ones repeat the URL and addresses.
func tail(err error) string {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return clip(err.Error())
		}
		err = next
	}
}

// step says where a timeout of the transport happened.
func step(err error) string {
	s := err.Error()
	switch {
	case strings.Contains(s, "TLS handshake"):
		return "TLS handshake"
	case strings.Contains(s, "awaiting response headers"):
		return "waiting for the response"
	case strings.Contains(s, "dial"):
		return "connecting"
	default:
		return "reading"
	}
}
