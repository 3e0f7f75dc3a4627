package relay

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
)

// reference is a place in a body where a request names media by an address.
type reference struct {
	literal span   // the JSON string with its quotes
	url     string // what it says
	source  span   // Anthropic's source object around it; zero = there is none
}

// mediaNames are the members whose value is an address, or an object with one
// in its member "url". Engines written in Go take them in any case.
var mediaNames = []string{
	"image_url", "video_url", "audio_url", "file_url", "input_image", "input_audio", "input_video", sourceName,
}

const sourceName = "source"

// mediaName returns the one of mediaNames that a name stands for, or "".
func mediaName(name string) string {
	for _, m := range mediaNames {
		if strings.EqualFold(m, name) {
			return m
		}
	}
	return ""
}

// opaque are the top members in which nothing is media, whatever it is called:
// schemas, and what engines do not look at.
var opaque = map[string]bool{
	"tools": true, "functions": true, "response_format": true, "metadata": true, "json_schema": true, "text": true,
}

// references finds the media in a body that an engine would have to fetch, in
// the order of the text.
func references(o object) []reference {
	w := mediaWalk{text: o.text}
	for _, m := range o.members {
		if !opaque[m.name] {
			w.member(m.name, m.value, m.end)
		}
	}
	slices.SortFunc(w.found, func(a, b reference) int { return cmp.Compare(a.literal.start, b.literal.start) })
	return w.found
}

// mediaWalk walks through valid JSON; its depth is bounded by what
// encoding/json takes for valid.
type mediaWalk struct {
	text  []byte
	found []reference
}

func (w *mediaWalk) member(name string, start, end int) {
	if media := mediaName(name); media != "" {
		switch w.text[start] {
		case '"':
			w.address(span{start, end})
		case '{':
			w.object(start, end, media)
			return
		}
	}
	w.value(start, end)
}

func (w *mediaWalk) value(start, end int) {
	switch w.text[start] {
	case '{':
		w.object(start, end, "")
	case '[':
		for i := space(w.text, start+1); w.text[i] != ']'; {
			next := skip(w.text, i)
			w.value(i, next)
			if i = space(w.text, next); w.text[i] == ',' {
				i = space(w.text, i+1)
			}
		}
	}
}

// object walks through an object; media is its name, if that is one of
// mediaNames, else "". A source is replaced as a whole, so nothing else in one
// that has an address is looked at.
func (w *mediaWalk) object(start, end int, media string) {
	o := object{text: w.text}
	o.scan(start)
	rest := make([]member, 0, len(o.members))
	for _, m := range o.members {
		if media == "" || !strings.EqualFold(m.name, "url") || w.text[m.value] != '"' {
			rest = append(rest, m)
			continue
		}
		literal := span{m.value, m.end}
		if media == sourceName && w.external(literal) {
			w.found = append(w.found, reference{literal: literal, url: w.string(literal), source: span{start, end}})
			return
		}
		w.address(literal)
	}
	for _, m := range rest {
		w.member(m.name, m.value, m.end)
	}
}

func (w *mediaWalk) string(literal span) string { return unquote(w.text[literal.start:literal.end]) }

// external reports whether a string is an address, not the media itself.
func (w *mediaWalk) external(literal span) bool { return !inline(w.string(literal)) }

func (w *mediaWalk) address(literal span) {
	if w.external(literal) {
		w.found = append(w.found, reference{literal: literal, url: w.string(literal)})
	}
}

// inlineBase64 is from how many characters on text is taken for media that has
// no "data:" before it: no path is that long without a dot.
const inlineBase64 = 256

// inline reports whether an address is the media itself.
func inline(url string) bool {
	if len(url) >= 5 && strings.EqualFold(url[:5], "data:") {
		return true
	}
	if len(url) < inlineBase64 {
		return false
	}
	return strings.Trim(url, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=") == "" && len(url)%4 == 0
}

// media is what was fetched in place of a reference.
type media struct {
	kind string // MIME type
	data []byte
}

// inlined puts what was fetched in the place of the references, which are in
// the order of the text.
func inlined(text []byte, refs []reference, fetched []media) []byte {
	var out bytes.Buffer
	from := 0
	for i, r := range refs {
		data := base64.StdEncoding.EncodeToString(fetched[i].data)
		at, value := r.literal, any("data:"+fetched[i].kind+";base64,"+data)
		if r.source != (span{}) {
			at = r.source
			value = struct {
				Type      string `json:"type"`
				MediaType string `json:"media_type"`
				Data      string `json:"data"`
			}{"base64", fetched[i].kind, data}
		}
		out.Write(text[from:at.start])
		encoded, err := json.Marshal(value)
		if err != nil { // strings always marshal
			panic(err)
		}
		out.Write(encoded)
		from = at.end
	}
	out.Write(text[from:])
	return out.Bytes()
}
