package main

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestNextPreload(t *testing.T) {
	now := time.Date(2026, 3, 4, 7, 30, 0, 0, time.UTC)
	for _, c := range []struct {
		name, schedule string // slot=15:04 …
		due, slots     string
	}{
		{"nothing", "", "", ""},
		{"later today", "a=08:00", "2026-03-04 08:00", "a"},
		{"earlier today is tomorrow", "a=07:00", "2026-03-05 07:00", "a"},
		{"this minute is tomorrow", "a=07:30", "2026-03-05 07:30", "a"},
		{"the first of several", "a=09:00 b=08:00 c=06:00", "2026-03-04 08:00", "b"},
		{"two at once", "a=08:00 b=08:00", "2026-03-04 08:00", "a b"},
	} {
		schedule := map[string]string{}
		for _, s := range strings.Fields(c.schedule) {
			id, at, _ := strings.Cut(s, "=")
			schedule[id] = at
		}
		due, slots := nextPreload(now, schedule)
		slices.Sort(slots)
		got := ""
		if len(slots) > 0 {
			got = due.Format("2006-01-02 15:04")
		}
		if got != c.due || strings.Join(slots, " ") != c.slots {
			t.Errorf("%s: %s %v, want %s %s", c.name, got, slots, c.due, c.slots)
		}
	}
}

func TestPreloaderLoadsEachDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var loads []string
		p := newPreloader(func(_ context.Context, id string) error {
			mu.Lock()
			defer mu.Unlock()
			loads = append(loads, id+" "+time.Now().Format("02 15:04"))
			return nil
		})
		p.schedules <- map[string]string{"a": time.Now().Add(time.Hour).Format("15:04")}
		time.Sleep(49 * time.Hour)
		synctest.Wait()
		p.close()
		first := time.Now().Add(-48 * time.Hour)
		want := []string{"a " + first.Format("02 15:04"), "a " + first.Add(24*time.Hour).Format("02 15:04"), "a " + first.Add(48*time.Hour).Format("02 15:04")}
		if !slices.Equal(loads, want) {
			t.Errorf("loads = %q, want %q", loads, want)
		}
	})
}
