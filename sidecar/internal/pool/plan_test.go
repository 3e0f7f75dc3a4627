package pool

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/device"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// on is a choice of so many bytes on each account.
func on(bytes int64, accounts ...device.ID) Choice {
	c := Choice{Devices: accounts}
	for _, a := range accounts {
		c.Shares = append(c.Shares, device.Share{Device: a, Bytes: bytes})
	}
	return c
}

// upOn is a slot that is up and holds so much.
func upOn(id string, bytes int64, account device.ID, change ...func(*SlotView)) SlotView {
	s := SlotView{
		ID: id, Standing: Up, Holds: []device.Share{{Device: account, Bytes: bytes}},
		UpSince: noon.Add(-time.Hour), UsedAt: noon.Add(-time.Minute), Reload: 10 * time.Second,
	}
	for _, f := range change {
		f(&s)
	}
	return s
}

func wants(oldest time.Duration, choices ...Choice) SlotView {
	s := SlotView{ID: "want", Standing: Down, Choices: choices, Waiting: 1}
	if oldest > 0 {
		s.Oldest = noon.Add(-oldest)
	}
	return s
}

func serving(s *SlotView)              { s.Leases = 1 }
func waiting(s *SlotView)              { s.Waiting = 3 }
func pinned(s *SlotView)               { s.Pin = true }
func shut(s *SlotView)                 { s.Shut = true }
func loading(s *SlotView)              { s.Standing = Loading }
func goingAway(s *SlotView)            { s.Standing = Going }
func stuckFast(s *SlotView)            { s.Standing = Stuck }
func priority(n int64) func(*SlotView) { return func(s *SlotView) { s.Priority = n } }
func idleFor(d time.Duration) func(*SlotView) {
	return func(s *SlotView) { s.UsedAt = noon.Add(-d) }
}
func cameUp(ago time.Duration, backlog int) func(*SlotView) {
	return func(s *SlotView) { s.UpSince, s.Backlog = noon.Add(-ago), backlog }
}
func reloads(d time.Duration) func(*SlotView) { return func(s *SlotView) { s.Reload = d } }

