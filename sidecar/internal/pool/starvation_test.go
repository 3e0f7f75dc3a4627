package pool

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/slot/slottest"
)

// rivals are models of which no two fit together: some whose clients never
// pause, and one that is asked for now and then.
type rivals struct {
	busy                     int
	boot, stream, starvation time.Duration
	clients, parallel        int // of each busy one
}

func randomRivals(r *rand.Rand) rivals {
	seconds := func(from, to int) time.Duration { return time.Duration(from+r.IntN(to-from+1)) * time.Second }
	return rivals{
		busy: 1 + r.IntN(3), boot: seconds(1, 90), stream: seconds(1, 60), starvation: seconds(10, 240),
		clients: 1 + r.IntN(6), parallel: 1 + r.IntN(3),
	}
}

// termTime is what an engine takes to end.
const termTime = time.Second

// bound is the longest that anybody may wait: each of the others may come first,
// with its boot, its guarded time and the streams that are under way then; and
// the own boot comes last.
func (r rivals) bound() time.Duration {
	return time.Duration(r.busy)*(r.boot+r.starvation+r.stream+termTime) + r.boot + time.Second
}

// TestNobodyStarves: whatever the models take, and however many there are, the
// one that is asked for now and then is served within the bound, and no stream
// is cut for it.
func TestNobodyStarves(t *testing.T) {
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 3))
		v := randomRivals(r)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if longest := v.run(t, r); longest > v.bound() {
					t.Errorf("%+v: the longest wait is %s, at most %s is promised", v, longest, v.bound())
				}
			})
		})
	}
}

// run returns the longest wait of the one that is asked for now and then.
func (v rivals) run(t *testing.T, r *rand.Rand) (longest time.Duration) {
	behaviour := slottest.Behaviour{Boot: v.boot, TermTime: termTime}
	specs := []Spec{spec("rare", slottest.New(behaviour), memoryOf(6*gib))}
	for i := range v.busy {
		specs = append(specs, spec(fmt.Sprint("busy", i), slottest.New(behaviour), memoryOf(6*gib), parallel(int64(v.parallel))))
	}
	b := newBench(t, Config{Devices: hostOf(10 * gib), Starvation: v.starvation}, specs...)
	ctx, cancel := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for i := range v.busy {
		for c := range v.clients {
			clients.Go(func() { b.ask(ctx, fmt.Sprint("busy", i), fmt.Sprint(c), v.stream) })
		}
	}
	for range 15 {
		time.Sleep(time.Duration(r.IntN(600)) * time.Second)
		began := time.Now()
		b.get("rare").Release()
		longest = max(longest, time.Since(began))
	}
	cancel()
	clients.Wait()
	return longest
}

// ask opens one stream after another until ctx ends.
func (b *bench) ask(ctx context.Context, id, lane string, stream time.Duration) {
	for ctx.Err() == nil {
		ticket := b.Request(Request{Slot: id, Lane: lane})
		lease, err := ticket.Lease(ctx)
		if err != nil {
			ticket.Cancel()
			return
		}
		select {
		case <-lease.Lost():
			b.t.Error("a stream was cut for a swap")
		case <-time.After(stream):
		}
		lease.Release()
	}
}
