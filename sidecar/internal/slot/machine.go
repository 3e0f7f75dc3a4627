package slot

import "fmt"

// State is where a slot is in its life. String is the name on the wire; states
// that share it differ by Phase.
type State uint8

const (
	Offline          State = iota + 1 // no process, no memory
	Pulling                           // fetching the model's files
	StartingMemory                    // waiting for memory
	Starting                          // memory held, process launched or being launched
	Warming                           // the process answered, but is not (or no longer) known to serve
	Ready                             // up, no lease since it came up
	Serving                           // up, at least one lease
	Idle                              // up, no lease now
	UnloadingDrain                    // no new lease, the last ones may end
	UnloadingStop                     // the process was told to end
	UnloadingRelease                  // no process, its memory is not free yet
	ErrorStop                         // failed, the process was told to end
	ErrorRelease                      // failed, no process, its memory is not free yet
	ErrorBackoff                      // failed, tried again after a pause
	Error                             // failed for a reason that stays
	ErrorStuck                        // the process survived KILL and keeps its memory

	endOfStates
)

var stateNames = [endOfStates]struct{ name, phase string }{
	Offline:          {"offline", ""},
	Pulling:          {"pulling", ""},
	StartingMemory:   {"starting", "memory"},
	Starting:         {"starting", ""},
	Warming:          {"warming", ""},
	Ready:            {"ready", ""},
	Serving:          {"serving", ""},
	Idle:             {"idle", ""},
	UnloadingDrain:   {"unloading", "drain"},
	UnloadingStop:    {"unloading", "stop"},
	UnloadingRelease: {"unloading", "release"},
	ErrorStop:        {"error", "stop"},
	ErrorRelease:     {"error", "release"},
	ErrorBackoff:     {"error", "backoff"},
	Error:            {"error", ""},
	ErrorStuck:       {"error", "stuck"},
}

// States lists every state, in the order of a slot's life.
func States() []State {
	all := make([]State, 0, endOfStates-1)
	for s := Offline; s < endOfStates; s++ {
		all = append(all, s)
	}
	return all
}

// String is the state's name on the wire.
func (s State) String() string {
	if s == 0 || s >= endOfStates {
		return fmt.Sprintf("State(%d)", uint8(s))
	}
	return stateNames[s].name
}

// Phase tells apart states of one name, "" = the plain one.
func (s State) Phase() string {
	if s == 0 || s >= endOfStates {
		return ""
	}
	return stateNames[s].phase
}

// Full is the name with its phase: unique, for logs and the golden file.
func (s State) Full() string {
	if p := s.Phase(); p != "" {
		return s.String() + "/" + p
	}
	return s.String()
}

// MarshalText gives the name on the wire.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Up reports whether leases are granted in s.
func (s State) Up() bool { return s == Ready || s == Serving || s == Idle }

// Coming reports whether the slot is on its way up in s.
func (s State) Coming() bool {
	return s == Pulling || s == StartingMemory || s == Starting || s == Warming
}

// Going reports whether the slot is on its way down in s, unfailed.
func (s State) Going() bool {
	return s == UnloadingDrain || s == UnloadingStop || s == UnloadingRelease
}

// Failed reports whether s is one of the states named error.
func (s State) Failed() bool {
	return s == ErrorStop || s == ErrorRelease || s == ErrorBackoff || s == Error || s == ErrorStuck
}

// Resting reports whether nothing runs and nothing is held in s.
func (s State) Resting() bool { return s == Offline || s == ErrorBackoff || s == Error }

// Event is what happens to a slot.
type Event uint8