func TestPlan(t *testing.T) {
	one := []AccountView{{ID: "g", Capacity: 10, Free: 10}}
	full := []AccountView{{ID: "g", Capacity: 10, Free: 0}}
	half := []AccountView{{ID: "g", Capacity: 10, Free: 5}}
	two := []AccountView{{ID: "g", Capacity: 10, Free: 0}, {ID: "h", Capacity: 10, Free: 4}}
	for _, c := range []struct {
		name     string
		accounts []AccountView
		slots    []SlotView
		want     Verdict
		evict    []string
		shut     []string
		place    []device.Share
	}{
		{"fits", one, []SlotView{wants(0, on(10, "g"))}, Admit, nil, nil, []device.Share{{Device: "g", Bytes: 10}}},
		{"whole", one, []SlotView{wants(0, on(Whole, "g"))}, Admit, nil, nil, []device.Share{{Device: "g", Bytes: 10}}},
		{"whole, beside what others use", half, []SlotView{wants(0, on(Whole, "g"))}, Admit, nil, nil, []device.Share{{Device: "g", Bytes: 5}}},
		{"whole, beside no other slot", half, []SlotView{wants(0, on(Whole, "g")), upOn("a", 1, "g")}, Evict, []string{"a"}, nil, nil},
		{"whole of nothing", full, []SlotView{wants(0, on(Whole, "g"))}, NoMemory, nil, nil, nil},
		{"whole, beside a stuck one", half, []SlotView{wants(0, on(Whole, "g")), upOn("a", 5, "g", stuckFast)}, Admit, nil, nil, []device.Share{{Device: "g", Bytes: 5}}},
		{"too large", one, []SlotView{wants(0, on(11, "g"))}, TooLarge, nil, nil, nil},
		{"nowhere", one, []SlotView{wants(0)}, Lost, nil, nil, nil},
		{"device lost", one, []SlotView{wants(0, Choice{Lost: true, Shares: on(1, "g").Shares})}, Lost, nil, nil, nil},
		{"no limit", []AccountView{{ID: "g", Capacity: device.Unknown, Free: device.Unknown}}, []SlotView{wants(0, on(1<<50, "g"))}, Admit, nil, nil, []device.Share{{Device: "g", Bytes: 1 << 50}}},
		{"the second choice has room", two, []SlotView{wants(0, on(4, "g"), on(4, "h")), upOn("a", 10, "g")}, Admit, nil, nil, []device.Share{{Device: "h", Bytes: 4}}},
		{"idle goes", full, []SlotView{wants(0, on(5, "g")), upOn("a", 10, "g")}, Evict, []string{"a"}, nil, nil},
		{"pinned stays", full, []SlotView{wants(time.Hour, on(5, "g")), upOn("a", 10, "g", pinned)}, NoMemory, nil, nil, nil},
		{"stuck stays", full, []SlotView{wants(time.Hour, on(5, "g")), upOn("a", 10, "g", stuckFast)}, NoMemory, nil, nil, nil},
		{"others' use", full, []SlotView{wants(time.Hour, on(5, "g"))}, NoMemory, nil, nil, nil},
		{"going is waited for", full, []SlotView{wants(0, on(5, "g")), upOn("a", 5, "g", goingAway), upOn("b", 5, "g")}, Wait, nil, nil, nil},
		{"lowest priority first", full, []SlotView{wants(0, on(5, "g")), upOn("a", 5, "g", priority(2), idleFor(time.Hour)), upOn("b", 5, "g", priority(1))}, Evict, []string{"b"}, nil, nil},
		{"longest idle first", full, []SlotView{wants(0, on(5, "g")), upOn("a", 5, "g"), upOn("b", 5, "g", idleFor(time.Hour))}, Evict, []string{"b"}, nil, nil},
		{"cheapest to reload first", full, []SlotView{wants(0, on(5, "g")), upOn("a", 5, "g", reloads(time.Minute)), upOn("b", 5, "g")}, Evict, []string{"b"}, nil, nil},
		{"no more than needed", full, []SlotView{wants(0, on(5, "g")), upOn("a", 2, "g", idleFor(time.Hour)), upOn("b", 3, "g"), upOn("c", 5, "g", reloads(time.Hour))}, Evict, []string{"a", "b"}, nil, nil},
		{"spares who need not go", full, []SlotView{wants(0, on(5, "g")), upOn("a", 2, "g", priority(-2)), upOn("b", 8, "g", priority(-1))}, Evict, []string{"b"}, nil, nil},
		{"busy is waited for", full, []SlotView{wants(time.Minute, on(5, "g")), upOn("a", 10, "g", serving)}, Wait, nil, nil, nil},
		{"idle before busy", full, []SlotView{wants(time.Hour, on(5, "g")), upOn("a", 5, "g", serving), upOn("b", 5, "g", priority(9))}, Evict, []string{"b"}, nil, nil},
		{"busy is shut for who starves", full, []SlotView{wants(2*time.Minute, on(5, "g")), upOn("a", 10, "g", serving, waiting)}, Wait, nil, []string{"a"}, nil},
		{"who was shut and is empty goes", full, []SlotView{wants(3*time.Minute, on(5, "g")), upOn("a", 10, "g", waiting, shut)}, Evict, []string{"a"}, nil, nil},
		{"who was shut is chosen again", full, []SlotView{wants(3*time.Minute, on(5, "g")), upOn("a", 5, "g", serving, idleFor(time.Hour)), upOn("b", 5, "g", serving, shut)}, Wait, nil, []string{"b"}, nil},
		{"who came up serves those who waited", full, []SlotView{wants(time.Hour, on(5, "g")), upOn("a", 10, "g", serving, cameUp(time.Second, 2))}, Wait, nil, nil, nil},
		{"but not for ever", full, []SlotView{wants(time.Hour, on(5, "g")), upOn("a", 10, "g", serving, cameUp(2*time.Minute, 2))}, Wait, nil, []string{"a"}, nil},
		{"and no one later", full, []SlotView{wants(time.Hour, on(5, "g")), upOn("a", 10, "g", serving, waiting, cameUp(time.Second, 0))}, Wait, nil, []string{"a"}, nil},
		{"loading is waited for", full, []SlotView{wants(time.Hour, on(5, "g")), upOn("a", 10, "g", loading)}, Wait, nil, nil, nil},
		{"one load at a time", []AccountView{{ID: "g", Capacity: 10, Free: 5, Serial: true}}, []SlotView{wants(0, on(5, "g")), upOn("a", 5, "g", loading)}, Wait, nil, nil, nil},
		{"two loads on the host", half, []SlotView{wants(0, on(5, "g")), upOn("a", 5, "g", loading)}, Admit, nil, nil, []device.Share{{Device: "g", Bytes: 5}}},
		{"an older claim", []AccountView{{ID: "g", Capacity: 10, Free: 10, Blocked: true}}, []SlotView{wants(0, on(5, "g"))}, Wait, nil, nil, nil},
		{"both devices", two, []SlotView{wants(0, on(4, "g", "h")), upOn("a", 10, "g"), upOn("b", 6, "h")}, Evict, []string{"a"}, nil, nil},
		{"other devices are let alone", two, []SlotView{wants(0, on(4, "g")), upOn("a", 10, "g"), upOn("b", 6, "h", idleFor(time.Hour))}, Evict, []string{"a"}, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Plan(View{Now: noon, Starvation: 2 * time.Minute, Slots: c.slots, Accounts: c.accounts}, "want")
			if got.Verdict != c.want || !slices.Equal(got.Evict, c.evict) || !slices.Equal(got.Shut, c.shut) || !slices.Equal(got.Place.Shares, c.place) {
				t.Errorf("got %+v, want verdict %d, evict %v, shut %v, place %v", got, c.want, c.evict, c.shut, c.place)
			}
		})
	}
}

