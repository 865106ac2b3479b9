package fetch

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// idleConn is how long a connection is kept without a request (F-89).
const idleConn = 30 * time.Second

const (
	// sessions is how many TLS sessions are kept for resumption: a full handshake
	// costs fifteen times the rest of a 304.
	sessions = 2048
	// idleConns is how many connections are kept without a request, over all hosts.
	idleConns = 2048
)

// transport builds the guarded transport. HTTP/2 is negotiated although a dialer
// is set; no proxy is taken from the environment (SEC-06); decoding is ours.
func (c *Client) transport(tlsConfig *tls.Config) *http.Transport {
	d := &net.Dialer{
		Timeout:        c.cfg.ConnectTimeout,
		ControlContext: c.control,
	}
	return &http.Transport{
		DialContext:            d.DialContext, // races IPv6 and IPv4 (F-95)
		ForceAttemptHTTP2:      true,
		TLSClientConfig:        tlsConfig,
		TLSHandshakeTimeout:    c.cfg.TLSTimeout,
		ResponseHeaderTimeout:  c.cfg.HeaderTimeout,
		MaxResponseHeaderBytes: c.cfg.MaxHeaderBytes,
		DisableCompression:     true,
		IdleConnTimeout:        idleConn,
		MaxIdleConns:           idleConns,
		MaxIdleConnsPerHost:    c.cfg.PerHost,
	}
}

func tlsConfig() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12, // F-91
		ClientSessionCache: tls.NewLRUClientSessionCache(sessions),
	}
}

// pinned accepts exactly the certificate with this SHA-256.
func pinned(pin string) *tls.Config {
	t := tlsConfig()
	t.InsecureSkipVerify = true // replaced by the comparison below, which is stricter
	t.VerifyConnection = func(s tls.ConnectionState) error {
		if len(s.PeerCertificates) > 0 {
			sum := sha256.Sum256(s.PeerCertificates[0].Raw)
			if hex.EncodeToString(sum[:]) == pin {
				return nil
			}
		}
		return errors.New("tls: the certificate is not the pinned one")
	}
	return t
}

// control runs for every address before it is connected to, after resolution
// (SEC-01).
func (c *Client) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil || !c.guard.address(a) {
		return errRefused
	}
	return nil
}

// guarded is the transport for the rest of the program.
type guarded struct{ c *Client }

// RoundTrip refuses what may not be asked, names the program, and sends.
func (g guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	refuse := func(e *Error) (*http.Response, error) {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, e
	}
	if r.URL.Scheme != "http" && r.URL.Scheme != "https" {
		return refuse(&Error{Class: BadURL, URL: show(r.URL), Text: "scheme is not http or https"})
	}
	if !g.c.offline && !g.c.guard.host(r.URL.Hostname(), port(r.URL)) {
		return refuse(g.c.fail(r.Context(), r.URL, errRefused))
	}
	if r.Header.Get("User-Agent") == "" {
		r = r.Clone(r.Context())
		r.Header["User-Agent"] = g.c.agent // F-84
	}
	resp, err := g.c.base.RoundTrip(r)
	if errors.Is(err, errRefused) {
		return nil, g.c.fail(r.Context(), r.URL, errRefused)
	}
	return resp, err
}
