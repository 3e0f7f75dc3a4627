//go:build go1.21

package plugin

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
)

const (
	declareSettle  = 100 * time.Millisecond // Traefik makes many instances at once
	declareFirst   = 250 * time.Millisecond // back-off
	declareLongest = 30 * time.Second
	declareAgain   = time.Hour // a route that is not confirmed becomes stale
)

// declarers are all routes that are being declared, by what they declare. Each
// is shared by the instances that declare the same.
type declarers struct {
	mu     sync.Mutex
	byName map[string]*declarer
	client *http.Client
	log    *slog.Logger
}

// declarer tells the sidecar about one route for as long as an instance of it
// lives. Its goroutine ends with the last one.
type declarer struct {
	sidecar   string
	tokenFile string
	kick      chan struct{} // holds one: declare again
	stop      context.CancelFunc

	// The registry's mutex guards what follows.
	route wire.Route // Since is the newest instance's
	users int
}

var declaring = &declarers{byName: map[string]*declarer{}, client: controlClient(), log: newLog()}

// controlClient talks to the sidecar's control listener: never by a proxy, and
// not to where a redirect leads.
func controlClient() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 4, IdleConnTimeout: 30 * time.Second, ResponseHeaderTimeout: 5 * time.Second},
		Timeout:       10 * time.Second,
		CheckRedirect: func(_ *http.Request, _ []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func newLog() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stdout, nil))
}

// join declares a route until ctx ends and returns what repeats that.
func (r *declarers) join(ctx context.Context, s *settings) *declarer {
	key := s.sidecar + " " + s.route.Name + " " + s.route.Fingerprint()
	r.mu.Lock()
	defer r.mu.Unlock()
	d, ok := r.byName[key]
	if !ok {
		d = &declarer{sidecar: s.sidecar, tokenFile: s.tokenFile, kick: make(chan struct{}, 1)}
		var own context.Context
		own, d.stop = context.WithCancel(context.Background())
		r.byName[key] = d
		go r.run(own, d)
	}
	d.users++
	d.route = s.route
	d.again()
	context.AfterFunc(ctx, func() { r.leave(key, d) })
	return d
}

func (r *declarers) leave(key string, d *declarer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d.users--
	if d.users == 0 {
		delete(r.byName, key)
		d.stop()
	}
}

// again asks for another declaration; it never blocks.
func (d *declarer) again() {
	select {
	case d.kick <- struct{}{}:
	default:
	}
}

// settled forgets what was asked meanwhile: it is about to be done.
func (d *declarer) settled() {
	select {
	case <-d.kick:
	default:
	}
}

// run declares whenever it is asked to, and after each failure once more.
func (r *declarers) run(ctx context.Context, d *declarer) {
	confirm := time.NewTicker(declareAgain)
	defer confirm.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-confirm.C:
		case <-d.kick:
			if !pause(ctx, declareSettle) {
				return
			}
			d.settled()
		}
		wait := declareFirst
		for told := ""; ; wait *= 2 {
			problem := r.declare(ctx, d)
			if ctx.Err() != nil {
				return
			}
			if problem == "" {
				break
			}
			if problem != told {
				told = problem
				r.log.Warn("hal0: route is not declared yet", "route", d.route.Name, "sidecar", d.sidecar, "problem", problem)
			}
			if wait > declareLongest {
				wait = declareLongest
			}
			if !pause(ctx, wait) {
				return
			}
		}
	}
}

// declare says the route once; "" = the sidecar took it.
func (r *declarers) declare(ctx context.Context, d *declarer) string {
	token, problem := tokens.get(d.tokenFile)
	if problem != "" {
		return problem
	}
	r.mu.Lock()
	route := d.route
	r.mu.Unlock()
	body, err := json.Marshal(route)
	if err != nil {
		return "the route cannot be encoded"
	}
	path := "/api/routes/" + url.PathEscape(route.Name)
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, d.sidecar+path, bytes.NewReader(body))
	if err != nil {
		return "the sidecar's address is wrong"
	}
	subject := wire.Subject{Purpose: wire.PurposeDeclare, Method: http.MethodPut, Path: req.URL.EscapedPath(), Body: body}
	proof := wire.Proof{TimeMS: time.Now().UnixMilli(), Route: route.Name, Fingerprint: route.Fingerprint(), Since: route.Since}
	req.Header.Set(wire.HeaderProof, wire.Sign(token, subject, proof))
	req.Header.Set("Content-Type", "application/json")
	res, err := r.client.Do(req)
	if err != nil {
		return "the sidecar cannot be reached"
	}
	_ = res.Body.Close()
	if res.StatusCode >= 300 {
		return "the sidecar answers with status " + strconv.Itoa(res.StatusCode)
	}
	return ""
}

// pause waits, or reports that ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
