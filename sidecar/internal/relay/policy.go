package relay

import (
	"bytes"
	"math"
	"strconv"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/hub"
)

// sharing is how a request looks for a flight.
type sharing struct {
	shared bool // it has a key at all
	join   hub.Join
	repeat bool // it may join what brought nothing to the same client
}

// traits are what a request's body says that matters for sharing.
type traits struct {
	deterministic bool // the same answer each time
	effects       bool // something is kept or changed by it
}

// share decides by the model's policy. What has effects, or comes as a form, is
// never shared, not even with its own repetition.
func share(policy string, r Request, t traits) sharing {
	own := sharing{join: hub.Own}
	if r.CoalesceOff || t.effects || r.Endpoint.Multipart {
		return own
	}
	s := sharing{shared: true, join: hub.Own, repeat: r.Retry > 0}
	switch policy {
	case wire.CoalesceAlways:
		s.join = hub.Any
	case wire.CoalesceDeterministic:
		if t.deterministic {
			s.join = hub.Any
		}
	case wire.CoalesceCold, "":
		s.join = hub.Ask
		if t.deterministic {
			s.join = hub.Any
		}
	case wire.CoalesceOff:
		return own
	}
	return s
}

// traitsOf reads them off the body as the engine gets it.
func traitsOf(e wire.Endpoint, o object) traits {
	return traits{
		deterministic: alwaysSame(e.Path) || isZero(o.raw("temperature")) || isSeed(o.raw("seed")),
		effects:       isTrue(o.raw("store")) || isTrue(o.raw("background")) || isPresent(o.raw("previous_response_id")) || isPresent(o.raw("conversation")),
	}
}

// alwaysSame reports whether an endpoint's answer depends on the request alone.
func alwaysSame(path string) bool {
	switch path {
	case "/v1/embeddings", "/v1/rerank", "/v1/rerankings", "/v1/moderations", "/v1/tokenize", "/v1/detokenize", "/v1/messages/count_tokens":
		return true
	}
	return false
}

func isTrue(raw []byte) bool    { return string(raw) == "true" }
func isPresent(raw []byte) bool { return raw != nil && !bytes.Equal(raw, []byte("null")) }

func isZero(raw []byte) bool {
	v, err := strconv.ParseFloat(string(raw), 64)
	return err == nil && v == 0
}

// isSeed reports whether raw fixes the sampling; engines take a negative seed,
// and llama.cpp the largest 32 bit number too, as "any".
func isSeed(raw []byte) bool {
	v, err := strconv.ParseFloat(string(raw), 64)
	return err == nil && v >= 0 && v != math.MaxUint32
}
