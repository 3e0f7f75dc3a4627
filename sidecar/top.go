package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/api"
	"github.com/spf13/cobra"
)

const (
	topEvery     = time.Second // between two pictures
	devicesEvery = 5 * time.Second
	topRequests  = 8
	// ANSI: the terminal's other screen, its cursor, and back.
	enterScreen = "\x1b[?1049h\x1b[?25l"
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	home        = "\x1b[H"
)

func topCommand(stdout io.Writer) *cobra.Command {
	m := &remote{}
	asJSON := false
	c := &cobra.Command{
		Use:   "top",
		Short: "Show slots, memory, flights and requests, live; one picture in a pipe",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt)
			defer stop()
			if asJSON || !onTerminal(stdout) {
				return topOnce(ctx, m, stdout, asJSON)
			}
			fmt.Fprint(stdout, enterScreen)
			defer fmt.Fprint(stdout, leaveScreen)
			return topLive(ctx, m, stdout)
		},
	}
	m.flags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print one picture as JSON")
	return c
}

// picture is all that top shows.
type picture struct {
	slots    map[string]shown
	memory   memory
	flights  flights
	requests []api.Answered // the last ones, newest last
}

// flights is the answer of GET /api/flights.
type flights struct {
	Total   int `json:"total"`
	Flights []struct {
		Slot    string    `json:"slot"`
		Since   time.Time `json:"since"`
		Readers int       `json:"readers"`
		Events  int       `json:"events"`
	} `json:"flights"`
}

// apply takes in one event.
func (p *picture) apply(name, data string) error {
	switch name {
	case "hello":
		var h struct {
			Slots []shown `json:"slots"`
		}
		if err := json.Unmarshal([]byte(data), &h); err != nil {
			return err
		}
		p.slots = map[string]shown{}
		for _, s := range h.Slots {
			p.slots[s.ID] = s
		}
	case "slot":
		var s shown
		if err := json.Unmarshal([]byte(data), &s); err != nil {
			return err
		}
		p.slots[s.ID] = s
		if s.Removed {
			delete(p.slots, s.ID)
		}
	case "request":
		var a api.Answered
		if err := json.Unmarshal([]byte(data), &a); err != nil {
			return err
		}
		p.requests = append(p.requests, a)
		p.requests = p.requests[max(0, len(p.requests)-topRequests):]
	case "flights":
		p.flights = flights{}
		return json.Unmarshal([]byte(data), &p.flights)
	}
	return nil
}

// sorted is the slots by name.
func (p *picture) sorted() []shown {
	return slices.SortedFunc(maps.Values(p.slots), func(a, b shown) int { return strings.Compare(a.ID, b.ID) })
}

// topOnce prints one picture.
func topOnce(ctx context.Context, m *remote, out io.Writer, asJSON bool) error {
	events, err := m.follow(ctx, "/api/events")
	if err != nil {
		return err
	}
	defer events.close()
	var p picture
	name, data, err := events.next()
	if err != nil {
		return err
	}
	if err := p.apply(name, data); err != nil {
		return err
	}
	var last struct {
		Requests []api.Answered `json:"requests"`
	}
	for path, into := range map[string]any{"/api/devices": &p.memory, "/api/flights": &p.flights, "/api/requests": &last} {
		if err := m.call(ctx, http.MethodGet, path, into); err != nil {
			return err
		}
	}
	if asJSON {
		return json.NewEncoder(out).Encode(map[string]any{
			"slots": p.sorted(), "memory": p.memory, "flights": p.flights, "requests": last.Requests,
		})
	}
	p.requests = last.Requests[max(0, len(last.Requests)-topRequests):]
	return p.print(out, time.Now())
}

type event struct {
	name, data string
	err        error
}

