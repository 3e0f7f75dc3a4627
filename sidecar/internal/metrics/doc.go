// Package metrics is what Prometheus reads of the sidecar.
//
// A Metrics hears of events from the pool (pool.Observer) and of finished
// requests from the api (api.Observer), and adds to counters and histograms:
// nothing happens per streamed event. Gauges are read from snapshots at the time
// of a scrape; a scrape asks no tool, so that it wakes no sleeping GPU.
//
// Labels are bounded: slots and devices are settings of the box, everything else
// is a word from a table of ours. The series of a removed slot go with it.
//
// Concurrency: a Metrics is safe for concurrent use.
package metrics
