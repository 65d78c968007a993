// Package egress is the only way by which Weir connects to an address that a
// user or a remote server named: the pull of a camera, a webhook, a redirect.
// Its [Dialer] refuses every address that is not public, unless it lies in a
// network that the operator allowed.
//
// What is checked is the resolved address, at the moment of the connect: a
// name that resolves to something else the second time gains nothing. There is
// no proxy, whatever the environment says.
//
// It is not a firewall for Weir's own connections: the store and the cluster
// are named by the operator and dialled directly.
package egress

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	dialTimeout    = 10 * time.Second
	keepAlive      = 15 * time.Second
	maxRedirects   = 3
	headerTimeout  = 15 * time.Second
	maxHeaderBytes = 64 << 10 // of an answer
)

// ForbiddenError says that an address may not be connected to.
type ForbiddenError struct {
	Address netip.Addr
	Reason  string // "loopback", "private", …
}

// Error names the remedy.
func (e *ForbiddenError) Error() string {
	return fmt.Sprintf("%s is a %s address, which Weir does not connect to; if it is a camera, allow its network with --camera-network", e.Address, e.Reason)
}

// Dialer connects to public addresses and to the allowed networks.
type Dialer struct {
	allowed []netip.Prefix
	dialer  net.Dialer
}

// NewDialer returns a dialer that also allows the given networks.
func NewDialer(allowed []netip.Prefix) *Dialer {
	d := &Dialer{allowed: slices.Clone(allowed)}
	d.dialer = net.Dialer{Timeout: dialTimeout, KeepAlive: keepAlive, ControlContext: d.control}
	return d
}

// DialContext connects like net.Dialer.DialContext.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	switch network {
	case "tcp", "tcp4", "tcp6", "udp", "udp4", "udp6":
		return d.dialer.DialContext(ctx, network, address)
	}
	return nil, fmt.Errorf("connect to %s: network %q is not allowed", address, network)
}

// control runs between the resolution and the connect, for each address tried.
func (d *Dialer) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	peer, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", address, err)
	}
	return d.Check(peer.Addr())
}

// Check returns a *ForbiddenError unless address may be connected to. Who
// sends datagrams to addresses that a peer named asks here first.
func (d *Dialer) Check(address netip.Addr) error {
	plain := address.Unmap().WithZone("")
	reason := forbidden(plain)
	if reason == "" || d.isAllowed(plain, reason) {
		return nil
	}
	return &ForbiddenError{Address: address, Reason: reason}
}

// isAllowed: a network can be allowed, but nobody is behind the addresses that
// stand for none or for many.
func (d *Dialer) isAllowed(address netip.Addr, reason string) bool {
	if reason == reasonUnspecified || reason == reasonMulticast {
		return false
	}
	return slices.ContainsFunc(d.allowed, func(p netip.Prefix) bool { return p.Contains(address) })
}

// CheckURL refuses an address that can never be connected to, so that a user
// learns it when he enters it. It resolves nothing: the dialer still decides.
func (d *Dialer) CheckURL(u *url.URL) error {
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if host == "" {
		return fmt.Errorf("address %q names no host", u.Redacted())
	}
	if address, err := netip.ParseAddr(host); err == nil {
		return d.Check(address)
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return d.Check(netip.AddrFrom4([4]byte{127, 0, 0, 1}))
	}
	return nil
}

// HTTPClient returns a client for requests to addresses that users named. It
// follows at most three redirects, never from https to http, and drops the
// credentials when the host changes. Close its idle connections when done.
func (d *Dialer) HTTPClient(timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			DialContext:            d.DialContext,
			TLSHandshakeTimeout:    dialTimeout,
			ResponseHeaderTimeout:  headerTimeout,
			MaxResponseHeaderBytes: maxHeaderBytes,
			MaxIdleConns:           16,
			IdleConnTimeout:        30 * time.Second,
			ForceAttemptHTTP2:      true,
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return fmt.Errorf("more than %d redirects", maxRedirects)
			}
			return CheckRedirect(via[len(via)-1].URL, r.URL)
		},
	}
}

// CheckRedirect refuses a redirect that leads to another scheme. RTSP sources
// ask it as well; where it leads to, the dialer checks.
func CheckRedirect(from, to *url.URL) error {
	if strings.EqualFold(from.Scheme, to.Scheme) || from.Scheme == "http" && to.Scheme == "https" || from.Scheme == "rtsp" && to.Scheme == "rtsps" {
		return nil
	}
	return fmt.Errorf("redirect from %s to %s is refused", from.Scheme, to.Scheme)
}
