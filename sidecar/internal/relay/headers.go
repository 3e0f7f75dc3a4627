package relay

import (
	"net/http"

	"github.com/hal0-dev/hal0/plugin/wire"
)

// Lists of headers that pass, by direction. Everything else stays here:
// cookies, keys, Accept-Encoding, addresses, and what engines say about
// themselves or about cross-origin access.
var (
	// answerHeaders may change an answer; they are part of the key.
	answerHeaders = []string{"Openai-Beta", "Anthropic-Version", "Anthropic-Beta"}
	// traceHeaders identify one request.
	traceHeaders = []string{wire.HeaderRequestID, "Traceparent", "Tracestate"}
	// replyHeaders are the engine's that clients see.
	replyHeaders = []string{"Content-Type", "Content-Disposition", "Content-Language", "Openai-Processing-Ms"}
)

// upstreamHeader is what an engine sees of a client's header.
func upstreamHeader(client http.Header, multipart bool) http.Header {
	out := http.Header{}
	for _, list := range [][]string{answerHeaders, traceHeaders} {
		for _, name := range list {
			if v := client.Values(name); len(v) > 0 {
				out[name] = v
			}
		}
	}
	out.Set("Content-Type", "application/json")
	if multipart {
		out.Set("Content-Type", client.Get("Content-Type"))
	}
	out.Set("User-Agent", "hal0")
	return out
}

// clientHeader is what clients see of an engine's header.
func clientHeader(engine http.Header) http.Header {
	out := http.Header{}
	for _, name := range replyHeaders {
		if v := engine.Values(name); len(v) > 0 {
			out[name] = v
		}
	}
	return out
}
