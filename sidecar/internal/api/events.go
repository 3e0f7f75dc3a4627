package api

import (
	"net/http"
	"time"
)

// keepAlive is how often a silent stream of events says that it lives.
const keepAlive = 15 * time.Second

// events streams what happens: "hello" with the server's time, every slot as it
// is and each change of one ("slot"), the last requests and each that ends
// ("request"), and once a second the flights under way while there are any
// ("flights").
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	changes, stop := s.cfg.Slots.Watch()
	defer stop()
	past, coming, end := s.history.follow()
	defer end()
	out := newFeed(w)
	out.event("hello", map[string]any{"now": time.Now(), "version": s.cfg.Version, "started": s.cfg.Started, "slots": s.all()})
	for _, a := range past {
		out.event("request", a)
	}
	view := s.cfg.Routes.View()
	beat, look := time.NewTicker(keepAlive), time.NewTicker(boardEvery)
	defer beat.Stop()
	defer look.Stop()
	shown := 0
	for out.flush() == nil {
		select {
		case snap, open := <-changes:
			if !open {
				return
			}
			out.event("slot", describe(snap, s.cfg.Routes.View().Slots()))
		case <-view.Replaced(): // what is declared, or pinned
			view = s.cfg.Routes.View()
			for _, one := range s.all() {
				out.event("slot", one)
			}
		case a := <-coming:
			out.event("request", a)
		case now := <-look.C:
			list := s.board.look(s.cfg.Flights, now)
			if list.Total > 0 || shown > 0 {
				out.event("flights", list)
			}
			shown = list.Total
		case <-beat.C:
			out.comment()
		case <-r.Context().Done():
			return
		}
	}
}
