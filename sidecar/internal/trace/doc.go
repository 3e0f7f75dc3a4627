// Package trace follows requests in the distributed traces of their clients, as
// W3C's Trace Context names them.
//
// By itself it makes nothing: a valid traceparent (and tracestate) goes on to the
// engine as it came, an invalid one goes no further, and the trace's id stands in
// the log. Where OpenTelemetry's own variables name a collector, each request is
// a span, with its phases below it (boot, queue, prefill, stream), and the engine
// is told of that span instead. Spans hold nothing of what was asked or answered.
//
// Spans are made when a request has ended, from the times that are kept anyway:
// nothing happens per event, and nobody waits for the collector.
//
// Concurrency: a Tracer is safe for concurrent use.
package trace
