//go:build go1.21

package plugin

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
)

// The parsers below note what is wrong and return the zero value then.

// duration parses Go syntax. An empty text is the fallback.
func (p *problems) duration(key, text string, fallback time.Duration) time.Duration {
	text = strings.TrimSpace(text)
	if text == "" {
		return fallback
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		what := "\"" + text + "\" is not a duration"
		if _, bare := strconv.ParseFloat(text, 64); bare == nil {
			what += " (it needs a unit, such as " + text + "s)"
		} else {
			what += " (such as 30s, 15m or 1h30m)"
		}
		p.add(key, what)
		return 0
	}
	if d < 0 {
		p.add(key, "\""+text+"\" is negative")
		return 0
	}
	return d
}

// durationWithin is duration with bounds.
func (p *problems) durationWithin(key, text string, fallback, low, high time.Duration) time.Duration {
	before := len(p.list)
	d := p.duration(key, text, fallback)
	if len(p.list) == before && (d < low || d > high) {
		p.add(key, "\""+text+"\" is not within "+low.String()+" and "+high.String())
		return 0
	}
	return d
}

// size parses an integer with a unit such as MiB. An empty text is 0.
func (p *problems) size(key, text string) int64 {
	if strings.TrimSpace(text) == "" {
		return 0
	}
	n, err := wire.ParseSize(text)
	if err != nil {
		p.add(key, err.Error())
	}
	return n
}

// integer parses a whole number within bounds. An empty text is the fallback.
func (p *problems) integer(key, text string, fallback, low, high int64) int64 {
	text = strings.TrimSpace(text)
	if text == "" {
		return fallback
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		p.add(key, "\""+text+"\" is not a whole number")
		return 0
	}
	if n < low || n > high {
		p.add(key, "\""+text+"\" is not within "+strconv.FormatInt(low, 10)+" and "+strconv.FormatInt(high, 10))
		return 0
	}
	return n
}

// flag parses a boolean; Traefik's decoder writes them as 1 and 0 where they
// were booleans already.
func (p *problems) flag(key, text string) bool {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "", "false", "0":
		return false
	case "true", "1":
		return true
	}
	p.add(key, "\""+text+"\" is neither true nor false")
	return false
}

// choice checks that text is one of the words. An empty text is the first.
func (p *problems) choice(key, text string, words []string) string {
	text = strings.TrimSpace(text)
	if text == "" {
		return words[0]
	}
	if !contains(words, text) {
		p.add(key, "\""+text+"\" is none of "+strings.Join(words, ", "))
	}
	return text
}

// items trims the items: "a, b" in a label keeps its blank. Empty items, which a
// trailing comma makes, are dropped; an item that comes twice is a problem.
func (p *problems) items(key string, raw []string) []string {
	var out []string
	for _, item := range raw {
		item = strings.TrimSpace(item)
		if item == "" {
			continue
		}
		if contains(out, item) {
			p.add(key, "\""+item+"\" comes twice")
			continue
		}
		out = append(out, item)
	}
	return out
}

// object checks that text is a JSON object. An empty text is none.
func (p *problems) object(key, text string) string {
	text = strings.TrimSpace(text)
	if text == "" {
		return ""
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &m); err != nil || m == nil {
		p.add(key, "is not a JSON object")
	}
	return text
}

func contains(list []string, item string) bool {
	for _, s := range list {
		if s == item {
			return true
		}
	}
	return false
}
