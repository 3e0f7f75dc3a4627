//go:build go1.21

package plugin

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// The hosts that a route serves unless it lists some: localhost, IP literals,
// single names (containers), *.lan and *.local. A name that a stranger's DNS
// points here is none of them.
const usualHosts = `(?i)^(?:[^.:/@\[\]\s]+|(?:[0-9]{1,3}\.){3}[0-9]{1,3}|\[[0-9a-f:.]+\]|[^:/@\[\]\s]+\.(?:lan|local))\.?(?::[0-9]*)?$`

// hosts makes a pattern of names, "*.suffix", or "*".
func (p *problems) hosts(raw []string) *regexp.Regexp {
	list := p.items("hosts", raw)
	if len(list) == 0 {
		return regexp.MustCompile(usualHosts)
	}
	var names []string
	for _, h := range list {
		switch {
		case h == "*":
			names = append(names, `.*`)
		case strings.ContainsAny(h, "/@ ") || strings.Contains(strings.TrimPrefix(h, "*."), "*"):
			p.add("hosts", "\""+h+"\" is not a host name or *.suffix")
		case strings.HasPrefix(h, "*."):
			names = append(names, `[^:/@\[\]\s]+`+regexp.QuoteMeta(h[1:]))
		default:
			names = append(names, regexp.QuoteMeta(h))
		}
	}
	return regexp.MustCompile(`(?i)^(?:` + strings.Join(names, "|") + `)\.?(?::[0-9]*)?$`)
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
