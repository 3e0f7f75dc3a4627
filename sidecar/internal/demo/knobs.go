package demo

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Fault is what goes wrong.
type Fault string

// The faults. Those that break a stream do so instead of token number At.
const (
	FaultNone    Fault = ""
	FaultCrash   Fault = "crash"   // the process ends
	FaultHang    Fault = "hang"    // nothing more is sent, the connection stays
	FaultPause   Fault = "pause"   // nothing is sent for PauseMS, then it goes on
	FaultReset   Fault = "reset"   // the connection is reset
	FaultCut     Fault = "cut"     // the connection is closed without an ending
	FaultTorn    Fault = "torn"    // half an event, then cut
	FaultTornEnd Fault = "tornend" // half an event, then a clean end of the body
	FaultEOF     Fault = "eof"     // a clean end of the body, without finish_reason and [DONE]
	FaultError   Fault = "error"   // an error event, in the manner of Shape
	FaultHuge    Fault = "huge"    // one event of Bytes, then it goes on
	FaultStatus  Fault = "status"  // an HTTP error with Status; At must be 0
	FaultLoading Fault = "loading" // 503 as while loading; At must be 0
)

// Faults returns every fault.
func Faults() []Fault {
	return []Fault{FaultCrash, FaultHang, FaultPause, FaultReset, FaultCut, FaultTorn, FaultTornEnd, FaultEOF, FaultError, FaultHuge, FaultStatus, FaultLoading}
}

// Knobs say how one request is answered.
type Knobs struct {
	Rate    float64 `json:"tokens_per_second"` // 0 = as fast as possible
	DelayMS int64   `json:"delay_ms"`          // before the first token
	PingMS  int64   `json:"ping_ms"`           // a comment after each such silence, 0 = none
	Fault   Fault   `json:"fault"`
	At      int     `json:"at"`       // token
	Event   int     `json:"event"`    // in place of At: the event of a stream instead of which it goes wrong
	Shape   string  `json:"shape"`    // of FaultError: see Shapes
	Status  int     `json:"status"`   // of FaultStatus
	Bytes   int     `json:"bytes"`    // of FaultHuge
	PauseMS int64   `json:"pause_ms"` // of FaultPause
	NoDone  bool    `json:"no_done"`  // leave [DONE] out
}

func defaultKnobs() Knobs {
	return Knobs{Rate: 20, Shape: "llama.cpp", Status: 500, Bytes: 1 << 20, PauseMS: 1000}
}

// override lays a request's own knobs over k.
func (k Knobs) override(raw json.RawMessage) (Knobs, error) {
	if len(raw) == 0 {
		return k, nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&k); err != nil {
		return k, fmt.Errorf("hal0_demo: %w", err)
	}
	return k, k.check()
}

func (k Knobs) check() error {
	if k.Fault != FaultNone && !slices.Contains(Faults(), k.Fault) {
		return fmt.Errorf("unknown fault %q", k.Fault)
	}
	if _, ok := shapes()[k.Shape]; !ok {
		return fmt.Errorf("unknown shape %q (%s)", k.Shape, strings.Join(Shapes(), ", "))
	}
	if (k.Fault == FaultStatus || k.Fault == FaultLoading) && (k.At != 0 || k.Event != 0) {
		return fmt.Errorf("fault %s happens before the head only: at must be 0", k.Fault)
	}
	if k.At != 0 && k.Event != 0 {
		return errors.New("at and event exclude each other")
	}
	if k.Rate < 0 || k.At < 0 || k.Event < 0 || k.DelayMS < 0 || k.PingMS < 0 || k.PauseMS < 0 || k.Bytes < 0 || k.Bytes > 1<<30 {
		return errors.New("knobs must not be negative, and bytes at most 1 GiB")
	}
	if k.Status < 400 || k.Status > 599 {
		return errors.New("status must be from 400 to 599")
	}
	return nil
}

