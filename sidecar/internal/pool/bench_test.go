package pool

import (
	"context"
	"testing"

	"github.com/hal0-dev/hal0/sidecar/internal/slot/slottest"
)

// BenchmarkWarmLease is what a request to a slot that is up pays for its right
// to be sent.
func BenchmarkWarmLease(b *testing.B) {
	p := New(Config{})
	defer p.Close(context.Background())
	p.Configure([]Spec{spec("a", slottest.New(slottest.Behaviour{}), parallel(64))})
	if err := p.Load(b.Context(), "a"); err != nil {
		b.Fatal(err)
	}
	once := func() {
		t := p.Request(Request{Slot: "a", Lane: "x"})
		t.Cold()
		l, err := t.Lease(b.Context())
		if err != nil {
			b.Error(err)
			return
		}
		l.Proved()
		l.Release()
	}
	b.Run("alone", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			once()
		}
	})
	b.Run("crowd", func(b *testing.B) {
		b.ReportAllocs()
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				once()
			}
		})
	})
}

// BenchmarkQueue is a queue of a thousand flights before a slot of one.
func BenchmarkQueue(b *testing.B) {
	p := New(Config{Queue: 2000})
	defer p.Close(context.Background())
	p.Configure([]Spec{spec("a", slottest.New(slottest.Behaviour{}))})
	var tickets []*Ticket
	for range 1000 {
		tickets = append(tickets, p.Request(Request{Slot: "a", Lane: "x"}))
	}
	defer func() {
		for _, t := range tickets {
			t.Cancel()
		}
	}()
	b.ReportAllocs()
	for b.Loop() {
		l, err := tickets[0].Lease(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		tickets = append(tickets[1:], p.Request(Request{Slot: "a", Lane: "x"}))
		l.Release()
	}
}
