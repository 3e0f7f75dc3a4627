package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

const (
	mediaWithin    = 15 * time.Second // for all media of a request
	mediaBytes     = 32 << 20         // of all media of a request
	mediaCount     = 32
	mediaRedirects = 3
)

var (
	errMediaDomain  = errors.New("its domain is not in the model's media list")
	errMediaPrivate = errors.New("its address is not a public one")
	errMediaKind    = errors.New("it is neither image, audio nor video")
	errMediaSize    = errors.New("it is too large")
)

// remoteMessage tells a client why media was not fetched, and nothing about the
// network that it was not fetched from.
func remoteMessage(err error) string {
	for _, known := range []error{errMediaDomain, errMediaKind, errMediaSize} {
		if errors.Is(err, known) {
			return "the request names media by an address, and " + known.Error()
		}
	}
	return "the request names media by an address from which it could not be fetched"
}

// fetcher fetches media for engines, which would fetch anything.
type fetcher struct {
	// dial connects to an address that was checked; nil = the network's.
	dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// allowed reports whether an address may be fetched by its domain: one that is
// listed, or below a listed "*.domain".
func allowed(u *url.URL, domains []string) bool {
	if u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return false
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	for _, d := range domains {
		d = strings.ToLower(d)
		if parent, ok := strings.CutPrefix(d, "*."); ok && strings.HasSuffix(host, "."+parent) || host == d {
			return true
		}
	}
	return false
}

// public reports whether an address leads to the public network. What is
// mapped or translated from IPv4 counts as what it stands for.
func public(a netip.Addr) bool {
	a = a.Unmap()
	for _, p := range reserved {
		if p.Contains(a) {
			return false
		}
	}
	return a.IsGlobalUnicast() && !a.IsPrivate()
}

var reserved = prefixes(
	"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	"64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16",
)

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		out[i] = netip.MustParsePrefix(t)
	}
	return out
}

// control refuses a connection by the address that it really goes to, whatever
// the name has been resolved to before.
func control(_, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil || !public(a.Addr()) {
		return errMediaPrivate
	}
	return nil
}

// fetch gets every reference's media, one after the other.
func (f fetcher) fetch(ctx context.Context, refs []reference, domains []string) ([]media, error) {
	if len(refs) > mediaCount {
		return nil, errMediaSize
	}
	ctx, cancel := context.WithTimeout(ctx, mediaWithin)
	defer cancel()
	client, done := f.client(domains)
	defer done()
	left := int64(mediaBytes)
	var all []media
	for _, r := range refs {
		m, err := get(ctx, client, r.url, domains, left)
		if err != nil {
			return nil, err
		}
		left -= int64(len(m.data))
		all = append(all, m)
	}
	return all, nil
}

// client follows redirects only to where it might have gone at once. It knows
// no proxy and keeps no cookies.
func (f fetcher) client(domains []string) (*http.Client, func()) {
	dial := f.dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: 5 * time.Second, Control: control}).DialContext
	}
	transport := &http.Transport{DialContext: dial, TLSHandshakeTimeout: 5 * time.Second, ForceAttemptHTTP2: true}
	return &http.Client{Transport: transport, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if len(via) > mediaRedirects || !allowed(r.URL, domains) {
			return errMediaDomain
		}
		return nil
	}}, transport.CloseIdleConnections
}

func get(ctx context.Context, client *http.Client, address string, domains []string, most int64) (media, error) {
	u, err := url.Parse(address)
	if err != nil || !allowed(u, domains) {
		return media{}, errMediaDomain
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return media{}, fmt.Errorf("fetch media: %w", err)
	}
	req.Header.Set("User-Agent", "hal0")
	resp, err := client.Do(req)
	if err != nil {
		return media{}, fmt.Errorf("fetch media: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return media{}, fmt.Errorf("fetch media: status %d", resp.StatusCode)
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if top, _, _ := strings.Cut(kind, "/"); top != "image" && top != "audio" && top != "video" {
		return media{}, errMediaKind
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, most+1))
	if err != nil {
		return media{}, fmt.Errorf("fetch media: %w", err)
	}
	if int64(len(data)) > most {
		return media{}, errMediaSize
	}
	return media{kind: kind, data: data}, nil
}
