package pool

import (
	"fmt"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/slot"
)

// reply is what a slot's state means for a request that waits.
type reply struct {
	refuse  bool
	code    string
	message string
	final   bool      // trying again cannot help
	retry   time.Time // when it may; zero = soon
}

// respond decides what waiting requests get in the slot's state: held, or
// refused at once. It is pure.
func respond(s slot.Snapshot, now time.Time, hold time.Duration) reply {
	switch s.State {
	case slot.Pulling:
		return respondPulling(s, now, hold)
	case slot.ErrorStop, slot.ErrorRelease, slot.ErrorBackoff:
		return respondFailed(s, now, hold)
	case slot.Error:
		return reply{refuse: true, code: s.Trouble.Code, message: s.Trouble.Message, final: true}
	case slot.ErrorStuck:
		return reply{
			refuse: true, code: wire.CodeCrashLooping, message: "the engine's process cannot be ended; the slot waits for it",
			retry: now.Add(hold),
		}
	case slot.Offline, slot.StartingMemory, slot.Starting, slot.Warming, slot.Ready, slot.Serving, slot.Idle,
		slot.UnloadingDrain, slot.UnloadingStop, slot.UnloadingRelease:
		return reply{}
	}
	return reply{refuse: true, code: wire.CodeInternal, message: "the slot is in no state that is known"}
}

func respondPulling(s slot.Snapshot, now time.Time, hold time.Duration) reply {
	left, ok := pullLeft(s, now)
	if !ok || left <= hold {
		return reply{}
	}
	percent := int(100 * s.Pull.Done / s.Pull.Total)
	return reply{
		refuse: true, code: wire.CodeSlotLoading, retry: now.Add(left),
		message: fmt.Sprintf("the model is being fetched: %d %%, about %s left", percent, left.Round(time.Second)),
	}
}

// pullLeft extrapolates the rest of a fetch; ok is false while nobody can know.
func pullLeft(s slot.Snapshot, now time.Time) (left time.Duration, ok bool) {
	took := now.Sub(s.Since)
	if s.Pull == nil || s.Pull.Total <= 0 || s.Pull.Done <= s.Pull.Start || took < 2*time.Second {
		return 0, false
	}
	perByte := took.Seconds() / float64(s.Pull.Done-s.Pull.Start)
	return time.Duration(perByte * float64(s.Pull.Total-s.Pull.Done) * float64(time.Second)), true
}

func respondFailed(s slot.Snapshot, now time.Time, hold time.Duration) reply {
	t := s.Trouble
	switch {
	case t.Exit.Class.Stays():
		return reply{refuse: true, code: t.Code, message: t.Message, final: true}
	case s.Looping:
		return reply{
			refuse: true, code: wire.CodeCrashLooping, retry: s.RetryAt,
			message: fmt.Sprintf("the engine failed %d times in a row; it is tried again after a pause", s.Failures),
		}
	case s.RetryAt.Sub(now) > hold:
		return reply{refuse: true, code: t.Code, message: t.Message, retry: s.RetryAt}
	}
	return reply{}
}

// answer tells those who wait what they have to hear in this state.
func (e *entry) answer() {
	now := time.Now()
	a := respond(e.snap, now, e.pool.cfg.Hold)
	if !a.refuse {
		return
	}
	base := 0
	if !a.retry.IsZero() {
		base = clampSeconds(a.retry.Sub(now))
	}
	e.refuseAll(a.code, a.message, base, a.final)
}

// ended tells everyone who waits for the boot that it failed; a failure that
// one more try is likely to mend is not told.
func (e *entry) ended(end slot.Ending) {
	if e.mendable(end) {
		return
	}
	until := e.snap.RetryAt
	if lost := e.pool.lostUntil(e); end.Exit.Class == slot.ClassGPU && lost.After(until) {
		until = lost
	}
	retry := 0
	if wait := time.Until(until); wait > 0 {
		retry = clampSeconds(wait)
	}
	e.refuseAll(end.Code, end.Message, retry, end.Exit.Class.Stays())
}

// mendable reports whether those who wait are held through the next try: the
// port was taken, or the learned need has just been raised.
func (e *entry) mendable(end slot.Ending) bool {
	switch end.Exit.Class {
	case slot.ClassPort:
		return e.snap.Failures < 3
	case slot.ClassOOM:
		return e.snap.Failures < 2
	}
	return false
}

// refuseAll ends every waiting ticket and every Load. Retry-After is spread, so
// that they do not all come back at once.
func (e *entry) refuseAll(code, message string, retry int, final bool) {
	first := e.refusal(code, message, retry, final)
	e.answerLoads(first)
	if e.demand = nobody; e.spec.Model.Preload && !final { // tried again after a pause
		e.demand, e.calm = idly, time.Now().Add(e.pool.cfg.Hold)
	}
	for _, t := range e.queue.clear() {
		t.refuse(e.refusal(code, message, max(retry, 1)+int(t.number%5), final))
	}
	e.backlog = 0
}

func (e *entry) refusal(code, message string, retry int, final bool) *Refusal {
	r := refusal(code, message, e.snap, retry)
	if e.snap.Trouble != nil {
		r.Details.Exit = string(e.snap.Trouble.Exit.Class)
	}
	if final {
		r.Details.Retryable, r.Details.RetryAfterS = false, 0
	}
	return r
}

// refusal makes a refusal; one that may be retried says when, in seconds.
func refusal(code, message string, s slot.Snapshot, retry int) *Refusal {
	f := wire.NewFailure(code, message)
	f.Details.Slot = s.ID
	if s.State != 0 {
		f.Details.State = s.State.String()
	}
	if f.Details.Retryable {
		f.Details.RetryAfterS = max(retry, 1)
	}
	return &Refusal{Failure: f, State: s.State}
}

// clampSeconds rounds up to whole seconds, within a minute's reason: 1 s to
// 15 min.
func clampSeconds(d time.Duration) int {
	return int(min(max((d+time.Second-1)/time.Second, 1), 900))
}
