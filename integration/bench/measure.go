package main

import (
	"fmt"
	"slices"
	"time"
)

// engineWait is how long the engine takes to the first event.
const engineWait = 2 * time.Millisecond

// firsts measures how long the first event takes, with so many clients.
func (r *report) firsts(w way, clients, requests int) error {
	c := client(clients)
	defer c.CloseIdleConnections()
	each := max(1, requests/clients)
	if clients == 1 {
		each = requests / 4
	}
	times := make([][]time.Duration, clients)
	ask := func(i int) error {
		first, err := w.stream(c, pace{Wait: engineWait, Events: 1}, func(time.Time) {})
		times[i] = append(times[i], first)
		return err
	}
	if err := parallel(clients, ask); err != nil { // opens the connections
		return err
	}
	clear(times)
	before, err := w.cpu()
	if err != nil {
		return err
	}
	began := time.Now()
	err = parallel(clients, func(i int) error {
		for range each {
			if err := ask(i); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	took := time.Since(began)
	after, err := w.cpu()
	if err != nil {
		return err
	}
	all := slices.Concat(times...)
	slices.Sort(all)
	r.add(w.name, fmt.Sprintf("first event, %d at a time, p50", clients), unitMS, ms(quantile(all, .5)))
	r.add(w.name, fmt.Sprintf("first event, %d at a time, p99", clients), unitMS, ms(quantile(all, .99)))
	r.add(w.name, fmt.Sprintf("requests a second, %d at a time", clients), unitRate, float64(len(all))/took.Seconds())
	if clients == 16 {
		for process := range after {
			r.add(w.name, "CPU per request, "+process, unitUS, us(after[process]-before[process])/float64(len(all)))
		}
	}
	return nil
}

// events measures what an event costs on its way, and how evenly they arrive.
func (r *report) events(w way, o options) error {
	c := client(o.streams)
	defer c.CloseIdleConnections()
	n := int(o.paced / o.gap)
	gaps := make([][]time.Duration, o.streams)
	before, err := w.cpu()
	if err != nil {
		return err
	}
	err = parallel(o.streams, func(i int) error {
		var last time.Time
		_, err := w.stream(c, pace{Events: n, Gap: o.gap, Phase: float64(i) / float64(o.streams)}, func(now time.Time) {
			if !last.IsZero() && len(gaps[i]) < n-1 {
				gaps[i] = append(gaps[i], now.Sub(last))
			}
			last = now
		})
		return err
	})
	if err != nil {
		return err
	}
	after, err := w.cpu()
	if err != nil {
		return err
	}
	for process := range after {
		used := after[process] - before[process]
		r.add(w.name, "CPU per event, "+process, unitUS, us(used)/float64(n*o.streams))
	}
	all := slices.Concat(gaps...)
	slices.Sort(all)
	r.add(w.name, "gap between events, p50", unitMS, ms(quantile(all, .5)))
	r.add(w.name, "gap between events, p99", unitMS, ms(quantile(all, .99)))
	return nil
}

func ms(d time.Duration) float64 { return float64(d) / 1e6 }
func us(d time.Duration) float64 { return float64(d) / 1e3 }

// quantile of sorted values, 0 of none.
func quantile[T int | float64 | time.Duration](sorted []T, q float64) T {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}
