package slot

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write golden files")

func states() []State {
	var out []State
	for s := State(1); s < endOfStates; s++ {
		out = append(out, s)
	}
	return out
}

func events() []Event {
	var out []Event
	for e := Event(1); e < endOfEvents; e++ {
		out = append(out, e)
	}
	return out
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, got) {
		t.Errorf("%s is out of date: run go test -update and read the difference", path)
	}
}

func TestTransitionsGolden(t *testing.T) {
	var b bytes.Buffer
	for _, s := range states() {
		for _, e := range events() {
			c, err := Next(s, e)
			if err != nil {
				fmt.Fprintf(&b, "%-17s %-13s -\n", s.Full(), e)
				continue
			}
			line := fmt.Sprintf("%-17s %-13s %s", s.Full(), e, c.To.Full())
			for _, effect := range c.Do {
				line += " +" + effect.String()
			}
			fmt.Fprintln(&b, line)
		}
	}
	golden(t, "testdata/transitions.txt", b.Bytes())
}

// TestDiagram generates lifecycle.md: the states as they are on the wire.
func TestDiagram(t *testing.T) {
	var lines []string
	seen := map[string][]string{}
	for _, s := range states() {
		for _, e := range events() {
			c, err := Next(s, e)
			if err != nil || c.To == s {
				continue
			}
			arrow := fmt.Sprintf("    %s --> %s", ident(s), ident(c.To))
			if seen[arrow] == nil {
				lines = append(lines, arrow)
			}
			seen[arrow] = append(seen[arrow], e.String())
		}
	}
	var b bytes.Buffer
	fmt.Fprint(&b, "# The life of a slot\n\nGenerated from the table in `table.go` by `go test -update`. A state's name on the wire\nis what stands before the slash; what follows is its phase.\n\n```mermaid\nstateDiagram-v2\n    [*] --> offline\n")
	for _, s := range states() {
		if s.Phase() != "" {
			fmt.Fprintf(&b, "    %s: %s\n", ident(s), s.Full())
		}
	}
	for _, l := range lines {
		fmt.Fprintf(&b, "%s: %s\n", l, strings.Join(seen[l], ", "))
	}
	fmt.Fprint(&b, "```\n")
	golden(t, "lifecycle.md", b.Bytes())
}

func ident(s State) string { return strings.ReplaceAll(s.Full(), "/", "_") }

func TestNamesAreUnique(t *testing.T) {
	names := map[string]bool{}
	for _, s := range states() {
		names[s.Full()] = true
	}
	if got, want := len(names), int(endOfStates)-1; got != want {
		t.Errorf("states have %d names, want %d", got, want)
	}
	clear(names)
	for _, e := range events() {
		names[e.String()] = true
	}
	if got, want := len(names), int(endOfEvents)-1; got != want || names[""] {
		t.Errorf("events have %d names, want %d", got, want)
	}
	clear(names)
	for e := Effect(1); e < endOfEffects; e++ {
		names[e.String()] = true
	}
	if got, want := len(names), int(endOfEffects)-1; got != want || names[""] {
		t.Errorf("effects have %d names, want %d", got, want)
	}
}

func TestZeroIsNoState(t *testing.T) {
	for _, e := range append(events(), 0, endOfEvents) {
		if _, err := Next(0, e); err == nil {
			t.Errorf("event %s is legal in no state", e)
		}
	}
	if _, err := Next(endOfStates, Want); err == nil {
		t.Error("a state beyond the last is legal")
	}
}

// TestNoTraps: from every state every state that rests can be reached.
func TestNoTraps(t *testing.T) {
	for _, from := range states() {
		reached := map[State]bool{from: true}
		todo := []State{from}
		for len(todo) > 0 {
			s := todo[0]
			todo = todo[1:]
			for _, e := range events() {
				if c, err := Next(s, e); err == nil && !reached[c.To] {
					reached[c.To] = true
					todo = append(todo, c.To)
				}
			}
		}
		for _, to := range states() {
			if !reached[to] {
				t.Errorf("%s cannot be reached from %s", to.Full(), from.Full())
			}
		}
	}
}

// TestEveryStateHearsItsOwner: what the owner says has a cell everywhere, since
// the owner's picture is always a little old.
func TestEveryStateHearsItsOwner(t *testing.T) {
	for _, s := range states() {
		for _, e := range []Event{Want, Fetch, Unload, Reset} {
			if _, err := Next(s, e); err != nil {
				t.Error(err)
			}
		}
	}
}

// model is what must be true of a slot, kept beside a walk through the table.
type model struct {
	state    State
	memory   bool // reservation held
	process  bool
	launch   bool // under way
	settling bool
	leases   int
}

// step applies e if it can happen, and returns what is wrong.
func (m *model) step(e Event) error {
	if !m.possible(e) {
		return nil
	}
	c, err := Next(m.state, e)
	if err != nil {
		return err
	}
	was := m.state
	switch e {
	case Granted:
		m.memory = true
	case Launched:
		m.launch, m.process = false, true
	case LaunchFailed:
		m.launch = false
	case Exited:
		m.process = false
	case Freed:
		m.settling = false
	case Taken:
		m.leases++
	case Emptied:
		m.leases = 0
	}
	m.state = c.To
	for _, effect := range c.Do {
		if err := m.perform(effect); err != nil {
			return fmt.Errorf("%s in %s: %w", e, was.Full(), err)
		}
	}
	return m.check()
}

