package relay

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/hal0-dev/hal0/plugin/wire"
)

func TestPrepare(t *testing.T) {
	for _, c := range []struct {
		name   string
		body   string
		params wire.Params
		want   string
	}{
		{name: "only the model's value changes", body: "{ \"stream\" : true,\n\t\"model\" : \"gpt-4o\" , \"x\":1e2 }", want: "{ \"stream\" : true,\n\t\"model\" : \"slot\" , \"x\":1e2 }"},
		{name: "missing", body: `{"a":1}`, want: `{"a":1,"model":"slot"}`},
		{name: "missing in nothing", body: " {\n} ", want: " {\n\"model\":\"slot\"} "},
		{name: "null", body: `{"model":null}`, want: `{"model":"slot"}`},
		{name: "twice", body: `{"model":"a","model":"b"}`, want: `{"model":"slot","model":"slot"}`},
		{name: "escaped name", body: `{"mod\u0065l":"a"}`, want: `{"mod\u0065l":"slot"}`},
		{name: "only at the top", body: `{"model":"a","x":{"model":"b"},"y":["model"],"z":"\"model\":\"c\""}`, want: `{"model":"slot","x":{"model":"b"},"y":["model"],"z":"\"model\":\"c\""}`},
		{name: "names are case-sensitive", body: `{"Model":"a"}`, want: `{"Model":"a","model":"slot"}`},
		{name: "an object for a model", body: `{"model":{"a":[1,"}"]},"b":2}`, want: `{"model":"slot","b":2}`},
		{name: "bytes that are not UTF-8 stay", body: "{\"model\":\"a\",\"x\":\"\xff\"}", want: "{\"model\":\"slot\",\"x\":\"\xff\"}"},

		{name: "set", body: `{"temperature":1,"model":"a"}`, params: wire.Params{Set: `{"temperature":0.2,"top_k":4}`}, want: `{"temperature":0.2,"model":"slot","top_k":4}`},
		{name: "default", body: `{"temperature":1,"model":"a"}`, params: wire.Params{Default: `{"temperature":0.2,"top_k":4}`}, want: `{"temperature":1,"model":"slot","top_k":4}`},
		{name: "strip", body: `{"a":1,"b":2,"model":"m","c":3}`, params: wire.Params{Strip: []string{"a", "c"}}, want: `{"b":2,"model":"slot"}`},
		{name: "strip all", body: `{ "a":1 , "b":2 }`, params: wire.Params{Strip: []string{"a", "b"}}, want: `{  "model":"slot"}`},
		{name: "strip the last two", body: `{"model":"m","a":1,"b":2}`, params: wire.Params{Strip: []string{"a", "b"}}, want: `{"model":"slot"}`},
		{name: "set wins over default and strip", body: `{"a":1,"model":"m"}`, params: wire.Params{Set: `{"a":3}`, Default: `{"a":2}`, Strip: []string{"a"}}, want: `{"a":3,"model":"slot"}`},
		{name: "default fills what was stripped", body: `{"a":1,"model":"m"}`, params: wire.Params{Default: `{"a":2}`, Strip: []string{"a"}}, want: `{"a":2,"model":"slot"}`},
		{name: "model is not to be set", body: `{"model":"m"}`, params: wire.Params{Set: `{"model":"other"}`, Strip: []string{"model"}}, want: `{"model":"slot"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, err := parseObject([]byte(c.body))
			if err != nil {
				t.Fatal(err)
			}
			got, err := prepare(o, "slot", c.params)
			if err != nil || string(got) != c.want {
				t.Errorf("got %q, %v\nwant %q", got, err, c.want)
			}
			if string(o.text) != c.body {
				t.Error("the client's body was changed")
			}
		})
	}
	for _, bad := range []wire.Params{{Set: "{"}, {Default: "[]"}} {
		o, _ := parseObject([]byte(`{}`))
		if _, err := prepare(o, "slot", bad); err == nil {
			t.Errorf("%+v was applied", bad)
		}
	}
}

// FuzzPrepare compares with what encoding/json makes of both texts.
func FuzzPrepare(f *testing.F) {
	f.Add([]byte(`{"model":"a","x":[1,{"y":"\\\""}],"temperature":0}`), "temperature")
	f.Add([]byte(`{"a" : null , "b":{} }`), "a")
	f.Add([]byte("{\"mod\\u0065l\":1,\"\":\"\xff\"}"), "")
	f.Fuzz(func(t *testing.T, body []byte, strip string) {
		o, err := parseObject(body)
		var want map[string]any
		decoded := json.Unmarshal(body, &want)
		if (err == nil) != (decoded == nil && want != nil) {
			t.Fatalf("parseObject says %v, encoding/json %v", err, decoded)
		}
		if err != nil {
			return
		}
		before := bytes.Clone(body)
		params := wire.Params{Set: `{"seed":7}`, Default: `{"top_k":4}`, Strip: []string{strip}}
		got, err := prepare(o, "slot", params)
		if err != nil || !bytes.Equal(before, body) {
			t.Fatalf("prepare: %v; body changed: %v", err, !bytes.Equal(before, body))
		}
		var have map[string]any
		if err := json.Unmarshal(got, &have); err != nil {
			t.Fatalf("%q is not JSON: %v", got, err)
		}
		delete(want, strip)
		if _, ok := want["top_k"]; !ok {
			want["top_k"] = 4.0
		}
		want["seed"], want["model"] = 7.0, "slot"
		// encoding/json merges what is named twice; leave such bodies to the tables.
		if seen := names(o); seen && !reflect.DeepEqual(have, want) {
			t.Fatalf("%q became %q", body, got)
		}
	})
}

// names reports whether every member's name is there once, also to
// encoding/json, which replaces what is not UTF-8.
func names(o object) bool {
	seen := map[string]bool{}
	for _, m := range o.members {
		name := strings.ToValidUTF8(m.name, "\ufffd")
		if seen[name] || name != m.name {
			return false
		}
		seen[name] = true
	}
	return true
}
