//go:build go1.21

package plugin

import (
	"net"
	"net/http"
	"net/url"
	"strings"
)

// hosts checks the patterns: a name, "*.suffix", or "*".
func (p *problems) hosts(raw []string) []string {
	list := p.items("hosts", raw)
	for i, h := range list {
		list[i] = strings.ToLower(h)
		if strings.ContainsAny(h, "/@ ") || strings.Contains(strings.TrimPrefix(h, "*."), "*") && h != "*" {
			p.add("hosts", "\""+h+"\" is not a host name or *.suffix")
		}
	}
	return list
}

// origins checks "scheme://host[:port]", or "*".
func (p *problems) origins(raw []string) []string {
	list := p.items("cors", raw)
	for i, o := range list {
		list[i] = strings.ToLower(strings.TrimSuffix(o, "/"))
		if o == "*" || o == "null" {
			continue
		}
		u, err := url.Parse(list[i])
		if err != nil || u.Scheme == "" || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.User != nil {
			p.add("cors", "\""+o+"\" is not an origin such as https://chat.example.com")
		}
	}
	return list
}

// hostAllowed reports whether a request's Host is one that the route serves.
// Without a list: localhost, IP literals, single names (containers), *.lan and
// *.local; a name that a stranger's DNS points here is none of them.
func hostAllowed(patterns []string, host string) bool {
	name := hostname(host)
	if len(patterns) == 0 {
		return net.ParseIP(name) != nil || name != "" && !strings.Contains(name, ".") ||
			strings.HasSuffix(name, ".lan") || strings.HasSuffix(name, ".local")
	}
	for _, p := range patterns {
		if p == "*" || p == name || strings.HasPrefix(p, "*.") && strings.HasSuffix(name, p[1:]) {
			return true
		}
	}
	return false
}

// hostname is a Host header without port, brackets and final dot, in lower case.
func hostname(host string) string {
	if strings.HasPrefix(host, "[") {
		if end := strings.IndexByte(host, ']'); end > 0 {
			return strings.ToLower(host[1:end])
		}
		return ""
	}
	if colon := strings.IndexByte(host, ':'); colon >= 0 {
		host = host[:colon]
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// originListed reports whether the route allows web pages of that origin.
func originListed(cors []string, origin string) bool {
	if origin == "" {
		return false
	}
	origin = strings.ToLower(origin)
	return contains(cors, origin) || contains(cors, "*")
}

// foreign reports whether a request was made by a web page of another origin
// that the route does not allow. Programs send none of these headers.
func foreign(cors []string, h http.Header, host string) bool {
	origin := h.Get("Origin")
	if originListed(cors, origin) {
		return false
	}
	if strings.EqualFold(h.Get("Sec-Fetch-Site"), "cross-site") {
		return true
	}
	if origin == "" {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || u.Host == "" || !strings.EqualFold(u.Host, host)
}

// preflight reports whether a request is a browser's question before another.
func preflight(req *http.Request) bool {
	return req.Method == http.MethodOptions && req.Header.Get("Origin") != "" &&
		req.Header.Get("Access-Control-Request-Method") != ""
}

const (
	corsMethods = "GET, HEAD, POST, OPTIONS"
	corsHeaders = "authorization, content-type, accept, x-api-key, api-key, anthropic-version, anthropic-beta, " +
		"anthropic-dangerous-direct-browser-access, openai-beta, openai-organization, openai-project, http-referer, " +
		"x-title, x-request-id, x-hal0-coalesce, x-stainless-lang, x-stainless-package-version, x-stainless-os, " +
		"x-stainless-arch, x-stainless-runtime, x-stainless-runtime-version, x-stainless-async, " +
		"x-stainless-retry-count, x-stainless-timeout, x-stainless-read-timeout, x-stainless-helper-method, " +
		"x-stainless-poll-helper, x-stainless-custom-poll-interval"
	corsExposed = "x-request-id, request-id, retry-after, retry-after-ms, x-should-retry, x-hal0-slot, " +
		"x-hal0-cold-start, x-hal0-wait-ms, x-hal0-flight, x-ratelimit-limit-requests, x-ratelimit-limit-tokens, " +
		"x-ratelimit-remaining-requests, x-ratelimit-remaining-tokens, x-ratelimit-reset-requests, x-ratelimit-reset-tokens"
)

// allow writes what a browser needs in order to let the page of an allowed
// origin read the answer.
func allow(out http.Header, origin string) {
	out.Set("Access-Control-Allow-Origin", origin)
	out.Set("Access-Control-Expose-Headers", corsExposed)
	out.Add("Vary", "Origin")
}

// answerPreflight says yes, whatever the state of sidecar and slots.
func answerPreflight(rw http.ResponseWriter, req *http.Request, x *exchange) {
	out := rw.Header()
	x.decorate(out)
	out.Set("Access-Control-Allow-Methods", corsMethods)
	out.Set("Access-Control-Allow-Headers", corsHeaders)
	out.Set("Access-Control-Max-Age", "7200")
	if req.Header.Get("Access-Control-Request-Private-Network") == "true" {
		out.Set("Access-Control-Allow-Private-Network", "true")
	}
	rw.WriteHeader(http.StatusNoContent)
}