// possible reports whether the world could produce e now.
func (m *model) possible(e Event) bool {
	switch e {
	case Want, Fetch, Unload, Reset:
		return true
	case Launched, LaunchFailed:
		return m.launch
	case Exited, Answered, Sick, Warmed:
		if e != Exited && !m.process {
			return false
		}
		if e == Exited {
			return m.process
		}
	case Freed:
		return m.settling
	case Taken:
		return m.state.Up()
	case Emptied:
		return m.leases > 0 && table[m.state][e].To != 0
	case Drained:
		return m.state == UnloadingDrain && m.leases == 0
	case Doubt:
		return m.state.Up() || m.leases > 0 && table[m.state][e].To != 0
	case KillOver, GraceOver:
		return (m.process || m.launch) && table[m.state][e].To != 0
	case Fetched, FetchFailed, Granted, Denied, Condemn, Overdue, DrainOver, BackoffOver, IdleOver:
	}
	return table[m.state][e].To != 0 // alarms and watchers that the state keeps
}

func (m *model) perform(e Effect) error {
	switch e {
	case Launch:
		if m.process || m.launch || !m.memory {
			return fmt.Errorf("launch with process %t, launch %t, memory %t", m.process, m.launch, m.memory)
		}
		m.launch = true
	case Settle:
		if m.process || m.launch || m.settling || !m.memory {
			return fmt.Errorf("settle with process %t, launch %t, settling %t, memory %t", m.process, m.launch, m.settling, m.memory)
		}
		m.settling = true
	case Free:
		if !m.memory || m.process || m.launch {
			return fmt.Errorf("free with memory %t, process %t, launch %t", m.memory, m.process, m.launch)
		}
		m.memory = false
	case Quarantine:
		if !m.memory {
			return fmt.Errorf("quarantine without memory")
		}
	case Revoke:
		m.leases = 0
	case Probe, Warm, Open, Watch:
		if !m.process {
			return fmt.Errorf("%s without a process", e)
		}
	case Pull, Abort, Tell, Blame, Drain, Terminate, Kill, Rest, Recheck, Forget:
	}
	return nil
}

func (m *model) check() error {
	switch {
	case (m.process || m.launch) && !m.memory:
		return fmt.Errorf("%s: a process without memory", m.state.Full())
	case m.state.Resting() && (m.memory || m.process || m.launch):
		return fmt.Errorf("%s: memory %t, process %t, launch %t", m.state.Full(), m.memory, m.process, m.launch)
	case m.leases > 0 && m.state.Failed():
		return fmt.Errorf("%s with %d leases", m.state.Full(), m.leases)
	case m.leases > 0 && !m.process:
		return fmt.Errorf("%s: %d leases without a process", m.state.Full(), m.leases)
	case m.state == Serving && m.leases == 0, (m.state == Idle) && m.leases > 0:
		return fmt.Errorf("%s with %d leases", m.state.Full(), m.leases)
	}
	return nil
}

func FuzzWalk(f *testing.F) {
	f.Add([]byte{1, 5, 8, 10, 11, 12, 13, 18, 19, 17, 23})
	f.Add([]byte{2, 3, 5, 8, 17, 23, 24, 1})
	f.Fuzz(func(t *testing.T, walk []byte) {
		m := model{state: Offline}
		var path []string
		for _, b := range walk {
			e := Event(b%byte(endOfEvents-1)) + 1
			path = append(path, e.String())
			if err := m.step(e); err != nil {
				t.Fatalf("%v\nafter %s", err, strings.Join(path, " "))
			}
		}
	})
}

// TestWalkFindsDefects plants defects in the table, and expects the walk's
// model to find each.
func TestWalkFindsDefects(t *testing.T) {
	for name, plant := range map[string]func(){
		"memory given back too early": func() { table[ErrorStop][Exited].Do = do(Free, Settle) },
		"launched twice":              func() { table[Starting][Want].Do = do(Launch) },
		"leases survive a crash":      func() { table[Serving][Exited].Do = do(Settle) },
		"offline with a process":      func() { table[Starting][Unload] = Cell{To: Offline} },
	} {
		t.Run(name, func(t *testing.T) {
			saved := table
			defer func() { table = saved }()
			plant()
			if !findsDefect() {
				t.Error("not found")
			}
		})
	}
}

// findsDefect walks breadth first through everything the model can reach.
func findsDefect() bool {
	todo := []model{{state: Offline}}
	seen := map[model]bool{todo[0]: true}
	for len(todo) > 0 {
		from := todo[0]
		todo = todo[1:]
		for _, e := range events() {
			m := from
			if m.step(e) != nil {
				return true
			}
			m.leases = min(m.leases, 1)
			if !seen[m] {
				seen[m] = true
				todo = append(todo, m)
			}
		}
	}
	return false
}

func TestTableKeepsItsPromises(t *testing.T) {
	todo := []model{{state: Offline}}
	seen := map[model]bool{todo[0]: true}
	reached := map[State]bool{}
	for len(todo) > 0 {
		from := todo[0]
		todo = todo[1:]
		reached[from.state] = true
		for _, e := range events() {
			m := from
			if err := m.step(e); err != nil {
				t.Error(err)
				continue
			}
			m.leases = min(m.leases, 1)
			if !seen[m] {
				seen[m] = true
				todo = append(todo, m)
			}
		}
	}
	if got, want := len(reached), int(endOfStates)-1; got != want {
		t.Errorf("the walk reached %d states, want %d", got, want)
	}
}
