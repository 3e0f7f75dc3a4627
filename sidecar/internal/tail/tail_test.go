package tail

import (
	"fmt"
	"sync"
	"testing"
)

func TestOldLinesGo(t *testing.T) {
	var b Book
	for i := range kept + 7 {
		b.Add("s", fmt.Sprint(i))
	}
	got := b.Lines("s")
	if len(got) != kept || got[0] != "7" || got[kept-1] != fmt.Sprint(kept+6) {
		t.Errorf("%d lines from %s to %s, want %d from 7 to %d", len(got), got[0], got[len(got)-1], kept, kept+6)
	}
	if other := b.Lines("other"); len(other) != 0 {
		t.Errorf("another slot has lines: %q", other)
	}
}

func TestFollowLosesAndDoublesNothing(t *testing.T) {
	var b Book
	const n = 200
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := range n {
			b.Add("s", fmt.Sprint(i))
		}
	})
	past, coming, stop := b.Follow("s")
	defer stop()
	for len(past) < n {
		past = append(past, <-coming)
	}
	writer.Wait()
	for i, line := range past {
		if line != fmt.Sprint(i) {
			t.Fatalf("line %d is %q", i, line)
		}
	}
}

func TestASlowFollowerIsToldWhatItMissed(t *testing.T) {
	var b Book
	_, coming, stop := b.Follow("s")
	for i := range behind + 5 {
		b.Add("s", fmt.Sprint(i))
	}
	for range behind {
		<-coming
	}
	b.Add("s", "next")
	if note, line := <-coming, <-coming; note != "[5 lines missed]" || line != "next" {
		t.Errorf("got %q and %q", note, line)
	}
	stop()
	stop()
	b.Add("s", "after")
	select {
	case line := <-coming:
		t.Errorf("got %q after stop", line)
	default:
	}
}
