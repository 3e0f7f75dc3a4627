package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/api"
	"github.com/hal0-dev/hal0/sidecar/internal/config"
	"github.com/hal0-dev/hal0/sidecar/internal/dashboard"
	"github.com/hal0-dev/hal0/sidecar/internal/device"
	"github.com/hal0-dev/hal0/sidecar/internal/login"
	"github.com/hal0-dev/hal0/sidecar/internal/metrics"
	"github.com/hal0-dev/hal0/sidecar/internal/pool"
	"github.com/hal0-dev/hal0/sidecar/internal/relay"
	"github.com/hal0-dev/hal0/sidecar/internal/route"
	"github.com/hal0-dev/hal0/sidecar/internal/tail"
	"github.com/hal0-dev/hal0/sidecar/internal/token"
	"github.com/hal0-dev/hal0/sidecar/internal/trace"
	"github.com/hashicorp/go-hclog"
	"golang.org/x/net/netutil"
)

// sidecar is everything, put together. Only this package knows every concrete
// type.
type sidecar struct {
	cfg      *config.Config
	log      hclog.Logger
	state    *state
	token    *token.File
	login    *login.Keeper
	fresh    string            // the dashboard's password, if this start made it
	devices  *device.Inventory // nil = nothing is known of memory
	pool     *pool.Pool
	relay    *relay.Relay
	metrics  *metrics.Metrics
	tracer   *trace.Tracer
	routes   *route.Registry
	own      ownRoute
	preloads *preloader
	lines    *tail.Book
	doors    []door
	engines  *engines
}

// door is one listener and what serves there.
type door struct {
	listener net.Listener
	server   *http.Server
}

// build puts the sidecar together and opens its listeners; nothing runs yet that
// serve does not end.
func build(cfg *config.Config, logs io.Writer) (*sidecar, error) {
	s := &sidecar{cfg: cfg, lines: &tail.Book{}}
	s.log = hclog.New(&hclog.LoggerOptions{
		Name: "hal0", Output: logs, Level: hclog.LevelFromString(cfg.Log.Level), JSONFormat: cfg.Log.Format == "json",
	})
	var err error
	if s.state, err = openState(cfg.State, s.log); err != nil {
		return nil, err
	}
	if err := s.prepare(); err != nil {
		s.shut()
		return nil, err
	}
	return s, nil
}

// prepare is what can fail before anything runs.
func (s *sidecar) prepare() error {
	if s.cfg.Token == "" {
		s.cfg.Token = s.state.path("token")
	}
	var err error
	if s.token, err = token.Open(s.cfg.Token); err != nil {
		return err
	}
	if s.login, s.fresh, err = login.Open(s.state.path(passwordFile)); err != nil {
		return err
	}
	own, err := readOwn(s.cfg)
	if err != nil {
		return err
	}
	if s.tracer, err = newTracer(s.log); err != nil {
		return err
	}
	if s.engines, err = newEngines(s.cfg, s.state.journal, s.lines, s.log); err != nil {
		return err
	}
	if err := s.listen(); err != nil {
		return err
	}
	s.assemble()
	s.open()
	return s.take(own)
}

// assemble makes the parts that live, from the engines to the routes.
func (s *sidecar) assemble() {
	s.metrics = metrics.New()
	s.pool = pool.New(pool.Config{
		Devices:    s.inventory(),
		Capacity:   capacity(s.cfg),
		Reserve:    inBytes(s.cfg.Reserve),
		Slept:      device.Slept,
		Store:      learnedFile(s.state.path("learned.json")),
		Estimate:   s.engines.estimate,
		Resident:   resident,
		Gate:       gate,
		Queue:      s.cfg.Limits.Queue,
		Starvation: time.Duration(s.cfg.Limits.Starvation),
		Drain:      time.Duration(s.cfg.Limits.Drain),
		Grace:      time.Duration(s.cfg.Limits.Grace),
		Observer:   s.metrics,
		Log:        s.log,
	})
	s.relay = relay.New(relay.Config{
		Slots:        relay.FromPool(s.pool),
		Target:       s.engines.target,
		Replay:       inBytes(s.cfg.Limits.Replay.Flight),
		ReplayTotal:  inBytes(s.cfg.Limits.Replay.Total),
		Uploads:      s.state.path(uploadsDir),
		UploadsTotal: inBytes(s.cfg.Limits.Uploads),
		Log:          s.log,
	})
	s.metrics.Watch(metrics.Sources{
		Slots: s.pool.Snapshot, Accounts: s.pool.Accounts, Reading: s.pool.Reading, Flights: s.relay.Flights, Version: version(),
	})
	s.preloads = newPreloader(s.pool.Load)
	s.routes = route.New(route.Config{
		Check:   s.engines.refuses,
		Store:   route.File(s.state.path("routes.json")),
		Changed: s.configure,
		Log:     s.log.Named("route"),
	})
}

