package relay

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"

	"github.com/hashicorp/go-hclog"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/hub"
	"github.com/hal0-dev/hal0/sidecar/internal/pool"
)

// Config of a Relay. Slots is needed; the rest has defaults.
type Config struct {
	Slots Slots
	Log   hclog.Logger
	// Target says under which path and model name a model's engine serves an
	// endpoint. By default the path is the endpoint's and the name the slot's.
	Target func(wire.Model, wire.Endpoint) (path, model string)
	// Replay and ReplayTotal bound what is kept for late readers, in bytes.
	Replay, ReplayTotal int64
	// Uploads is the directory for uploads that wait for their slots, "" = the
	// system's for temporary files. UploadsTotal bounds it, in bytes (4 GiB).
	Uploads      string
	UploadsTotal int64
	// Dial connects to an engine.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Relay opens flights.
type Relay struct {
	slots    Slots
	log      hclog.Logger
	target   func(wire.Model, wire.Endpoint) (string, string)
	hub      *hub.Hub[Head, Outcome]
	media    fetcher
	spool    *spool
	suspects suspects
	upstream *upstream
	secret   []byte // of keys; as old as the process
}

// New makes a Relay.
func New(c Config) *Relay {
	r := &Relay{slots: c.Slots, log: c.Log, target: c.Target, upstream: newUpstream(c.Dial), secret: make([]byte, 32)}
	if r.log == nil {
		r.log = hclog.NewNullLogger()
	}
	r.log = r.log.Named("relay")
	if r.target == nil {
		r.target = func(m wire.Model, e wire.Endpoint) (string, string) { return e.Path, m.Slot }
	}
	r.spool = &spool{dir: c.Uploads, limit: c.UploadsTotal, log: r.log}
	if r.spool.limit <= 0 {
		r.spool.limit = 4 << 30
	}
	rand.Read(r.secret)
	r.hub = hub.New[Head](hub.Config[Outcome]{Replay: c.Replay, ReplayTotal: c.ReplayTotal, Broken: r.broken})
	return r
}

// broken is the outcome of a flight with a defect.
func (r *Relay) broken(recovered any) Outcome {
	r.log.Error("flight failed", "panic", recovered)
	return failed(wire.NewFailure(wire.CodeInternal, "something that should not happen did; the sidecar's log has more"))
}

// Open has a request join a flight, or lead one. It waits for nothing that
// takes long, but for media that the request names by address. An error is a *pool.Refusal or ctx's cause.
func (r *Relay) Open(ctx context.Context, req Request) (*Subscription, error) {
	a, f, err := r.arrival(ctx, req)
	if err != nil {
		return nil, err
	}
	s, err := r.hub.Subscribe(ctx, a)
	if err != nil && req.Upload != nil { // no flight will
		req.Upload.Close()
	}
	switch {
	case errors.Is(err, hub.ErrClosed):
		return nil, refuse(wire.CodeShutdown, "the sidecar is shutting down", "")
	case err != nil:
		return nil, fmt.Errorf("open flight: %w", err)
	}
	sub := &Subscription{Subscription: s, family: req.Endpoint.Family}
	sub.flight = f
	if !s.Lead() {
		sub.flight = s.Value().(*flight)
	}
	return sub, nil
}

// arrival makes what the hub is asked for, and the flight in case it leads.
func (r *Relay) arrival(ctx context.Context, req Request) (hub.Arrival[Head, Outcome], *flight, error) {
	path, name := r.target(req.Model, req.Endpoint)
	f := &flight{
		relay: r, slot: req.Slot, lane: req.Lane, family: req.Endpoint.Family,
		path: path, header: upstreamHeader(req.Header, req.Endpoint.Multipart), upload: req.Upload,
		limits: limitsOf(req.Model.Timeouts), choices: 1,
	}
	a := hub.Arrival[Head, Outcome]{
		Join: hub.Own, Origin: req.Lane, Label: req.Slot + " " + req.Endpoint.Path, Value: f,
		Finish: req.Model.OnDisconnect == wire.DisconnectFinish, Run: f.run,
	}
	if req.Endpoint.Multipart {
		f.body = formSending{req.Upload, name}
		f.stream = req.Upload.Field("stream") == "true"
		return a, f, nil
	}
	asked, err := parseObject(req.Body)
	if err != nil {
		return a, nil, refuse(wire.CodeInvalidJSON, "the request's body is not a JSON object", "")
	}
	if asked, err = r.localise(ctx, asked, req.Model.Media); err != nil {
		return a, nil, err
	}
	body, err := prepare(asked, name, req.Model.Params)
	if err != nil { // the declaration was checked when it was made
		r.log.Error("prepare request", "slot", req.Slot, "error", err)
		return a, nil, refuse(wire.CodeInternal, "the model's parameters cannot be applied", "")
	}
	f.body = newTextSending(body)
	sent, err := parseObject(body)
	if err != nil {
		return a, nil, refuse(wire.CodeInternal, "the request could not be made ready for the engine", "")
	}
	f.stream, f.choices = isTrue(sent.raw("stream")), choicesOf(sent)
	if s := share(req.Model.Coalesce, req, traitsOf(req.Endpoint, sent)); s.shared {
		key, err := keyOf(r.secret, req, sent, f.header)
		if err == nil {
			a.Key, a.Join, a.Repeat = key, s.join, s.repeat
			f.key, f.shared = key, s.join == hub.Any
		}
	}
	return a, f, nil
}

// localise puts media in the place of addresses: an engine would fetch whatever
// a client names. What the model does not list is refused.
func (r *Relay) localise(ctx context.Context, o object, domains []string) (object, error) {
	refs := references(o)
	if len(refs) == 0 {
		return o, nil
	}
	fetched, err := r.media.fetch(ctx, refs, domains)
	if err != nil {
		r.log.Debug("media refused", "error", err)
		return o, refuse(wire.CodeRemoteMedia, remoteMessage(err), "")
	}
	local, err := parseObject(inlined(o.text, refs, fetched))
	if err != nil {
		return o, refuse(wire.CodeInternal, "the request's media could not be put into it", "")
	}
	return local, nil
}

func refuse(code, message, param string) *pool.Refusal {
	f := wire.NewFailure(code, message)
	f.Param = param
	return &pool.Refusal{Failure: f}
}

// Flights describes the flights under way.
func (r *Relay) Flights() []hub.Info { return r.hub.Flights() }

// Close ends every flight with sidecar.shutdown and waits for them, or for ctx.
func (r *Relay) Close(ctx context.Context) error {
	defer r.upstream.close()
	return r.hub.Close(ctx)
}
