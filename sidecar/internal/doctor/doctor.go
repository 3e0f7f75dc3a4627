// Package doctor looks at a box and says what hal0 will find there, and what to
// do about it.
//
// A Check is one question; its Findings are its answers. Checks run at the same
// time, each in a goroutine of its own, and Run returns when all have answered
// or their time is over: a driver, a disk or a tool that hangs becomes a finding
// and is waited for by nobody.
package doctor

import (
	"context"
	"fmt"
	"time"
)

// Level of a finding.
type Level uint8

// Levels.
const (
	OK      Level = iota + 1 // as it should be
	Note                     // works, but the operator should know
	Problem                  // will not work
)

func (l Level) String() string {
	switch l {
	case OK:
		return "ok"
	case Note:
		return "note"
	case Problem:
		return "problem"
	}
	return fmt.Sprintf("Level(%d)", uint8(l))
}

// MarshalText gives the level's name.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// Finding is one answer.
type Finding struct {
	Check  string `json:"check"`
	Level  Level  `json:"level"`
	Text   string `json:"text"`
	Advice string `json:"advice,omitempty"` // what to do
}

// Check is one question. Look has until ctx ends.
type Check struct {
	Name string
	Look func(ctx context.Context) []Finding
}

// slack is what a check has to return in after its time is over.
const slack = 500 * time.Millisecond

// Run asks every check, at most within long, and returns their findings in the
// order of the checks.
func Run(ctx context.Context, checks []Check, within time.Duration) []Finding {
	bounded, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	answers := make([]chan []Finding, len(checks))
	for i, c := range checks {
		answers[i] = make(chan []Finding, 1)
		go func() { answers[i] <- c.Look(bounded) }()
	}
	over := time.NewTimer(within + slack)
	defer over.Stop()
	var all []Finding
	late := false
	for i, c := range checks {
		var found []Finding
		answered := false
		if !late {
			select {
			case found = <-answers[i]:
				answered = true
			case <-over.C:
				late = true
			}
		}
		if !answered {
			select {
			case found = <-answers[i]:
			default:
				found = []Finding{{Level: Problem, Text: fmt.Sprintf("no answer within %s", within), Advice: "Something hangs: a driver, a disk or a network file system. The kernel's log (dmesg) says more."}}
			}
		}
		for _, f := range found {
			f.Check = c.Name
			all = append(all, f)
		}
	}
	return all
}

// Worst is the worst level of the findings; OK where there are none.
func Worst(all []Finding) Level {
	worst := OK
	for _, f := range all {
		worst = max(worst, f.Level)
	}
	return worst
}
