package metrics

import (
	"net/http"
	"strconv"
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/api"
	"github.com/hal0-dev/hal0/sidecar/internal/slot"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics counts and measures. Make it with New.
type Metrics struct {
	registry *prometheus.Registry
	series   []Series

	boot, queue, first, added, took, gap *prometheus.HistogramVec

	requests, refused, events, bytes *prometheus.CounterVec
	unloads, failures, restarts      *prometheus.CounterVec
}

// Buckets, in seconds: from what a warm slot takes to what a cold one may.
var (
	bootBuckets  = []float64{0.5, 1, 2.5, 5, 10, 20, 40, 60, 120, 300, 600, 900}
	waitBuckets  = []float64{0.001, 0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600}
	firstBuckets = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600}
	addedBuckets = []float64{0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5}
	gapBuckets   = []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28}
)

// New makes a Metrics with a registry of its own.
func New() *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.boot = m.histogram("hal0_boot_seconds", "Time from the launch of an engine until it was ready.", bootBuckets, "slot")
	m.queue = m.histogram("hal0_queue_wait_seconds", "Time that a flight waited for its lease; cold = the slot was not up when it came.", waitBuckets, "slot", "cold")
	m.first = m.histogram("hal0_time_to_first_token_seconds", "Time from a streaming request's arrival until its first event was delivered.", firstBuckets, "slot", "cold")
	m.added = m.histogram("hal0_added_latency_seconds", "Time that a request's first event spent in the sidecar itself: until it asked for its lease, and from the engine's first byte to the client. Requests that lead a flight.", addedBuckets, "slot")
	m.took = m.histogram("hal0_request_duration_seconds", "Time from a request's arrival until its answer was complete.", firstBuckets, "slot")
	m.gap = m.histogram("hal0_event_interval_seconds", "Mean time between the events of one stream.", gapBuckets, "slot")
	m.requests = m.counter("hal0_requests_total", "Answered requests, by how they ended (ok, cancelled, failed, truncated), error code, and whether they led their flight or joined it.", "slot", "outcome", "code", "flight")
	m.refused = m.counter("hal0_refused_requests_total", "Requests that were refused before they had a flight, by error code.", "code")
	m.events = m.counter("hal0_sent_events_total", "Events, or pieces of other answers, that were delivered to clients.", "slot")
	m.bytes = m.counter("hal0_sent_bytes_total", "Bytes of answers that were delivered to clients.", "slot")
	m.unloads = m.counter("hal0_unloads_total", "Engines that were sent away, by reason (idle, evicted, changed, hand, removed, shutdown, abandon).", "slot", "reason")
	m.failures = m.counter("hal0_engine_failures_total", "Engines that ended unasked or did not come up, by class.", "slot", "class")
	m.restarts = m.counter("hal0_engine_restarts_total", "Boots that followed a failure.", "slot")
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *Metrics) histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	m.series = append(m.series, Series{name, "histogram", help, labels})
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	m.registry.MustRegister(h)
	return h
}

func (m *Metrics) counter(name, help string, labels ...string) *prometheus.CounterVec {
	m.series = append(m.series, Series{name, "counter", help, labels})
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	m.registry.MustRegister(c)
	return c
}

// Handler serves the exposition.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Gatherer is where the series can be read.
func (m *Metrics) Gatherer() prometheus.Gatherer { return m.registry }

// Answered implements api.Observer.
func (m *Metrics) Answered(a api.Answered) {
	if a.Flight == "" {
		m.refused.WithLabelValues(a.Code).Inc()
		return
	}
	m.requests.WithLabelValues(a.Slot, a.Outcome, a.Code, a.Flight).Inc()
	m.took.WithLabelValues(a.Slot).Observe(a.Took.Seconds())
	m.events.WithLabelValues(a.Slot).Add(float64(a.Events))
	m.bytes.WithLabelValues(a.Slot).Add(float64(a.Bytes))
	if a.Added > 0 {
		m.added.WithLabelValues(a.Slot).Observe(a.Added.Seconds())
	}
	if !a.Stream || a.Events == 0 {
		return
	}
	m.first.WithLabelValues(a.Slot, strconv.FormatBool(a.Cold)).Observe(a.FirstByte.Seconds())
	if a.Events > 1 {
		m.gap.WithLabelValues(a.Slot).Observe((a.Took - a.FirstByte).Seconds() / float64(a.Events-1))
	}
}

// Granted implements pool.Observer.
func (m *Metrics) Granted(id string, waited time.Duration, cold bool) {
	m.queue.WithLabelValues(id, strconv.FormatBool(cold)).Observe(waited.Seconds())
}

// Booted implements pool.Observer.
func (m *Metrics) Booted(id string, took time.Duration, again bool) {
	m.boot.WithLabelValues(id).Observe(took.Seconds())
	if again {
		m.restarts.WithLabelValues(id).Inc()
	}
}

// Failed implements pool.Observer.
func (m *Metrics) Failed(id string, class slot.Class) {
	m.failures.WithLabelValues(id, string(class)).Inc()
}

// Leaving implements pool.Observer.
func (m *Metrics) Leaving(id string, why slot.Why) {
	m.unloads.WithLabelValues(id, string(why)).Inc()
}

// Removed implements pool.Observer.
func (m *Metrics) Removed(id string) {
	of := prometheus.Labels{"slot": id}
	for _, h := range []*prometheus.HistogramVec{m.boot, m.queue, m.first, m.added, m.took, m.gap} {
		h.DeletePartialMatch(of)
	}
	for _, c := range []*prometheus.CounterVec{m.requests, m.events, m.bytes, m.unloads, m.failures, m.restarts} {
		c.DeletePartialMatch(of)
	}
}