const (
	Want         Event = iota + 1 // somebody wants it up
	Fetch                         // somebody wants it up, and its files may have to be fetched
	Fetched                       // the files are there
	FetchFailed                   // they could not be fetched
	Granted                       // memory was granted
	Denied                        // memory cannot be had now
	Condemn                       // the failure is of a kind that stays
	Launched                      // there is a process
	LaunchFailed                  // there is no process
	Answered                      // the process answered its probe
	Warmed                        // the warm-up is over
	Taken                         // a lease was granted
	Emptied                       // the last lease ended
	Doubt                         // what was up may not serve: it says that it loads, or the machine slept
	Overdue                       // it did not come up in its time, or stalled
	Sick                          // it was up and no longer shows life
	Exited                        // the process ended
	Unload                        // told to go
	IdleOver                      // nobody used it for long enough
	Drained                       // no lease is left while going
	DrainOver                     // the time to drain is over
	GraceOver                     // the time to end after TERM is over
	KillOver                      // the time to end after KILL is over
	Freed                         // the devices show the memory as free, or were waited for long enough
	BackoffOver                   // the pause after a failure is over
	Reset                         // failures are to be forgotten: told so, or their cause has changed

	endOfEvents
)

var eventNames = [endOfEvents]string{
	Want: "want", Fetch: "fetch", Fetched: "fetched", FetchFailed: "fetch_failed",
	Granted: "granted", Denied: "denied", Condemn: "condemn",
	Launched: "launched", LaunchFailed: "launch_failed", Answered: "answered", Warmed: "warmed",
	Taken: "taken", Emptied: "emptied", Doubt: "doubt", Overdue: "overdue", Sick: "sick", Exited: "exited",
	Unload: "unload", IdleOver: "idle_over", Drained: "drained", DrainOver: "drain_over", GraceOver: "grace_over", KillOver: "kill_over",
	Freed: "freed", BackoffOver: "backoff_over", Reset: "reset",
}

func (e Event) String() string {
	if e == 0 || e >= endOfEvents {
		return fmt.Sprintf("Event(%d)", uint8(e))
	}
	return eventNames[e]
}

// Effect is what the slot's goroutine does on a transition.
type Effect uint8

const (
	Pull       Effect = iota + 1 // start fetching the files
	Abort                        // end what this incarnation has under way without a process
	Launch                       // start the process
	Watch                        // wait for the process to end
	Probe                        // ask the process until it answers
	Warm                         // warm up, if the process can
	Open                         // it is up: watch its health, count its idle time
	Tell                         // every waiter hears the failure
	Blame                        // count the failure, fix the pause after it
	Revoke                       // the leases are lost
	Drain                        // limit the time to drain
	Terminate                    // TERM, or abort the launch; limit the time to end
	Kill                         // KILL; limit the time to end
	Settle                       // wait until the devices show the memory as free
	Free                         // give the memory back
	Quarantine                   // the memory is held by a process that nobody can end
	Rest                         // wait for the end of the pause
	Recheck                      // watch for a change of what made it fail
	Forget                       // forget the failures

	endOfEffects
)

var effectNames = [endOfEffects]string{
	Pull: "Pull", Abort: "Abort", Launch: "Launch", Watch: "Watch", Probe: "Probe", Warm: "Warm", Open: "Open",
	Tell: "Tell", Blame: "Blame", Revoke: "Revoke", Drain: "Drain", Terminate: "Terminate", Kill: "Kill",
	Settle: "Settle", Free: "Free", Quarantine: "Quarantine", Rest: "Rest", Recheck: "Recheck", Forget: "Forget",
}

func (e Effect) String() string {
	if e == 0 || e >= endOfEffects {
		return fmt.Sprintf("Effect(%d)", uint8(e))
	}
	return effectNames[e]
}

// Cell is one cell of the table: where an event leads, and what is done on the
// way, in order.
type Cell struct {
	To State
	Do []Effect
}

// IllegalTransition is an event in a state that has no cell for it: a defect.
type IllegalTransition struct {
	State State
	Event Event
}

func (e *IllegalTransition) Error() string {
	return fmt.Sprintf("event %s is illegal in state %s", e.Event, e.State.Full())
}

// Next looks a transition up. Its error is an *IllegalTransition.
func Next(s State, e Event) (Cell, error) {
	if s == 0 || s >= endOfStates || e == 0 || e >= endOfEvents || table[s][e].To == 0 {
		return Cell{}, &IllegalTransition{State: s, Event: e}
	}
	return table[s][e], nil
}