// topLive draws until ctx ends. Where the sidecar goes away it says so, and
// waits for it.
func topLive(ctx context.Context, m *remote, out io.Writer) error {
	for {
		err := topFollow(ctx, m, out)
		switch {
		case ctx.Err() != nil:
			return nil
		case !errors.Is(err, io.EOF):
			fmt.Fprintf(out, "%s\x1b[J%v\n\nTrying again; Ctrl-C ends.\n", home, err)
		}
		t := time.NewTimer(2 * time.Second)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return nil
		}
	}
}

func topFollow(ctx context.Context, m *remote, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	feed, err := m.follow(ctx, "/api/events")
	if err != nil {
		return err
	}
	defer feed.close()
	events := make(chan event)
	go pump(ctx, feed, events)
	readings := make(chan memory)
	go poll(ctx, m, readings)
	p := picture{slots: map[string]shown{}}
	tick := time.NewTicker(topEvery)
	defer tick.Stop()
	for {
		select {
		case e := <-events:
			if e.err != nil {
				return e.err
			}
			if err := p.apply(e.name, e.data); err != nil {
				return fmt.Errorf("read events: %w", err)
			}
			if e.name != "hello" && e.name != "slot" {
				continue
			}
		case p.memory = <-readings:
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		var b bytes.Buffer
		if err := p.print(&b, time.Now()); err != nil {
			return err
		}
		// Each line is cleared to its end, then the rest of the screen.
		fmt.Fprint(out, home, strings.ReplaceAll(b.String(), "\n", "\x1b[K\n"), "\x1b[J")
	}
}

func pump(ctx context.Context, f *feed, events chan<- event) {
	for {
		var e event
		e.name, e.data, e.err = f.next()
		select {
		case events <- e:
		case <-ctx.Done():
			return
		}
		if e.err != nil {
			return
		}
	}
}

// poll reads the devices now and then; one that does not answer is left out.
func poll(ctx context.Context, m *remote, readings chan<- memory) {
	t := time.NewTicker(devicesEvery)
	defer t.Stop()
	for {
		var r memory
		if m.call(ctx, http.MethodGet, "/api/devices", &r) == nil {
			select {
			case readings <- r:
			case <-ctx.Done():
				return
			}
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

func (p *picture) print(out io.Writer, now time.Time) error {
	fmt.Fprintf(out, "hal0  %s  %d slots, %d in flight\n\n", now.Format(time.TimeOnly), len(p.slots), p.flights.Total)
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "SLOT\tSTATE\tMODEL\tLEASES\tWAITING\tMEMORY\tSINCE\t")
	for _, s := range p.sorted() {
		var bytes int64
		for _, m := range s.Memory {
			bytes += m.Bytes
		}
		note := ""
		if g, coming := progressOf(s, now); coming {
			note = bar(g.part) + " " + g.text
		} else if s.Trouble != nil && s.State == "error" {
			note = plain(s.Trouble.Message)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d/%d\t%d\t%s\t%s\t%s\n", s.ID, s.State, plain(modelName(s)), s.Leases, s.Parallel, s.Waiting, size(bytes), brief(now.Sub(s.Since)), note)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out)
	if err := printDevices(out, p.memory); err != nil {
		return err
	}
	fmt.Fprintln(w, "\nIN FLIGHT\tREADERS\tEVENTS\tSINCE")
	for _, f := range p.flights.Flights[:min(len(p.flights.Flights), topRequests)] {
		fmt.Fprintf(w, "%s\t%d\t%d\t%s\n", f.Slot, f.Readers, f.Events, brief(now.Sub(f.Since)))
	}
	fmt.Fprintln(w, "\nLAST\tSLOT\tOUTCOME\tCODE\tWAIT\tFIRST\tTOOK\tEVENTS")
	for _, a := range slices.Backward(p.requests) {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\n", a.At.Local().Format(time.TimeOnly), a.Slot, a.Outcome, a.Code, brief(a.Wait), brief(a.FirstByte), brief(a.Took), a.Events)
	}
	return w.Flush()
}
