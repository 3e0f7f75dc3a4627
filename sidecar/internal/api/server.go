package api

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/relay"
	"github.com/hal0-dev/hal0/sidecar/internal/route"
	"github.com/hal0-dev/hal0/sidecar/internal/slot"
	"github.com/hashicorp/go-hclog"
)

// Opener gives a request its subscription to a flight. It is relay.Relay.
type Opener interface {
	Upload(from io.Reader, contentType string, size int64) (*relay.Upload, error)
	Open(ctx context.Context, r relay.Request) (*relay.Subscription, error)
}

// Slots is what the control side may ask of the pool. It is pool.Pool.
type Slots interface {
	Snapshot() []slot.Snapshot
	Load(ctx context.Context, id string) error
	Unload(ctx context.Context, id string) error
	Restart(ctx context.Context, id string) error
	Watch() (changes <-chan slot.Snapshot, stop func())
}

// Logs are the lines that engines wrote. It is tail.Book.
type Logs interface {
	Lines(slot string) []string
	Follow(slot string) (past []string, coming <-chan string, stop func())
}

// mover is one of the pool's ways to move a slot by hand.
type mover func(ctx context.Context, id string) error

// Config is what a Server needs; all of it must be set, but for what says
// otherwise.
type Config struct {
	Relay   Opener
	Slots   Slots
	Routes  *route.Registry
	Flights Flights
	Devices Devices
	Login   Login // nil = nobody can sign in
	Logs    Logs
	Tokens  func() []string // those that are taken now, the current one first
	Version string
	Started time.Time    // this start of the sidecar: what "created" says of a model
	Metrics http.Handler // for /metrics; nil = there is none
	Pages   http.Handler // the dashboard; nil = there is none
	Observe Observer     // nil = nobody listens
	Trace   Tracer       // nil = traces are not followed
	Log     hclog.Logger
}

// Server makes the handlers. It is safe for concurrent use.
type Server struct {
	cfg     Config
	served  served
	history history
	board   board
}

// New makes a Server.
func New(cfg Config) *Server {
	if cfg.Observe == nil {
		cfg.Observe = unobserved{}
	}
	if cfg.Trace == nil {
		cfg.Trace = untraced{}
	}
	return &Server{cfg: cfg}
}

// Data is the handler of the data listener. own makes the handler of requests
// that bring no proof: it may lead them to proven through the middleware of the
// sidecar's own route, and to missing where there is no such route.
func (s *Server) Data(own func(proven, missing http.Handler) http.Handler) http.Handler {
	proven := http.HandlerFunc(s.proven)
	unproven := own(proven, http.HandlerFunc(misconfigured))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if _, has := r.Header[http.CanonicalHeaderKey(wire.HeaderProof)]; has {
			proven(w, r)
			return
		}
		unproven.ServeHTTP(w, r)
	})
	return contained(s.cfg.Log, unclean(mux))
}

// misconfigured answers what reaches the data listener without a proof: behind
// Traefik that is the fallback router, whose middleware did not load.
func misconfigured(w http.ResponseWriter, r *http.Request) {
	e, code := wire.Match(r.Method, r.URL.EscapedPath())
	if code == wire.PathOutside {
		fail(w, requestID(r), wire.FamilyPlain, unserved(code, r))
		return
	}
	f := wire.NewFailure(wire.CodeMisconfigured, "This request did not pass the hal0 middleware: Traefik has just started, or its labels are wrong, or the plugin is not loaded. Traefik's log says which; `hal0 check` reads the labels.")
	f.Details.RetryAfterS = 5
	fail(w, requestID(r), e.Family, f)
}
