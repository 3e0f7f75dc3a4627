package api

import (
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/hal0-dev/hal0/plugin/wire"
)

// guard lets in who may look after the box: who brings the token, who signed in
// with the dashboard's password, or who sits at the box itself. A page of
// another site is refused in each case.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := requestID(r)
		if crossSite(r) {
			fail(w, id, wire.FamilyPlain, wire.NewFailure(wire.CodeOrigin, "a page of another site may not use this"))
			return
		}
		if !s.mayEnter(r) {
			fail(w, id, wire.FamilyPlain, wire.NewFailure(wire.CodeInvalidAPIKey, "sign in with the dashboard's password, bring the sidecar's token as Authorization: Bearer, or ask from the box itself"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) mayEnter(r *http.Request) bool { return local(r) || s.bearer(r) || s.signedIn(r) }

func (s *Server) bearer(r *http.Request) bool {
	given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return false
	}
	match := 0
	for _, t := range s.cfg.Tokens() {
		match |= subtle.ConstantTimeCompare([]byte(given), []byte(t))
	}
	return match == 1
}

// local reports whether a request comes from this box and was not forwarded.
// The Host must be loopback too: a page can make a name of its own lead here.
func local(r *http.Request) bool {
	for _, h := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Forwarded", "Via"} {
		if r.Header.Get(h) != "" {
			return false
		}
	}
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && from.Addr().Unmap().IsLoopback() && loopbackHost(r.Host)
}

func loopbackHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.Unmap().IsLoopback()
}

// crossSite reports whether a browser says that another site's page asks.
func crossSite(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "cross-site", "same-site":
		return true
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	_, host, ok := strings.Cut(origin, "://")
	return !ok || host != r.Host
}
