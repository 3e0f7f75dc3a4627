package metrics

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/api"
	"github.com/hal0-dev/hal0/sidecar/internal/device"
	"github.com/hal0-dev/hal0/sidecar/internal/hub"
	"github.com/hal0-dev/hal0/sidecar/internal/pool"
	"github.com/hal0-dev/hal0/sidecar/internal/slot"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

var (
	_ pool.Observer = (*Metrics)(nil)
	_ api.Observer  = (*Metrics)(nil)
)

// busy is a Metrics after some of everything.
func busy() *Metrics {
	m := New()
	m.Watch(Sources{
		Version: "v1.2.3",
		Slots: func() []slot.Snapshot {
			return []slot.Snapshot{{ID: "a", State: slot.StartingMemory, Parallel: 2, Waiting: 3, Memory: []slot.Share{{Device: "cpu", Bytes: 5}}}, {ID: "b", State: slot.Serving, Leases: 1}}
		},
		Accounts: func() []device.Account { return []device.Account{{ID: "cpu", Capacity: 9, Reserved: 5}} },
		Reading: func() device.Reading {
			return device.Reading{Devices: []device.Device{{ID: "cpu", Kind: device.KindHost, Total: 10, Free: 4}}, Problems: []device.Problem{{Source: "nvidia-smi"}}}
		},
		Flights: func() []hub.Info { return []hub.Info{{Readers: 2, Kept: 7}, {Readers: 1, Dispatched: true}} },
	})
	m.Granted("a", time.Second, true)
	m.Booted("a", 3*time.Second, false)
	m.Booted("a", 3*time.Second, true)
	m.Failed("a", slot.ClassOOM)
	m.Leaving("a", slot.WhyEvicted)
	m.Answered(api.Answered{Slot: "a", Outcome: "ok", Flight: "lead", Stream: true, Cold: true, FirstByte: time.Second, Added: time.Millisecond, Took: 3 * time.Second, Events: 5, Bytes: 100})
	m.Answered(api.Answered{Slot: "a", Outcome: "failed", Code: "slot.crashed", Flight: "join"})
	m.Answered(api.Answered{Code: "route.unknown", Outcome: "failed"})
	return m
}

func TestLint(t *testing.T) {
	problems, err := testutil.GatherAndLint(busy().Gatherer())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestSeries(t *testing.T) {
	w := httptest.NewRecorder()
	busy().Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, line := range []string{
		`hal0_build_info{version="v1.2.3"} 1`,
		`hal0_requests_total{code="",flight="lead",outcome="ok",slot="a"} 1`,
		`hal0_requests_total{code="slot.crashed",flight="join",outcome="failed",slot="a"} 1`,
		`hal0_refused_requests_total{code="route.unknown"} 1`,
		`hal0_time_to_first_token_seconds_sum{cold="true",slot="a"} 1`,
		`hal0_added_latency_seconds_sum{slot="a"} 0.001`,
		`hal0_event_interval_seconds_sum{slot="a"} 0.5`,
		`hal0_queue_wait_seconds_sum{cold="true",slot="a"} 1`,
		`hal0_boot_seconds_count{slot="a"} 2`,
		`hal0_engine_restarts_total{slot="a"} 1`,
		`hal0_engine_failures_total{class="oom",slot="a"} 1`,
		`hal0_unloads_total{reason="evicted",slot="a"} 1`,
		`hal0_sent_events_total{slot="a"} 5`,
		`hal0_sent_bytes_total{slot="a"} 100`,
		`hal0_slot_state{slot="a",state="starting"} 1`,
		`hal0_slot_state{slot="a",state="ready"} 0`,
		`hal0_slot_waiting{slot="a"} 3`,
		`hal0_slot_memory_bytes{device="cpu",slot="a"} 5`,
		`hal0_slot_leases{slot="b"} 1`,
		`hal0_device_memory_bytes{device="cpu",kind="host",name=""} 10`,
		`hal0_device_free_bytes{device="cpu"} 4`,
		`hal0_device_reserved_bytes{device="cpu"} 5`,
		`hal0_device_tool_failing{tool="nvidia-smi"} 1`,
		`hal0_flights{phase="held"} 1`,
		`hal0_flight_readers 3`,
		`hal0_flight_kept_bytes 7`,
		`go_goroutines `,
	} {
		if !strings.Contains(w.Body.String(), "\n"+line) {
			t.Errorf("no line %s", line)
		}
	}
	if t.Failed() {
		t.Log(w.Body)
	}
}

func TestRemovedSlotLeavesNoSeries(t *testing.T) {
	m := busy()
	m.Removed("a")
	families, err := m.Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "hal0_slot_") {
			continue // a gauge: the pool's snapshots no longer have it
		}
		for _, series := range f.GetMetric() {
			for _, l := range series.GetLabel() {
				if l.GetName() == "slot" && l.GetValue() == "a" {
					t.Errorf("%s still has a series of the slot", f.GetName())
				}
			}
		}
	}
}

func TestStateNames(t *testing.T) {
	want := "offline pulling starting warming ready serving idle unloading error"
	if got := strings.Join(StateNames(), " "); got != want {
		t.Errorf("states are %q, want %q", got, want)
	}
}
