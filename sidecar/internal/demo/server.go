package demo

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// maxBody bounds a request.
const maxBody = 64 << 20

// Server answers requests as a launch says.
type Server struct {
	launch Launch
	mux    *http.ServeMux
	log    io.Writer
	exit   func(code int) // ends the process
	slots  chan struct{}  // one entry per request worked on, nil = any number

	mu      sync.Mutex // guards what follows
	loaded  bool
	again   time.Time // until then it is loading again
	greeted bool      // the first 200 was given
	held    []byte    // Launch.Memory
}

// NewServer makes a server that has not loaded yet.
func NewServer(l Launch) *Server {
	s := &Server{launch: l, mux: http.NewServeMux(), log: io.Discard, exit: os.Exit}
	if l.Parallel > 0 {
		s.slots = make(chan struct{}, l.Parallel)
	}
	s.mux.HandleFunc("GET /health", s.health)
	s.mux.HandleFunc("GET /v1/models", s.authorized(s.models))
	s.mux.HandleFunc("POST /v1/chat/completions", s.authorized(s.generate(chat)))
	s.mux.HandleFunc("POST /v1/completions", s.authorized(s.generate(completion)))
	s.mux.HandleFunc("POST /v1/responses", s.authorized(s.generate(responses)))
	s.mux.HandleFunc("POST /v1/messages", s.authorized(s.generate(messages)))
	s.mux.HandleFunc("POST /v1/embeddings", s.authorized(s.embeddings))
	s.mux.HandleFunc("POST /v1/audio/transcriptions", s.authorized(s.transcribe))
	s.mux.HandleFunc("/", s.authorized(func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusNotFound, "not_found_error", "The demo engine has no such endpoint")
	}))
	return s
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Load takes as long and as much memory as the launch says; until it returns,
// requests are answered with 503.
func (s *Server) load(ctx context.Context) error {
	const steps = 20
	var held []byte
	if s.launch.Memory > 0 {
		held = make([]byte, s.launch.Memory)
	}
	for i := range steps {
		touch(held, i, steps)
		if err := sleep(ctx, s.launch.Load/steps); err != nil {
			return nil // ended before it had loaded
		}
		if s.launch.Load > 0 {
			fmt.Fprintf(s.log, "demo engine: loading %d %%\n", 100*(i+1)/steps)
		}
	}
	if s.launch.LoadFails != "" {
		return errors.New(s.launch.LoadFails)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loaded, s.held = true, held
	return nil
}

// touch writes to one step's share of the pages, since only then they exist.
func touch(b []byte, step, steps int) {
	const page = 4096
	for i := len(b) / steps * step; i < len(b)/steps*(step+1); i += page {
		b[i] = 1
	}
}

// ready reports whether requests are answered, and counts the answer as given:
// the first one may start Launch.Again.
func (s *Server) ready() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.loaded || time.Now().Before(s.again) {
		return false
	}
	if !s.greeted {
		s.greeted = true
		s.again = time.Now().Add(s.launch.Again)
	}
	return true
}

func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	if !s.ready() {
		refuseLoading(w)
		return
	}
	answer(w, map[string]string{"status": "ok"})
}

// authorized lets a request through that brings the key, once the engine has
// loaded.
func (s *Server) authorized(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		key := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		switch {
		case s.launch.Key != "" && subtle.ConstantTimeCompare([]byte(key), []byte(s.launch.Key)) != 1:
			refuse(w, http.StatusUnauthorized, "authentication_error", "Invalid API Key")
		case !s.ready():
			refuseLoading(w)
		default:
			next(w, r)
		}
	}
}

func (s *Server) models(w http.ResponseWriter, _ *http.Request) {
	type model struct {
		ID      string `json:"id"`
		Object  string `json:"object"`
		Created int64  `json:"created"`
		Owner   string `json:"owned_by"`
	}
	answer(w, struct {
		Object string  `json:"object"`
		Data   []model `json:"data"`
	}{"list", []model{{s.launch.Name, "model", 0, "hal0-demo"}}})
}

// apiError is OpenAI's error body.
type apiError struct {
	Error struct {
		Message string  `json:"message"`
		Type    string  `json:"type"`
		Param   *string `json:"param"`
		Code    int     `json:"code"`
	} `json:"error"`
}

func refuse(w http.ResponseWriter, status int, kind, message string) {
	var e apiError
	e.Error.Message, e.Error.Type, e.Error.Code = message, kind, status
	write(w, status, e)
}

func refuseLoading(w http.ResponseWriter) {
	w.Header().Set("Connection", "close")
	refuse(w, http.StatusServiceUnavailable, "unavailable_error", "Loading model")
}

func answer(w http.ResponseWriter, v any) { write(w, http.StatusOK, v) }

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(marshal(v)) // whoever asked may have gone
}

func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil { // our own structs
		panic(err)
	}
	return b
}

// decode reads a request's body, or refuses it.
func decode(w http.ResponseWriter, r *http.Request, v any) bool {
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, "invalid_request_error", "The body is not what the endpoint takes: "+err.Error())
	}
	return err == nil
}

// sleep waits, or returns the context's error.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func newID(prefix string) string { return prefix + rand.Text() }