// randomView makes a view that could be: what is free is at most what the
// ledger has left.
func randomView(r *rand.Rand) View {
	v := View{Now: noon, Starvation: 2 * time.Minute}
	used := map[device.ID]int64{}
	for i := range r.IntN(6) {
		account := device.ID(fmt.Sprint(r.IntN(3)))
		s := upOn(fmt.Sprint("s", i), r.Int64N(6), account, priority(r.Int64N(3)), idleFor(time.Duration(r.IntN(300))*time.Second),
			cameUp(time.Duration(r.IntN(300))*time.Second, r.IntN(3)), reloads(time.Duration(r.IntN(100))*time.Second))
		s.Standing = Standing(r.IntN(5) + 1)
		s.Pin, s.Shut = r.IntN(5) == 0, r.IntN(5) == 0
		if s.Standing == Up {
			s.Leases, s.Waiting = r.IntN(3), r.IntN(3)
		}
		if s.Standing == Down {
			s.Holds = nil
		}
		used[account] += holds(s, account)
		v.Slots = append(v.Slots, s)
	}
	for i := range 3 {
		id := device.ID(fmt.Sprint(i))
		capacity := used[id] + r.Int64N(6)
		v.Accounts = append(v.Accounts, AccountView{
			ID: id, Capacity: capacity, Free: r.Int64N(capacity - used[id] + 1), Serial: r.IntN(2) == 0, Blocked: r.IntN(8) == 0,
		})
	}
	w := wants(time.Duration(r.IntN(240)) * time.Second)
	for range r.IntN(3) + 1 {
		n := r.Int64N(9)
		if r.IntN(9) == 0 {
			n = Whole
		}
		c := on(n, device.ID(fmt.Sprint(r.IntN(3))))
		if r.IntN(4) == 0 {
			c = on(n, "0", "1")
		}
		c.Lost = r.IntN(8) == 0
		w.Choices = append(w.Choices, c)
	}
	v.Slots = append(v.Slots, w)
	return v
}

// TestPlanProperties: what must hold of every decision.
func TestPlanProperties(t *testing.T) {
	seen := map[Verdict]int{}
	for seed := range uint64(5_000) {
		v := randomView(rand.New(rand.NewPCG(seed, 1)))
		d := Plan(v, "want")
		seen[d.Verdict]++
		if !reflect.DeepEqual(v, randomView(rand.New(rand.NewPCG(seed, 1)))) {
			t.Fatalf("seed %d: Plan changed its view", seed)
		}
		if again := Plan(v, "want"); !reflect.DeepEqual(again, d) {
			t.Fatalf("seed %d: Plan decides %+v, then %+v", seed, d, again)
		}
		if err := sound(v, d); err != nil {
			t.Fatalf("seed %d: %v\nview %+v\ndecision %+v", seed, err, v, d)
		}
	}
	for verdict := Admit; verdict <= TooLarge; verdict++ {
		if seen[verdict] < 10 {
			t.Errorf("verdict %d was seen %d times: the views are too narrow", verdict, seen[verdict])
		}
	}
}

