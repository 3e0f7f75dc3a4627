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

// Inventory reads all devices. At most one probe of each source is under way.
// Once one has not answered in time, the source's last reading stands and nobody
// waits for it, until one has.
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
	slow    bool // the last probe did not answer in time
	asked   int  // probes begun
	done    int  // probes ended, or given up
	devices []Device
	err     error
}

// refresh is one call of Refresh or Host that waits: for each source that it is
// about, the first ones, the number of the probe that it needs.
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
// own, when every source has answered that is waited for.
func (i *Inventory) Refresh(done func(Reading)) { i.refresh(len(i.sources), done) }

// Host is Refresh for the host's memory alone: no tool is asked.
func (i *Inventory) Host(done func(Reading)) { i.refresh(min(1, len(i.sources)), done) }

// refresh is Refresh for the first sources.
func (i *Inventory) refresh(first int, done func(Reading)) {
	i.mu.Lock()
	r := &refresh{needs: make([]int, first), done: done}
	for n, p := range i.sources[:first] {
		switch {
		case i.closed:
		case !p.running:
			i.beginLocked(p)
			r.needs[n] = p.asked
		case !p.slow:
			p.again = true
			r.needs[n] = p.asked + 1
		}
		if p.slow {
			r.needs[n] = p.done // what there is
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
	p.running, p.again = true, false
	p.asked++
	number := p.asked
	ctx, cancel := context.WithTimeout(i.ctx, probeTime)
	// A source that hangs in the kernel cannot be joined; everything else can.
	finished := make(chan struct{})
	go func() {
		devices, err := p.source.Read(ctx)
		late := ctx.Err() != nil
		cancel()
		i.finish(p, devices, err, late)
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
func (i *Inventory) finish(p *probed, devices []Device, err error, late bool) {
	i.mu.Lock()
	p.running, p.slow, p.done, p.err = false, late, p.asked, err
	if err == nil {
		p.devices = devices
	}
	switch {
	case i.closed || !p.again:
	case late:
		p.done++ // nobody waits for another one
	default:
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
		p.slow, p.done, p.err = true, number+1, errHangs // also those who asked since
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
		for n, need := range r.needs {
			due = due && (i.sources[n].done >= need || i.closed)
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
