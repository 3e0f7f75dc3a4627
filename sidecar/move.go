package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"time"

	"github.com/spf13/cobra"
)

const (
	redrawEvery = 150 * time.Millisecond // a bar on a terminal
	repeatEvery = 5 * time.Second        // a line in a pipe
)

func slotPath(id, rest string) string { return "/api/slots/" + url.PathEscape(id) + rest }

// moveCommand is load, unload or restart: POST /api/slots/{id}/<verb>, with what
// the slot does meanwhile.
func moveCommand(stdout io.Writer, verb, short string) *cobra.Command {
	m := &remote{}
	asJSON := false
	c := &cobra.Command{
		Use:               verb + " SLOT",
		Short:             short,
		Args:              oneArgument,
		ValidArgsFunction: m.completeSlots,
		RunE: func(c *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt)
			defer stop()
			watcher := &watcher{out: c.ErrOrStderr(), slot: args[0]}
			watcher.terminal = onTerminal(watcher.out)
			done := make(chan error, 1)
			var s shown
			go func() { done <- m.call(ctx, http.MethodPost, slotPath(args[0], "/"+verb), &s) }()
			err := watcher.watch(ctx, m, done)
			switch {
			case ctx.Err() != nil:
				return fmt.Errorf("%s %s: interrupted; the sidecar goes on with it", verb, args[0])
			case err != nil:
				return err
			case asJSON:
				return json.NewEncoder(stdout).Encode(s)
			}
			_, err = fmt.Fprintf(stdout, "%s: %s\n", s.ID, s.State)
			return err
		},
	}
	m.flags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print the slot as JSON when it is done")
	return c
}

// watcher shows what a slot does: a bar on a terminal, lines elsewhere.
type watcher struct {
	out      io.Writer
	terminal bool
	slot     string

	now   shown // the last that is known; ID "" = nothing
	told  string
	lined time.Time // when the last line was written
}

// watch shows the slot until done says how the move ended. That it cannot see
// the slot is no failure of the move.
func (w *watcher) watch(ctx context.Context, m *remote, done <-chan error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	changes := make(chan shown)
	go w.read(ctx, m, changes)
	tick := time.NewTicker(redrawEvery)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			if w.terminal {
				fmt.Fprint(w.out, "\r\x1b[K")
			}
			return err
		case w.now = <-changes:
			w.show(time.Now())
		case now := <-tick.C:
			w.show(now)
		}
	}
}

// read sends the slot's changes until ctx ends, or the events do.
func (w *watcher) read(ctx context.Context, m *remote, changes chan<- shown) {
	events, err := m.follow(ctx, "/api/events")
	if err != nil {
		return
	}
	defer events.close()
	for {
		name, data, err := events.next()
		if err != nil {
			return
		}
		var s shown
		if name != "slot" || json.Unmarshal([]byte(data), &s) != nil || s.ID != w.slot {
			continue
		}
		select {
		case changes <- s:
		case <-ctx.Done():
			return
		}
	}
}

func (w *watcher) show(now time.Time) {
	if w.now.ID == "" {
		return
	}
	text := w.now.State
	p, coming := progressOf(w.now, now)
	if w.terminal {
		if coming {
			text = fmt.Sprintf("%-9s %s %s", text, bar(p.part), p.text)
		}
		fmt.Fprintf(w.out, "\r\x1b[K%s: %s", w.slot, text)
		return
	}
	if text == w.told && (!coming || now.Sub(w.lined) < repeatEvery) {
		return
	}
	w.told, w.lined = text, now
	if coming {
		text += ", " + p.text
	}
	fmt.Fprintf(w.out, "%s: %s\n", w.slot, text)
}
