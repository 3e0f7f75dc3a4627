package sse

import "fmt"

// Torn is an input that ended inside an event.
type Torn struct {
	Tail  []byte // what came after the last whole event
	Err   error  // what the reader said; io.EOF for a proper end
	names bool
}

func (t *Torn) Error() string {
	return fmt.Sprintf("read events: ended inside an event, after %d bytes of it: %v", len(t.Tail), t.Err)
}

// Unwrap returns what the reader said.
func (t *Torn) Unwrap() error { return t.Err }

// Event is what the tail would be if a blank line followed it. Whether to
// believe it depends on how the input ended.
func (t *Torn) Event() (Event, bool) {
	e := rewritten(t.Tail, t.names)
	return e, e.Bytes != nil
}
