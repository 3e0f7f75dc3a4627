package api

import (
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/route"
	"github.com/hal0-dev/hal0/sidecar/internal/slot"
)

const (
	// keepAlive is how often a silent stream of events says that it lives.
	keepAlive = 15 * time.Second
	// gather is how long changes are put together for one write: people see no
	// faster, and a slot that is at work changes with each request.
	gather = 100 * time.Millisecond
)

// events streams what happens: "hello" with the server's time, every slot as it
// is and each change of one ("slot"), the last requests and each that ends
// ("request"), and once a second the flights under way while there are any
// ("flights").
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	changes, stop := s.cfg.Slots.Watch()
	defer stop()
	past, coming, end := s.history.follow()
	defer end()
	b := &bulletin{server: s, out: newFeed(w), view: s.cfg.Routes.View(), latest: map[string]slot.Snapshot{}, soon: time.NewTimer(0), due: true}
	defer b.soon.Stop()
	b.out.event("hello", map[string]any{"now": time.Now(), "version": s.cfg.Version, "started": s.cfg.Started, "slots": s.all()})
	for _, a := range past {
		b.out.event("request", a)
	}
	beat, look := time.NewTicker(keepAlive), time.NewTicker(boardEvery)
	defer beat.Stop()
	defer look.Stop()
	for {
		select {
		case snap, open := <-changes:
			if !open {
				return
			}
			b.latest[snap.ID] = snap
		case <-b.view.Replaced(): // what is declared, or pinned
			b.view = s.cfg.Routes.View()
			for _, one := range s.cfg.Slots.Snapshot() {
				b.latest[one.ID] = one
			}
		case a := <-coming:
			b.out.event("request", a)
		case now := <-look.C:
			b.flights(now)
		case <-beat.C:
			b.out.comment()
		case <-b.soon.C:
			if b.tell() != nil {
				return
			}
			continue
		case <-r.Context().Done():
			return
		}
		b.later()
	}
}

// bulletin is what one reader of events is to be told next. It belongs to the
// handler's goroutine.
type bulletin struct {
	server *Server
	out    *feed
	view   *route.View
	latest map[string]slot.Snapshot // by slot
	shown  int                      // flights that the reader was told of

	soon *time.Timer
	due  bool // soon runs
}

// later sees to it that what was collected is told.
func (b *bulletin) later() {
	if !b.due {
		b.due = true
		b.soon.Reset(gather)
	}
}

// tell writes what was collected.
func (b *bulletin) tell() error {
	b.due = false
	for _, id := range slices.Sorted(maps.Keys(b.latest)) {
		b.out.event("slot", describe(b.latest[id], b.view))
	}
	clear(b.latest)
	return b.out.flush()
}

// flights adds the flights under way, unless there are none and the reader knows.
func (b *bulletin) flights(now time.Time) {
	list := b.server.board.look(b.server.cfg.Flights, now)
	if list.Total > 0 || b.shown > 0 {
		b.out.event("flights", list)
	}
	b.shown = list.Total
}