// inBytes is a size that Validate has seen.
func inBytes(size string) int64 {
	n, err := wire.ParseSize(size)
	if err != nil {
		panic(err)
	}
	return n
}

// configure hands the slots of a view to the pool. The registry's goroutine
// calls it.
func (s *sidecar) configure(v *route.View) {
	var specs []pool.Spec
	for _, r := range v.Slots() {
		r.Model.Preload = r.Preload // not for a route that nobody confirms any more
		specs = append(specs, pool.Spec{
			Model:       r.Model,
			Fingerprint: r.Fingerprint,
			Launcher:    s.engines.launcher(r.Model, r.Own),
		})
	}
	s.pool.Configure(specs)
	s.preloads.take(v)
}

// listen opens the listeners first: what cannot be had is said before anything
// is started.
func (s *sidecar) listen() error {
	addresses := []string{s.cfg.Listen.Data, s.cfg.Listen.Control}
	if addresses[0] == addresses[1] {
		addresses = addresses[:1]
	}
	for i, a := range addresses {
		l, err := net.Listen("tcp", a)
		if err != nil {
			return fmt.Errorf("listen: %w", err)
		}
		if i == 0 { // the data listener: the control side stays in reach
			l = netutil.LimitListener(l, s.cfg.Limits.Connections)
		}
		s.doors = append(s.doors, door{listener: l})
	}
	return nil
}

// shut gives back what was taken when a start fails.
func (s *sidecar) shut() {
	for _, d := range s.doors {
		d.listener.Close()
	}
	s.state.close()
}

// inventory is the pool's view of the devices; a nil interface where there is
// none.
func (s *sidecar) inventory() pool.Devices {
	if s.devices = newInventory(); s.devices == nil {
		return nil
	}
	return s.devices
}

// open gives every listener its server.
func (s *sidecar) open() {
	server := api.New(api.Config{
		Relay: s.relay, Slots: s.pool, Routes: s.routes, Logs: s.lines,
		Flights: s.relay, Devices: s.pool, Login: s.login, Pages: dashboard.Handler(),
		Metrics: s.metrics.Handler(), Observe: s.metrics, Trace: s.tracer,
		Tokens: s.token.Tokens, Version: version(), Started: time.Now(), Log: s.log.Named("api"),
	})
	data, control := server.Data(s.own.between), server.Control()
	handlers := []http.Handler{data, control}
	if len(s.doors) == 1 {
		handlers = []http.Handler{together(data, control)}
	}
	for i := range s.doors {
		s.doors[i].server = &http.Server{
			Handler:           handlers[i],
			ReadHeaderTimeout: 10 * time.Second,
			ErrorLog:          s.log.Named("http").StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
		}
	}
}

// together serves both handlers on one port: /v1 is data, the rest control.
func together(data, control http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/v1/", data)
	mux.Handle("/", control)
	return mux
}

// serve serves until ctx ends, then ends everything: new requests are refused,
// streams get the drain to finish and then their last event, engines stop.
func (s *sidecar) serve(ctx context.Context, r renewal) error {
	failed := make(chan error, len(s.doors))
	for _, d := range s.doors {
		s.log.Info("listening", "address", d.listener.Addr().String())
		go func() { failed <- d.server.Serve(d.listener) }()
	}
	for {
		select {
		case <-r.asked:
			s.reload(r.load)
		case <-r.changed:
			s.reload(r.load)
		case <-ctx.Done():
			return s.stop()
		case err := <-failed:
			return errors.Join(fmt.Errorf("serve: %w", err), s.stop())
		}
	}
}

// stopReserve is what ending takes beyond the drain: last events, TERM, KILL.
const stopReserve = 10 * time.Second

func (s *sidecar) stop() error {
	drain := time.Duration(s.cfg.Limits.Drain)
	s.log.Info("stopping", "drain", drain)
	ctx, cancel := context.WithTimeout(context.Background(), drain+stopReserve)
	defer cancel()
	var errs []error
	closed := make(chan error, len(s.doors))
	for _, d := range s.doors {
		go func() { closed <- d.server.Shutdown(ctx) }()
	}
	s.routes.Close()
	s.preloads.close()
	errs = append(errs, s.pool.Close(ctx), s.relay.Close(ctx))
	for range s.doors {
		errs = append(errs, <-closed)
	}
	for _, d := range s.doors {
		d.server.Close()
	}
	errs = append(errs, s.engines.close(ctx))
	if err := s.tracer.Close(ctx); err != nil {
		s.log.Warn("the last spans are lost", "error", err)
	}
	if s.devices != nil {
		s.devices.Close()
	}
	s.state.close()
	s.log.Info("stopped")
	return errors.Join(errs...)
}