// Launch says how one launch behaves.
type Launch struct {
	Host       string
	Port       int
	Name       string // of the model that it stands in for
	Key        string // that requests must bring, "" = none
	Load       time.Duration
	LoadFails  string        // what to log and exit with 1 instead of having loaded
	Memory     int64         // bytes to occupy while loading
	Again      time.Duration // how long to be loading again after the first 200
	IgnoreTerm bool
	Linger     time.Duration // how long to live on after TERM
	Quiet      bool          // no log lines
	Deaf       bool          // do not listen
	Parallel   int           // requests worked on at a time, 0 = any number
	Knobs      Knobs
}

func (l *Launch) register(f *flag.FlagSet) {
	l.Knobs = defaultKnobs()
	f.StringVar(&l.Host, "host", "127.0.0.1", "address to listen on")
	f.IntVar(&l.Port, "port", 0, "port to listen on, 0 = any")
	f.StringVar(&l.Name, "name", "demo", "model name to answer with")
	f.DurationVar(&l.Load, "load", 0, "how long to load")
	f.StringVar(&l.LoadFails, "load-fails", "", "log this instead of having loaded, and exit with 1")
	f.Int64Var(&l.Memory, "memory", 0, "bytes to occupy while loading")
	f.DurationVar(&l.Again, "again", 0, "how long to be loading again after the first 200")
	f.BoolVar(&l.IgnoreTerm, "ignore-term", false, "do not hear TERM")
	f.DurationVar(&l.Linger, "linger", 0, "how long to live on after TERM")
	f.BoolVar(&l.Quiet, "quiet", false, "log nothing")
	f.BoolVar(&l.Deaf, "deaf", false, "do not listen")
	f.IntVar(&l.Parallel, "parallel", 0, "requests worked on at a time, 0 = any number")
	f.Float64Var(&l.Knobs.Rate, "tokens-per-second", l.Knobs.Rate, "pace, 0 = as fast as possible")
	f.Int64Var(&l.Knobs.DelayMS, "delay-ms", 0, "silence before the first token")
	f.Int64Var(&l.Knobs.PingMS, "ping-ms", 0, "send a comment after each such silence")
	f.StringVar((*string)(&l.Knobs.Fault), "fault", "", fmt.Sprintf("what goes wrong: %v", Faults()))
	f.IntVar(&l.Knobs.At, "at", 0, "the token instead of which it goes wrong; 0 = before the head")
	f.IntVar(&l.Knobs.Event, "event", 0, "in place of at: the event of a stream instead of which it goes wrong, from 1")
	f.StringVar(&l.Knobs.Shape, "shape", l.Knobs.Shape, fmt.Sprintf("of fault error: %v", Shapes()))
	f.IntVar(&l.Knobs.Status, "status", l.Knobs.Status, "of fault status")
	f.IntVar(&l.Knobs.Bytes, "bytes", l.Knobs.Bytes, "of fault huge")
	f.Int64Var(&l.Knobs.PauseMS, "pause-ms", l.Knobs.PauseMS, "of fault pause")
	f.BoolVar(&l.Knobs.NoDone, "no-done", false, "leave [DONE] out")
}

// environPrefix begins the environment variables that set flags: --tokens-per-second
// is HAL0_DEMO_TOKENS_PER_SECOND. The command line wins.
const environPrefix = "HAL0_DEMO_"

// parseLaunch reads environment and arguments.
func parseLaunch(f *flag.FlagSet, args []string, getenv func(string) string) (Launch, error) {
	var l Launch
	l.register(f)
	var problems []error
	f.VisitAll(func(o *flag.Flag) {
		name := environPrefix + strings.ToUpper(strings.ReplaceAll(o.Name, "-", "_"))
		if v := getenv(name); v != "" {
			if err := o.Value.Set(v); err != nil {
				problems = append(problems, fmt.Errorf("%s: %w", name, err))
			}
		}
	})
	if err := errors.Join(problems...); err != nil {
		return l, err
	}
	if err := f.Parse(args); err != nil {
		return l, err
	}
	if f.NArg() > 0 {
		return l, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	l.Key = getenv(KeyVar)
	return l, l.Knobs.check()
}

// KeyVar is the environment variable with the key that requests must bring.
const KeyVar = "HAL0_ENGINE_KEY"
