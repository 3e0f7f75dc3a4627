package trace

import (
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/api"
)

// phase is a part of a request's time.
type phase struct {
	name     string
	from, to time.Time
}

// phases divides the time of a request. One that joined a flight late has no
// part in what came before it.
func phases(a api.Answered, came, end time.Time) []phase {
	t := a.Times
	if t.Queued.IsZero() { // it was refused at once
		return nil
	}
	at := func(times ...time.Time) time.Time {
		for _, one := range times {
			if !one.IsZero() {
				return one
			}
		}
		return end
	}
	dispatched := at(t.Dispatched)
	up := t.Queued
	switch {
	case t.Dispatched.IsZero() && a.Cold:
		up = end // it never came up for this one
	case t.Up.After(up):
		up = t.Up
	}
	var out []phase
	for _, p := range []phase{
		{"boot", t.Queued, up},
		{"queue", up, dispatched},
		{"prefill", dispatched, at(t.First)},
		{"stream", at(t.First), end},
	} {
		if p.from.Before(came) {
			p.from = came
		}
		if p.to.After(end) {
			p.to = end
		}
		if p.from.Before(p.to) {
			out = append(out, p)
		}
	}
	return out
}
