package api

import (
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/relay"
)

// bodyIdle is how long a client may pause while it sends its body.
const bodyIdle = 30 * time.Second

// sendWithin is how long a client may go on sending when it was answered.
const sendWithin = 10 * time.Second

// patient is a request's body of which each read may take bodyIdle. Deadlines
// are the connection's, so there must be none left when the body is over. Not
// every writer can set them (a test's recorder); the server's can.
type patient struct {
	r       io.Reader
	control *http.ResponseController

	mu      sync.Mutex
	stopped bool
}

// Read implements io.Reader.
func (p *patient) Read(b []byte) (int, error) {
	p.allow()
	n, err := p.r.Read(b)
	if err != nil {
		p.rest()
	}
	return n, err
}

func (p *patient) allow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.stopped {
		_ = p.control.SetReadDeadline(time.Now().Add(bodyIdle))
	}
}

// rest takes the deadline away.
func (p *patient) rest() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.stopped {
		_ = p.control.SetReadDeadline(time.Time{})
	}
}

// stop ends a read that is under way, and all later ones.
func (p *patient) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	_ = p.control.SetReadDeadline(time.Now())
}

// finish ends the reading of an upload, at once if it is to be cut. A client
// that is still sending gets its answer, and time to send the rest, since it
// looks at the answer only then.
func (p *patient) finish(u *relay.Upload, cut bool) {
	select {
	case <-u.Done():
		return
	default:
	}
	if cut {
		p.stop()
	} else {
		_ = p.control.Flush()
		late := time.AfterFunc(sendWithin, p.stop)
		defer late.Stop()
	}
	<-u.Done()
}
