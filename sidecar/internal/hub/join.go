package hub

// Key says which flights are the same work. "" is never shared.
type Key string

// Join is how an arrival looks for a flight with its key.
type Join uint8

const (
	// Own joins none.
	Own Join = iota + 1
	// Ask joins one whose writer said that it may be joined, and waits for
	// that word.
	Ask
	// Any joins every one whose window is open.
	Any
)

func (j Join) String() string {
	switch j {
	case Own:
		return "own"
	case Ask:
		return "ask"
	case Any:
		return "any"
	}
	return "invalid"
}

// standing is what matters of a flight to somebody who might join it.
type standing struct {
	over     bool // it has an outcome, or was given up
	decided  bool // the writer said whether it may be joined
	open     bool // its window
	appended bool // there is a frame
	known    bool // the arrival's origin has been among its readers
}

type verdict uint8

const (
	no verdict = iota + 1
	yes
	wait // for the writer's word
)

// admits decides whether an arrival may join a flight. Somebody who repeats a
// request may join what has brought nothing yet, whatever else holds.
func (s standing) admits(join Join, repeat bool) verdict {
	switch {
	case s.over:
		return no
	case repeat && s.known && !s.appended:
		return yes
	case join == Own:
		return no
	case s.decided && s.open:
		return yes
	case s.decided:
		return no
	case join == Any:
		return yes
	}
	return wait
}
