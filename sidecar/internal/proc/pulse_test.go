package proc

import (
	"testing"
	"time"
)

func TestPulse(t *testing.T) {
	began := time.Now()
	var p pulse
	for _, c := range []struct {
		at   time.Duration
		use  Usage
		want time.Duration // when growth was seen last; -1 = never
	}{
		{0, Usage{}, -1},
		{500 * time.Millisecond, Usage{RSS: 1 << 30}, -1}, // too early to look again
		{time.Second, Usage{RSS: 10 << 20}, time.Second},
		{2 * time.Second, Usage{RSS: 10<<20 + 4096}, time.Second}, // noise
		{3 * time.Second, Usage{RSS: 11 << 20}, 3 * time.Second},
		{4 * time.Second, Usage{RSS: 5 << 20}, 3 * time.Second}, // gave some back
		{5 * time.Second, Usage{RSS: 6 << 20}, 5 * time.Second},
		{6 * time.Second, Usage{RSS: 6 << 20, ReadBytes: 1}, 6 * time.Second},
		{7 * time.Second, Usage{RSS: 6 << 20, ReadBytes: 1}, 6 * time.Second},
	} {
		got := p.look(began.Add(c.at), func() (Usage, error) { return c.use, nil })
		if c.want < 0 && !got.IsZero() || c.want >= 0 && !got.Equal(began.Add(c.want)) {
			t.Errorf("at %v: growth at %v, want %v", c.at, got.Sub(began), c.want)
		}
	}
	if got := p.look(began.Add(time.Minute), func() (Usage, error) { return Usage{}, errNoUsage }); !got.Equal(began.Add(6 * time.Second)) {
		t.Error("an error counts as growth")
	}
}
