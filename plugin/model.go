//go:build go1.21

package plugin

import (
	"strings"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
)

const (
	defaultEngine = "llama.cpp"
	unloadAfter   = 15 * time.Minute
	longest       = 7 * 24 * time.Hour // of any duration of a model
)

// model checks what is declared about one slot.
func (p *problems) model(slot string, c Model) wire.Model {
	at := "models." + slot
	if !validSlot(slot) {
		p.add(at, "a slot's name is made of a-z, 0-9 and -; give any other name as an alias")
	}
	p.unknown(at, c.Rest, modelKeys())
	m := wire.Model{
		Slot:          slot,
		Model:         strings.TrimSpace(c.Model),
		Engine:        strings.TrimSpace(c.Engine),
		Aliases:       p.items(at+".aliases", c.Aliases),
		Capabilities:  p.capabilities(at+".capabilities", c.Capabilities),
		Context:       p.integer(at+".context", c.Context, 0, 1, 1<<31),
		Parallel:      p.integer(at+".parallel", c.Parallel, 1, 1, 1024),
		Device:        p.device(at+".device", c.Device),
		Memory:        p.size(at+".memory", c.Memory),
		UnloadAfterMS: p.durationWithin(at+".unloadAfter", c.UnloadAfter, unloadAfter, 0, 100*longest).Milliseconds(),
		Pin:           p.flag(at+".pin", c.Pin),
		Priority:      p.integer(at+".priority", c.Priority, 0, -1000, 1000),
		Preload:       p.flag(at+".preload", c.Preload),
		PreloadAt:     p.timeOfDay(at+".preloadAt", c.PreloadAt),
		Coalesce:      p.choice(at+".coalesce", c.Coalesce, coalescing()),
		Args:          trimmed(c.Args),
		Node:          p.node(at+".node", c.Node),
		OnDisconnect:  p.choice(at+".onDisconnect", c.OnDisconnect, []string{wire.DisconnectCancel, wire.DisconnectFinish}),
		Media:         p.domains(at+".media", c.Media),
		Timeouts:      p.timeouts(at+".timeouts", c.Timeouts),
		Params:        p.params(at+".params", c.Params),
	}
	if m.Engine == "" {
		m.Engine = defaultEngine
	}
	if m.Model == "" && m.Engine == defaultEngine {
		p.add(at+".model", "is missing")
	}
	return m
}

func coalescing() []string {
	return []string{wire.CoalesceCold, wire.CoalesceDeterministic, wire.CoalesceAlways, wire.CoalesceOff}
}

func (p *problems) timeouts(at string, c Timeouts) wire.Timeouts {
	p.unknown(at, c.Rest, timeoutKeys())
	return wire.Timeouts{
		BootMS:       p.durationWithin(at+".boot", c.Boot, 0, 0, longest).Milliseconds(),
		FirstTokenMS: p.durationWithin(at+".firstToken", c.FirstToken, 0, 0, longest).Milliseconds(),
		IdleMS:       p.durationWithin(at+".idle", c.Idle, 0, 0, longest).Milliseconds(),
		TotalMS:      p.durationWithin(at+".total", c.Total, 0, 0, longest).Milliseconds(),
	}
}

func (p *problems) params(at string, c Params) wire.Params {
	p.unknown(at, c.Rest, paramKeys())
	return wire.Params{
		Set:     p.object(at+".set", c.Set),
		Default: p.object(at+".default", c.Default),
		Strip:   p.items(at+".strip", c.Strip),
	}
}

func (p *problems) capabilities(key string, raw []string) []string {
	known := wire.Capabilities()
	list := p.items(key, raw)
	for _, c := range list {
		if !contains(known, c) {
			p.add(key, "\""+c+"\" is none of "+strings.Join(known, ", "))
		}
	}
	if len(list) == 0 {
		return []string{wire.CapChat, wire.CapCompletion}
	}
	return list
}

// device accepts auto, cpu, an index or the beginning of a UUID.
func (p *problems) device(key, text string) string {
	text = strings.TrimSpace(text)
	if text == "" {
		return "auto"
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c != '-' && c != ':' && c != '.' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			p.add(key, "\""+text+"\" is none of auto, cpu, an index or the beginning of a UUID")
			break
		}
	}
	return text
}

// timeOfDay accepts 24 hours and minutes, "07:30".
func (p *problems) timeOfDay(key, text string) string {
	text = strings.TrimSpace(text)
	if text == "" {
		return ""
	}
	if _, err := time.Parse("15:04", text); err != nil {
		p.add(key, "\""+text+"\" is not a time of day such as 07:30")
	}
	return text
}

func (p *problems) node(key, text string) string {
	text = strings.TrimSpace(text)
	if text != "" && !validName(text) {
		p.add(key, "\""+text+"\" is not a name made of letters, digits, -, _ and .")
	}
	return text
}

// domains checks host names whose media the sidecar may fetch.
func (p *problems) domains(key string, raw []string) []string {
	list := p.items(key, raw)
	for _, d := range list {
		if strings.ContainsAny(d, "/:@ ") {
			p.add(key, "\""+d+"\" is not a domain")
		}
	}
	return list
}

// trimmed drops blanks and empty items, but keeps what comes twice.
func trimmed(raw []string) []string {
	var out []string
	for _, item := range raw {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return out
}

func validSlot(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return s != ""
}

// validName is the form of names that end up in scopes and headers.
func validName(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != '-' && c != '_' && c != '.' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}
