package device

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	probeTime  = 5 * time.Second        // for one tool
	settleStep = 250 * time.Millisecond // between looks at memory that is to become free
)

// Inventory reads all devices. At most one probe of each source is under way;
// while it hangs, its last reading stands and nobody waits for it.
type Inventory struct {
	sources []*probed
	ctx     context.Context
	end     context.CancelFunc
	wg      sync.WaitGroup

	mu      sync.Mutex // guards all below, and the fields of sources
	waiting map[*refresh]bool
	closed  bool
}

// probed is one source and what is known of it.
type probed struct {
	source  Source
	running bool
	again   bool // somebody asked after the probe began
	hung    bool // the probe under way is beyond its time
	asked   int  // probes begun
	done    int  // probes ended, or given up
	devices []Device
	err     error
}

// refresh is one call of Refresh that waits: for each source, the number of the
// probe that it needs.
type refresh struct {
	needs []int
	done  func(Reading)
}

// NewInventory makes an inventory of these sources, the host's first.
func NewInventory(sources ...Source) *Inventory {
	i := &Inventory{waiting: map[*refresh]bool{}}
	i.ctx, i.end = context.WithCancel(context.Background())
	for _, s := range sources {
		i.sources = append(i.sources, &probed{source: s})
	}
	return i
}

// Refresh reads all devices anew and calls done once, from a goroutine of its
// own, when every source has answered, hangs, or was hanging before.
func (i *Inventory) Refresh(done func(Reading)) {
	i.mu.Lock()
	r := &refresh{needs: make([]int, len(i.sources)), done: done}
	for n, p := range i.sources {
		switch {
		case i.closed:
		case !p.running:
			i.beginLocked(p)
			r.needs[n] = p.asked
		case p.hung:
			r.needs[n] = p.done // what there is
		default:
			p.again = true
			r.needs[n] = p.asked + 1
		}
	}
	i.waiting[r] = true
	ready := i.readyLocked()
	i.mu.Unlock()
	for _, f := range ready {
		go f()
	}
}

// beginLocked starts a probe.
func (i *Inventory) beginLocked(p *probed) {
	p.running, p.again, p.hung = true, false, false
	p.asked++
	number := p.asked
	ctx, cancel := context.WithTimeout(i.ctx, probeTime)
	// A source that hangs in the kernel cannot be joined; everything else can.
	finished := make(chan struct{})
	go func() {
		devices, err := p.source.Read(ctx)
		cancel()
		i.finish(p, devices, err)
		close(finished)
	}()
	i.wg.Go(func() {
		select {
		case <-finished:
		case <-ctx.Done():
			grace := time.NewTimer(time.Second) // to be killed in
			defer grace.Stop()
			select {
			case <-finished:
			case <-grace.C:
				i.giveUp(p, number)
			}
		}
	})
}

// finish takes in what a probe found.
func (i *Inventory) finish(p *probed, devices []Device, err error) {
	i.mu.Lock()
	p.running, p.hung, p.done, p.err = false, false, p.asked, err
	if err == nil {
		p.devices = devices
	}
	if p.again && !i.closed {
		i.beginLocked(p)
	}
	ready := i.readyLocked()
	i.mu.Unlock()
	for _, f := range ready {
		f()
	}
}

var errHangs = errors.New("the tool hangs")

// giveUp lets those go who wait for a probe that hangs.
func (i *Inventory) giveUp(p *probed, number int) {
	i.mu.Lock()
	if p.running && p.asked == number {
		p.hung, p.done, p.err = true, number+1, errHangs // also those who asked since
	}
	ready := i.readyLocked()
	i.mu.Unlock()
	for _, f := range ready {
		f()
	}
}

// readyLocked returns the calls that are due, as functions to be called
// without the lock.
func (i *Inventory) readyLocked() []func() {
	var out []func()
	for r := range i.waiting {
		due := true
		for n, p := range i.sources {
			due = due && (p.done >= r.needs[n] || i.closed)
		}
		if due {
			delete(i.waiting, r)
			reading, done := i.readingLocked(), r.done
			out = append(out, func() { done(reading) })
		}
	}
	return out
}

// Reading is the latest of each source.
func (i *Inventory) Reading() Reading {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.readingLocked()
}

func (i *Inventory) readingLocked() Reading {
	r := Reading{At: time.Now()}
	for _, p := range i.sources {
		r.Devices = append(r.Devices, p.devices...)
		if p.err != nil {
			_, hidden := errors.AsType[*HiddenError](p.err)
			hidden = hidden || errors.Is(p.err, errHangs) && p.devices == nil
			r.Problems = append(r.Problems, Problem{Source: p.source.Name(), Text: p.err.Error(), Hides: hidden})
		}
	}
	return r
}

// Until reads the devices until what holds of a reading, and reports whether it
// came to hold before ctx's end.
func (i *Inventory) Until(ctx context.Context, what func(Reading) bool) bool {
	for {
		got := make(chan Reading, 1)
		i.Refresh(func(r Reading) { got <- r })
		select {
		case r := <-got:
			if what(r) {
				return true
			}
		case <-ctx.Done():
			return false
		}
		t := time.NewTimer(settleStep)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return false
		}
	}
}

// Close ends the probes under way and waits for them, except for one that
// hangs in the kernel.
func (i *Inventory) Close() {
	i.mu.Lock()
	i.closed = true
	ready := i.readyLocked()
	i.mu.Unlock()
	for _, f := range ready {
		f()
	}
	i.end()
	i.wg.Wait()
}
