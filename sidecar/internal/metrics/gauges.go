package metrics

import (
	"slices"

	"github.com/hal0-dev/hal0/sidecar/internal/device"
	"github.com/hal0-dev/hal0/sidecar/internal/hub"
	"github.com/hal0-dev/hal0/sidecar/internal/slot"
	"github.com/prometheus/client_golang/prometheus"
)

// Sources are what gauges are read from at a scrape. None of them may ask a
// tool.
type Sources struct {
	Slots    func() []slot.Snapshot
	Accounts func() []device.Account
	Reading  func() device.Reading
	Flights  func() []hub.Info
	Version  string
}

// Watch adds the gauges; to be called once.
func (m *Metrics) Watch(s Sources) { m.registry.MustRegister(newGauges(s)) }

// gauges is a prometheus.Collector over snapshots.
type gauges struct {
	Sources
	descs  []*prometheus.Desc
	series []Series

	build, state, leases, parallel, waiting, failures, memory *prometheus.Desc
	size, free, reserved, capacity, problem                   *prometheus.Desc
	flights, readers, kept                                    *prometheus.Desc
}

func newGauges(s Sources) *gauges {
	g := &gauges{Sources: s}
	g.build = g.desc("hal0_build_info", "1, with the sidecar's version.", "version")
	g.state = g.desc("hal0_slot_state", "1 for the state that a slot is in, 0 for the others.", "slot", "state")
	g.leases = g.desc("hal0_slot_leases", "Requests that the slot's engine works on.", "slot")
	g.parallel = g.desc("hal0_slot_parallel", "Requests that the slot's engine may work on at a time.", "slot")
	g.waiting = g.desc("hal0_slot_waiting", "Flights that wait for the slot.", "slot")
	g.failures = g.desc("hal0_slot_failures_in_a_row", "Failures of the slot's engine since it last worked.", "slot")
	g.memory = g.desc("hal0_slot_memory_bytes", "Memory that is reserved for the slot.", "slot", "device")
	g.size = g.desc("hal0_device_memory_bytes", "Memory of the device.", "device", "kind", "name")
	g.free = g.desc("hal0_device_free_bytes", "Free memory of the device, when it was last read.", "device")
	g.capacity = g.desc("hal0_device_capacity_bytes", "Memory of the device that slots may use in all.", "device")
	g.reserved = g.desc("hal0_device_reserved_bytes", "Memory of the device that is reserved for slots.", "device")
	g.problem = g.desc("hal0_device_tool_failing", "1 if the tool that reads devices did not do so the last time.", "tool")
	g.flights = g.desc("hal0_flights", "Flights under way.", "phase")
	g.readers = g.desc("hal0_flight_readers", "Requests that read the flights under way.")
	g.kept = g.desc("hal0_flight_kept_bytes", "Memory that keeps streams for those who may still join.")
	return g
}

func (g *gauges) desc(name, help string, labels ...string) *prometheus.Desc {
	d := prometheus.NewDesc(name, help, labels, nil)
	g.descs = append(g.descs, d)
	g.series = append(g.series, Series{name, "gauge", help, labels})
	return d
}

// Describe implements prometheus.Collector.
func (g *gauges) Describe(out chan<- *prometheus.Desc) {
	for _, d := range g.descs {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (g *gauges) Collect(out chan<- prometheus.Metric) {
	put := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	put(g.build, 1, g.Version)
	for _, s := range g.Slots() {
		g.slot(s, put)
	}
	g.devices(put)
	held, streaming, readers, kept := 0, 0, 0, int64(0)
	for _, f := range g.Flights() {
		if f.Dispatched {
			streaming++
		} else {
			held++
		}
		readers += f.Readers
		kept += f.Kept
	}
	put(g.flights, float64(held), "held")
	put(g.flights, float64(streaming), "dispatched")
	put(g.readers, float64(readers))
	put(g.kept, float64(kept))
}

type putter func(d *prometheus.Desc, v float64, labels ...string)

func (g *gauges) slot(s slot.Snapshot, put putter) {
	for _, name := range StateNames() {
		is := 0.0
		if name == s.State.String() {
			is = 1
		}
		put(g.state, is, s.ID, name)
	}
	put(g.leases, float64(s.Leases), s.ID)
	put(g.parallel, float64(s.Parallel), s.ID)
	put(g.waiting, float64(s.Waiting), s.ID)
	put(g.failures, float64(s.Failures), s.ID)
	on := map[string]int64{}
	for _, share := range s.Memory {
		on[share.Device] += share.Bytes
	}
	for device, bytes := range on {
		put(g.memory, float64(bytes), s.ID, device)
	}
}

func (g *gauges) devices(put putter) {
	reading := g.Reading()
	for _, d := range reading.Devices {
		if d.Total != device.Unknown {
			put(g.size, float64(d.Total), string(d.ID), d.Kind.String(), d.Name)
		}
		if d.Free != device.Unknown {
			put(g.free, float64(d.Free), string(d.ID))
		}
	}
	for _, p := range reading.Problems {
		put(g.problem, 1, p.Source)
	}
	for _, a := range g.Accounts() {
		put(g.reserved, float64(a.Reserved), string(a.ID))
		if a.Capacity != device.Unknown {
			put(g.capacity, float64(a.Capacity), string(a.ID))
		}
	}
}

// StateNames lists the states' names on the wire, each once, in the order of a
// slot's life.
func StateNames() []string {
	var names []string
	for _, s := range slot.States() {
		if !slices.Contains(names, s.String()) {
			names = append(names, s.String())
		}
	}
	return names
}
