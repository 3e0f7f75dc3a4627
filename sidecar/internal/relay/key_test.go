package relay

import (
	"bytes"
	"encoding/json"
	"net/http"
	"reflect"
	"testing"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/hub"
)

var chatEndpoint = wire.Endpoint{Method: "POST", Path: "/v1/chat/completions", Family: wire.FamilyChat}

func key(t *testing.T, r Request, body string, header ...string) hub.Key {
	t.Helper()
	o, err := parseObject([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	k, err := keyOf([]byte("secret"), r, o, upstreamHeader(h, false))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return k
}

func TestSameKey(t *testing.T) {
	r := Request{Endpoint: chatEndpoint, Scope: "s", Slot: "p"}
	base := key(t, r, `{"temperature":0.7,"messages":[{"role":"user","content":"é"}],"max_tokens":100}`)
	for _, body := range []string{
		"{\n \"max_tokens\": 1e2, \"messages\": [ {\"content\":\"\\u00e9\", \"role\":\"user\"} ], \"temperature\": 0.70 }",
		`{"temperature":0.7,"messages":[{"role":"user","content":"é"}],"max_tokens":100,"user":"u","metadata":{"a":1},"safety_identifier":"x","prompt_cache_key":"y"}`,
		`{"temperature":0.7,"messages":[{"role":"user","content":"é"}],"max_tokens":100.0,"stream_options":{"include_obfuscation":false}}`,
	} {
		if key(t, r, body) != base {
			t.Errorf("another key for %s", body)
		}
	}
	if key(t, r, `{"stream_options":{"include_usage":true,"include_obfuscation":false}}`) != key(t, r, `{"stream_options":{"include_usage":true}}`) {
		t.Error("include_obfuscation matters")
	}
	if key(t, r, `{}`, "Cookie", "a", "X-Request-Id", "1") != key(t, r, `{}`) {
		t.Error("headers that engines do not see matter")
	}
}

func TestOtherKey(t *testing.T) {
	r := Request{Endpoint: chatEndpoint, Scope: "s", Slot: "p"}
	body := `{"messages":["x"]}`
	keys := map[hub.Key]string{key(t, r, body): "base"}
	add := func(what string, k hub.Key) {
		if other, ok := keys[k]; ok {
			t.Errorf("%s has the key of %s", what, other)
		}
		keys[k] = what
	}
	for _, other := range []string{
		`{"messages":["y"]}`, `{"messages":["x"],"stream":true}`, `{"messages":["x"],"unknown":1}`, `{"messages":["x"],"seed":1}`,
		`{"messages":["x"],"seed":2}`, `{"messages":["x"],"stream_options":{"include_usage":true}}`, `{"messages":["x","x"]}`, `{"messages":"x"}`,
		`{"messages":["x"],"n":2}`, `{"messages":["x"],"encoding_format":"base64"}`, `{"messages":["x"],"cache_salt":"a"}`,
	} {
		add(other, key(t, r, other))
	}
	for what, change := range map[string]func(*Request){
		"scope":       func(r *Request) { r.Scope = "t" },
		"slot":        func(r *Request) { r.Slot = "q" },
		"endpoint":    func(r *Request) { r.Endpoint.Path = "/v1/completions" },
		"declaration": func(r *Request) { r.Model.Context = 1 },
		"shifted":     func(r *Request) { r.Scope, r.Endpoint.Method = "", "sPOST" },
	} {
		q := r
		change(&q)
		add(what, key(t, q, body))
	}
	long := string(bytes.Repeat([]byte("x"), 3<<20))
	add("long", key(t, r, `{"messages":["`+long+`"]}`))
	add("long, but for a letter", key(t, r, `{"messages":["`+long+`y"]}`))
	add("header", key(t, r, body, "Anthropic-Beta", "x"))
	add("header's value", key(t, r, body, "Anthropic-Beta", "y"))
}

func TestNoKey(t *testing.T) {
	for _, body := range []string{
		`{"seed":9007199254740993}`, `{"seed":9007199254740992}`, `{"a":[{"b":-1e300}]}`, `{"a":1e400}`,
		`{"a":1,"a":2}`, `{"x":{"a":1,"a":1}}`, `{"a":1,"\u0061":2}`, "{\"a\":\"\xff\"}", `{"a":"\ud800"}`,
		`{"a":"` + string(bytes.Repeat([]byte("\\n"), keyLimit)) + `"}`,
	} {
		o, err := parseObject([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := keyOf(nil, Request{}, o, nil); err == nil {
			t.Errorf("%.60s has a key", body)
		}
	}
}

func TestShare(t *testing.T) {
	cold, warm := sharing{true, hub.Ask, false}, sharing{true, hub.Own, false}
	same, none := sharing{true, hub.Any, false}, sharing{false, hub.Own, false}
	for _, c := range []struct {
		policy, body string
		change       func(*Request)
		want         sharing
	}{
		{"", `{}`, nil, cold},
		{"cold", `{"temperature":0.5}`, nil, cold},
		{"cold", `{"temperature":0}`, nil, same},
		{"cold", `{"temperature":0.0,"seed":null}`, nil, same},
		{"cold", `{"seed":1}`, nil, same},
		{"cold", `{"seed":-1}`, nil, cold},
		{"cold", `{"seed":4294967295}`, nil, cold},
		{"cold", `{"seed":null}`, nil, cold},
		{"cold", `{}`, func(r *Request) { r.Endpoint.Path = "/v1/embeddings" }, same},
		{"cold", `{}`, func(r *Request) { r.Retry = 1 }, sharing{true, hub.Ask, true}},
		{"deterministic", `{}`, nil, warm},
		{"deterministic", `{"seed":1}`, nil, same},
		{"deterministic", `{}`, func(r *Request) { r.Retry = 2 }, sharing{true, hub.Own, true}},
		{"always", `{}`, nil, same},
		{"off", `{"seed":1}`, nil, none},
		{"always", `{"store":true}`, nil, none},
		{"always", `{"store":false}`, nil, same},
		{"always", `{"background":true}`, nil, none},
		{"always", `{"previous_response_id":"x"}`, nil, none},
		{"always", `{"previous_response_id":null}`, nil, same},
		{"always", `{"conversation":{"id":"x"}}`, nil, none},
		{"always", `{}`, func(r *Request) { r.CoalesceOff = true }, none},
		{"always", `{}`, func(r *Request) { r.Endpoint.Multipart = true }, none},
		{"a policy of tomorrow", `{"seed":1}`, nil, warm},
	} {
		r := Request{Endpoint: chatEndpoint}
		if c.change != nil {
			c.change(&r)
		}
		o, _ := parseObject([]byte(c.body))
		if got := share(c.policy, r, traitsOf(r.Endpoint, o)); got != c.want {
			t.Errorf("%s %s: %+v, want %+v", c.policy, c.body, got, c.want)
		}
	}
}

// FuzzKey: whoever has the same key has, to a reader of JSON, the same body.
func FuzzKey(f *testing.F) {
	f.Add([]byte(`{"a":1.0,"b":[null,"\u00e9"]}`), []byte(`{"b":[null,"é"],"a":1}`))
	f.Add([]byte(`{"seed":9007199254740993}`), []byte(`{"seed":9007199254740992}`))
	f.Add([]byte(`{"a":{"b":-0}}`), []byte(`{"a":{"b":0}}`))
	f.Add([]byte(`{"a":1e-400}`), []byte(`{"a":0}`))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		x, errX := parseObject(a)
		y, errY := parseObject(b)
		if errX != nil || errY != nil {
			return
		}
		h := http.Header{}
		k, errK := keyOf(nil, Request{}, x, h)
		l, errL := keyOf(nil, Request{}, y, h)
		if errK == nil {
			if again, err := keyOf(nil, Request{}, mustParse(t, canonicalText(t, x)), h); err != nil || again != k {
				t.Fatalf("the canonical form of %q has another key: %v", a, err)
			}
		}
		if errK != nil || errL != nil || k != l {
			return
		}
		if m, n := decode(t, a), decode(t, b); !reflect.DeepEqual(m, n) {
			t.Fatalf("%q and %q have the same key", a, b)
		}
	})
}

func canonicalText(t *testing.T, o object) []byte {
	text, err := canonical(nil, o)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func mustParse(t *testing.T, text []byte) object {
	o, err := parseObject(text)
	if err != nil {
		t.Fatalf("canonical form %q: %v", text, err)
	}
	return o
}

func decode(t *testing.T, text []byte) map[string]any {
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	for name := range inert {
		delete(m, name)
	}
	if o, ok := m["stream_options"].(map[string]any); ok {
		delete(o, "include_obfuscation")
		if len(o) == 0 {
			delete(m, "stream_options")
		}
	}
	return m
}

func BenchmarkKey(b *testing.B) {
	o, _ := parseObject([]byte(`{"model":"primary","stream":true,"messages":[{"role":"user","content":"Count to five."}]}`))
	for b.Loop() {
		keyOf([]byte("secret"), Request{Endpoint: chatEndpoint}, o, http.Header{})
	}
}

func BenchmarkKeyOfAMegabyte(b *testing.B) {
	o, _ := parseObject([]byte(`{"image":"` + string(bytes.Repeat([]byte("x"), 1<<20)) + `"}`))
	for b.Loop() {
		keyOf([]byte("secret"), Request{Endpoint: chatEndpoint}, o, http.Header{})
	}
}
