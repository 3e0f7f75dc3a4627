package main

import (
	"fmt"
	"time"
)

// progress is how far a slot is on its way up.
type progress struct {
	part float64 // below 0 = nobody knows
	text string
}

// progressOf reads it off a snapshot. ok is false where the slot is not on its
// way up.
func progressOf(s shown, now time.Time) (p progress, ok bool) {
	switch s.State {
	case "pulling":
		return pullProgress(s, now), true
	case "starting", "warming":
		return bootProgress(s, now), true
	}
	return progress{}, false
}

func pullProgress(s shown, now time.Time) progress {
	if s.Pull == nil || s.Pull.Total <= 0 {
		return progress{part: -1, text: "fetching"}
	}
	p := progress{part: float64(s.Pull.Done) / float64(s.Pull.Total)}
	p.text = fmt.Sprintf("%s of %s", size(s.Pull.Done), size(s.Pull.Total))
	if got, took := s.Pull.Done-s.Pull.Start, now.Sub(s.Since); got > 0 && took > 0 {
		left := time.Duration(float64(took) * float64(s.Pull.Total-s.Pull.Done) / float64(got))
		p.text += ", " + brief(left) + " left"
	}
	return p
}

func bootProgress(s shown, now time.Time) progress {
	if s.Phase == "memory" || s.Boot == nil {
		return progress{part: -1, text: "waits for memory, " + brief(now.Sub(s.Since))}
	}
	took := now.Sub(s.Boot.Began)
	if s.Boot.ETA <= 0 {
		return progress{part: -1, text: brief(took) + ", first time: no estimate yet"}
	}
	p := progress{part: min(took.Seconds()/s.Boot.ETA.Seconds(), 0.99)}
	if left := s.Boot.ETA - took; left > 0 {
		p.text = brief(left) + " left of about " + brief(s.Boot.ETA)
	} else {
		p.text = brief(took) + ", longer than the usual " + brief(s.Boot.ETA)
	}
	return p
}