// sound says what is wrong with a decision.
func sound(v View, d Decision) error {
	slots := map[string]SlotView{}
	for _, s := range v.Slots {
		slots[s.ID] = s
	}
	p := planner{View: v, want: slots["want"]}
	for _, id := range append(slices.Clone(d.Evict), d.Shut...) {
		if s := slots[id]; s.Standing != Up || s.Pin || id == "want" {
			return fmt.Errorf("%s must not go", id)
		}
	}
	for _, id := range d.Evict {
		if s := slots[id]; s.Leases > 0 || s.Waiting > 0 && !s.Shut {
			return fmt.Errorf("%s goes while it serves somebody", id)
		}
	}
	for _, id := range d.Shut {
		if s := slots[id]; v.Now.Sub(p.want.Oldest) < v.Starvation || p.want.Oldest.IsZero() || s.Backlog > 0 && v.Now.Sub(s.UpSince) < v.Starvation {
			return fmt.Errorf("%s is shut too early", id)
		}
	}
	switch d.Verdict {
	case Admit:
		if !p.fits(d.Place, nil) || p.occupied(d.Place) {
			return fmt.Errorf("it does not fit")
		}
	case Evict:
		for i := range d.Evict {
			var spared []SlotView
			for j, id := range d.Evict {
				if i != j {
					spared = append(spared, slots[id])
				}
			}
			if p.fits(mustResolve(p, d.Near), append(spared, p.standing(Going)...)) {
				return fmt.Errorf("%s goes for nothing", d.Evict[i])
			}
		}
	case NoMemory:
		// Nothing that may go, or is about to, would make room anywhere.
		for _, c := range p.want.Choices {
			place, verdict := p.resolve(c)
			idle, busy := p.victims(place)
			if verdict == 0 && (p.occupied(place) || p.fits(place, slices.Concat(idle, busy, p.standing(Going), p.evictableSoon()))) {
				return fmt.Errorf("there is a way: %v", c)
			}
		}
	case TooLarge:
		for _, c := range p.want.Choices {
			if _, verdict := p.resolve(c); verdict != TooLarge {
				return fmt.Errorf("it is not too large for %v", c)
			}
		}
	case Wait, Lost:
	}
	return nil
}

func mustResolve(p planner, c Choice) Choice {
	place, _ := p.resolve(c)
	return place
}

func TestQueueIsFair(t *testing.T) {
	var q queue[string]
	for _, v := range []string{"a1", "a2", "a3", "a4", "b1", "b2", "c1"} {
		q.push(v[:1], v, false)
	}
	q.push("a", "a0", true)
	any := func(string) bool { return true }
	take := func(may func(string) bool) string { v, _ := q.pop(may); return v }
	var got []string
	for range 4 {
		got = append(got, take(any))
	}
	if want := []string{"a0", "b1", "c1", "a1"}; !slices.Equal(got, want) {
		t.Errorf("order is %v, want %v", got, want)
	}
	q.push("c", "c2", false) // lanes in turn: b, a, c
	q.unpop("a", "a1")
	if !q.remove("a2") || q.remove("a2") || q.remove("zz") {
		t.Error("remove does not say what it did")
	}
	if v := take(func(v string) bool { return v[0] != 'a' }); v != "b2" {
		t.Errorf("got %s past a lane that may not, want b2", v)
	}
	if _, ok := q.pop(func(string) bool { return false }); ok || q.len != 4 {
		t.Errorf("%d wait, want 4", q.len)
	}
	if got, want := q.clear(), []string{"a1", "a3", "a4", "c2"}; !slices.Equal(got, want) || q.len != 0 {
		t.Errorf("left is %v, want %v", got, want)
	}
	if _, ok := q.pop(any); ok {
		t.Error("an empty queue gave something")
	}
}

// FuzzQueue compares the queue with what must be true of any fair one.
func FuzzQueue(f *testing.F) {
	f.Add([]byte{0, 1, 2, 0x80, 0x41, 3})
	f.Fuzz(func(t *testing.T, ops []byte) {
		var q queue[int]
		waits := map[int]string{}
		for i, op := range ops {
			lane := fmt.Sprint(op & 3)
			switch {
			case op >= 0xc0:
				q.remove(int(op & 0x3f))
				delete(waits, int(op&0x3f))
			case op >= 0x80:
				v, ok := q.pop(func(int) bool { return true })
				if ok != (len(waits) > 0) {
					t.Fatalf("pop says %t with %d waiting", ok, len(waits))
				}
				delete(waits, v)
			default:
				q.push(lane, i, op&0x40 != 0)
				waits[i] = lane
			}
			if q.len != len(waits) || len(slices.Collect(q.all)) != len(waits) {
				t.Fatalf("length is %d, holds %d, want %d", q.len, len(slices.Collect(q.all)), len(waits))
			}
		}
	})
}
